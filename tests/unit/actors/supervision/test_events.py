"""What subscribers are told when there is too much of it."""

from __future__ import annotations

import json
from typing import Any, cast

import attrs
import pytest

from actors.runtime.outgoing import Outgoing
from actors.supervision import events as module
from actors.supervision.events import WINDOW, Events
from transports.errors import NoSpaceError

LISTENER = 3


@attrs.define
class Sent:
    """Stands for the ways to the subscribers."""

    records: list[dict[str, Any]] = attrs.field(factory=list)
    fails: bool = False

    def notify(self, _number: int, _kind: int, body: bytes) -> None:
        if self.fails:
            raise NoSpaceError("an event", len(body))
        self.records.append(json.loads(body))

    def names(self) -> list[str]:
        return [record["event"] for record in self.records]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def events(sent: Sent) -> Events:
    made = Events(cast("Outgoing", sent))
    made.subscribe(LISTENER)
    return made


def test_a_loss_is_told_as_soon_as_there_is_a_place_for_it(
    events: Events, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    for number in range(WINDOW + 5):
        events.publish("tick", at=number)

    events.acknowledge(LISTENER, 4)

    assert sent.names() == ["tick"] * (WINDOW + 2) + ["events_dropped"]
    assert sent.records[-1]["count"] == 3


def test_a_loss_for_want_of_memory_is_told_once_there_is_some(
    events: Events, sent: Sent
) -> None:
    """It was told only behind another event, and so never after the last one."""
    sent.fails = True
    events.publish("tick")
    sent.fails = False

    events.acknowledge(LISTENER, 0)

    assert sent.names() == ["events_dropped"]
