"""Starts of workers that failed are told of once."""

from __future__ import annotations

import gc

import pytest
import structlog

from actors.errors import SpawnError
from actors.executor.failures import Failures
from actors.exits import ExitKind, ExitReason
from actors.pending import Pending


def a_failed_start() -> Pending[None]:
    start: Pending[None] = Pending()
    start.corr, start.number = 1, 0
    start.target, start.method = "executor", "spawn"
    start.fail(SpawnError("executor", ExitReason(ExitKind.FAILED_TO_START)))
    return start


def add_two(failures: Failures) -> None:
    for _ in range(2):
        failures.add(a_failed_start())


@pytest.mark.parametrize("what", ["log", "clear"])
def test_what_nobody_is_told_of_is_logged_once(what: str) -> None:
    failures = Failures()
    add_two(failures)

    with structlog.testing.capture_logs() as logs:
        getattr(failures, what)()
        gc.collect()

    assert [log["event"] for log in logs] == ["spawn_failed_unseen"]


def test_what_callers_are_told_of_is_not_logged() -> None:
    failures = Failures()
    add_two(failures)

    with structlog.testing.capture_logs() as logs:
        failures.tell()
        del failures
        gc.collect()

    assert logs == []


def test_they_are_counted_up_to_a_start_that_succeeds() -> None:
    failures = Failures()
    add_two(failures)
    before = failures.count
    failures.clear()

    assert (before, failures.count) == (2, 0)
