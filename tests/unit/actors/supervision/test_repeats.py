from __future__ import annotations

from typing import Any, cast

import attrs
import pytest

from actors.supervision.alarms import Alarms
from actors.supervision.events import Events
from actors.supervision.repeats import ALARM, Repeats


@attrs.define
class Log:
    """Stands for the events of a supervisor."""

    lines: list[dict[str, Any]] = attrs.field(factory=list)

    def warn(self, _event: str, **facts: object) -> None:
        self.lines.append(facts)


def tell(repeats: Repeats, number: int, method: str = "A.add") -> None:
    repeats.warn("dead_letter", number, f"actor-{number}", method=method)


def said(number: int) -> dict[str, str]:
    return {"actor": f"actor-{number}", "method": "A.add"}


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
        tell(repeats, 1)
    repeats.on_alarm(1)

    assert log.lines == [said(1), {"actor": "actor-1", "more": "A.add (999)"}]
    assert alarms.next_due() is not None


def test_actors_are_counted_apart(repeats: Repeats, log: Log) -> None:
    tell(repeats, 1)
    tell(repeats, 2)

    assert log.lines == [said(1), said(2)]


def test_after_a_quiet_second_the_next_is_logged_again(
    repeats: Repeats, log: Log, alarms: Alarms
) -> None:
    tell(repeats, 1)
    due = alarms.next_due()
    assert due is not None

    assert list(alarms.take_due(due)) == [(ALARM, 1)]
    repeats.on_alarm(1)
    tell(repeats, 1)

    assert log.lines == [said(1)] * 2
    assert alarms.next_due() is not None


def test_what_has_been_counted_is_told_at_the_end(repeats: Repeats, log: Log) -> None:
    for _ in range(3):
        tell(repeats, 1)

    repeats.finish()

    assert log.lines[1:] == [{"actor": "actor-1", "more": "A.add (2)"}]


def test_the_methods_that_were_counted_are_named_as_far_as_a_line_reaches(
    repeats: Repeats, log: Log
) -> None:
    tell(repeats, 1)
    for number in range(6):
        for _ in range(6 - number):
            tell(repeats, 1, f"A.m{number}")

    repeats.finish()

    assert log.lines[1]["more"] == "A.m0 (6), A.m1 (5), A.m2 (4), A.m3 (3), …"
