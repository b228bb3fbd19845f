"""When a call is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from actors import (
    ActorCrashedError,
    ActorStoppedError,
    AskTimeoutError,
    Backoff,
    ExitKind,
    ExitReason,
    MailboxLostError,
    OptionError,
)
from actors.pool.policy import Policy

REASON = ExitReason(ExitKind.KILLED, cause="api")
CRASHED = ActorCrashedError("w", "W.run", 1, REASON)
LOST = MailboxLostError("w", "W.run")
STOPPED = ActorStoppedError("w", REASON)
LATE = AskTimeoutError("w", "W.run", 1.0, was_sent=True, where="")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CRASHED, True),
        (LOST, True),
        (STOPPED, True),
        (LATE, False),
        (KeyError(), False),
    ],
)
def test_a_call_that_may_be_redelivered_is_tried_again_after_a_death(
    error: Exception,
    expected: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert Policy(retries=1, redeliver=True).wants(error, 1) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [(CRASHED, False), (STOPPED, True), (KeyError(), True), (ValueError(), False)],
)
def test_a_call_is_tried_again_after_the_exceptions_that_are_named(
    error: Exception,
    expected: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert Policy(retries=1, retry_on=(LookupError,)).wants(error, 1) is expected


def test_a_call_is_tried_as_often_as_is_said() -> None:
    policy = Policy(retries=2, redeliver=True)

    assert [policy.wants(CRASHED, attempt) for attempt in (1, 2, 3)] == [
        True,
        True,
        False,
    ]


def test_delays_between_attempts_grow() -> None:
    policy = Policy(retries=3, redeliver=True, backoff=Backoff(min=0.1, jitter=0.0))

    assert [policy.delay(attempt, 0.5) for attempt in (1, 2, 3)] == [0.1, 0.2, 0.4]


def test_without_a_backoff_there_is_no_delay() -> None:
    assert Policy(retries=3, redeliver=True).delay(2, 0.5) == 0.0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"retries": 3}, "after what"),
        ({"retries": -1}, "a whole number from 0"),
        ({"retries": 1, "retry_on": KeyError}, "a tuple of classes of exceptions"),
        ({"retries": 1, "retry_on": ("KeyError",)}, "a tuple of classes of exceptions"),
        ({"retries": 1, "redeliver": 3}, "True or False"),
        ({"retries": 1, "redeliver": True, "backoff": 1.0}, "a Backoff"),
    ],
)
def test_a_policy_that_says_nothing_sensible_is_refused(
    options: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        Policy(**options)
