from __future__ import annotations

from typing import Any, cast

import attrs
import pytest

from actors.supervision.alarms import Alarms
from actors.supervision.child import Child
from actors.supervision.events import Events
from actors.supervision.repeats import ALARM, Repeats


@attrs.frozen
class Named:
    number: int


@attrs.define
class Log:
    """Stands for the events of a supervisor."""

    lines: list[tuple[int, dict[str, Any]]] = attrs.field(factory=list)

    def warn(self, _event: str, child: Named, **facts: object) -> None:
        self.lines.append((child.number, facts))


FIRST, SECOND = cast("Child", Named(1)), cast("Child", Named(2))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def alarms() -> Alarms:
    return Alarms()


@pytest.fixture
def repeats(log: Log, alarms: Alarms) -> Repeats:
    return Repeats(cast("Events", log), alarms)


def test_the_first_of_a_second_is_logged_and_the_rest_counted(
    repeats: Repeats, log: Log, alarms: Alarms
) -> None:
    """Each was a line: a storm of dead letters kept the root from everything else."""
    for _ in range(1_000):
        repeats.warn("dead_letter", FIRST, cause="expired")
    repeats.on_alarm(1)

    assert log.lines == [(1, {"cause": "expired"}), (1, {"more": 999})]
    assert alarms.next_due() is not None


def test_actors_are_counted_apart(repeats: Repeats, log: Log) -> None:
    repeats.warn("dead_letter", FIRST, cause="expired")
    repeats.warn("dead_letter", SECOND, cause="unhandled")

    assert log.lines == [(1, {"cause": "expired"}), (2, {"cause": "unhandled"})]


def test_after_a_quiet_second_the_next_is_logged_again(
    repeats: Repeats, log: Log, alarms: Alarms
) -> None:
    repeats.warn("dead_letter", FIRST, cause="expired")
    due = alarms.next_due()
    assert due is not None

    assert list(alarms.take_due(due)) == [(ALARM, 1)]
    repeats.on_alarm(1)
    repeats.warn("dead_letter", FIRST, cause="expired")

    assert log.lines == [(1, {"cause": "expired"})] * 2
    assert alarms.next_due() is not None


def test_what_has_been_counted_is_told_at_the_end(repeats: Repeats, log: Log) -> None:
    for _ in range(3):
        repeats.warn("dead_letter", FIRST, cause="expired")

    repeats.finish()

    assert log.lines[1:] == [(1, {"more": 2})]
