"""Quarantine is bounded, by count and by size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from actors.exits import ExitKind, ExitReason
from actors.runtime import systems
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import Outgoing
from actors.supervision import quarantine
from actors.supervision.child import ActorChild
from actors.supervision.events import Events
from actors.supervision.quarantine import Poison, Quarantine
from actors.wire import frame
from actors.wire.frame import Kind

DEATHS = [ExitReason(ExitKind.SIGNAL, signal="SIGKILL")]


class Log:
    """What was warned of."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def warn(self, event: str, **facts: object) -> None:
        self.lines.append((event, facts))


class Somebody:
    """What is asked of a child here."""

    number, label = 7, "counter"

    def method(self, name: str) -> str:
        return f"Counter.{name}"


@pytest.fixture
def directory() -> Iterator[RuntimeDirectory]:
    made = systems.create(Path(f"/dev/shm/actors-test-{os.getpid()}"), "quarantine")
    yield made
    made.remove()
    made.close()
    made.path.parent.rmdir()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def ward(directory: RuntimeDirectory, log: Log) -> Quarantine:
    return Quarantine(directory, cast("Outgoing", None), cast("Events", log))


def admit(ward: Quarantine, size: int = 10) -> Poison:
    data = frame.pack(Kind.TELL, b"add") + bytes(size)
    child = cast("ActorChild", Somebody())
    return ward.admit(child, data, frame.read(data), DEATHS)


def test_oldest_message_goes_when_there_are_too_many(
    ward: Quarantine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_MESSAGES", 3)

    ids = [admit(ward).id for _ in range(5)]

    assert [facts["id"] for _, facts in log.lines] == ids[:2]
    ward.finish()
    assert log.lines[-1] == ("quarantine_lost", {"counts": {"Counter.add": 3}})


def test_oldest_messages_go_when_they_are_too_large_together(
    ward: Quarantine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_BYTES", 1000)

    ids = [admit(ward, 300).id for _ in range(4)]

    assert [facts["id"] for _, facts in log.lines] == ids[:2]


def test_message_that_is_too_large_alone_is_kept_alone(
    ward: Quarantine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_BYTES", 1000)
    small = admit(ward)

    admit(ward, 5000)

    assert [facts["id"] for _, facts in log.lines] == [small.id]
    ward.finish()
    assert log.lines[-1] == ("quarantine_lost", {"counts": {"Counter.add": 1}})
