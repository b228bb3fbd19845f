"""Which exceptions crash an actor, and what is said of those that come from the call itself."""

from __future__ import annotations

import asyncio

import pytest

from actors.errors import NotSerializableError
from actors.options import OnError
from actors.runtime import failures

ORDINARY = [ValueError("bad order"), asyncio.CancelledError()]
POLICIES: tuple[OnError | None, ...] = (None, "crash", "continue")


@pytest.mark.parametrize("error", ORDINARY, ids=repr)
@pytest.mark.parametrize(
    ("policy", "is_ask", "expected"),
    [
        (None, True, False),
        (None, False, True),
        ("crash", True, True),
        ("crash", False, True),
        ("continue", True, False),
        ("continue", False, False),
    ],
)
def test_ordinary_errors_crash_unless_somebody_was_told_or_the_policy_says_otherwise(
    error: BaseException, policy: OnError | None, *, is_ask: bool, expected: bool
) -> None:
    assert failures.is_fatal(error, policy, is_ask=is_ask) == expected


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "error", [MemoryError(), KeyboardInterrupt(), GeneratorExit()], ids=repr
)
def test_what_nobody_can_go_on_after_crashes_whatever_the_policy(
    error: BaseException, policy: OnError | None
) -> None:
    assert failures.is_fatal(error, policy, is_ask=True)


def test_only_a_type_error_of_the_call_itself_means_that_arguments_did_not_fit() -> (
    None
):
    def handler(amount: int) -> int:
        return amount + "1"  # type: ignore[operator]  # the mistake

    errors = []
    for arguments in ((), (1,)):
        try:
            handler(*arguments)
        except TypeError as exc:
            errors.append(exc)

    assert [failures.did_not_fit(error) for error in errors] == [True, False]


def test_a_result_that_cannot_be_sent_says_whose_it_is() -> None:
    lost = failures.unsent(NotSerializableError("result[0]: a lock"), "Shop.buy")
    late = failures.unsent(OSError("no room"), "Shop.buy")

    assert str(lost) == "result of Shop.buy: result[0]: a lock"
    assert late.__notes__ == ["the result of Shop.buy could not be sent"]
