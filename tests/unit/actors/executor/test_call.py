"""A call of an executor as a future: who settles it, and what others see of that."""

from __future__ import annotations

import pytest

from actors.errors import ForkedHandleError
from actors.executor.call import Call


def make(cancelled: list[Call[int]]) -> Call[int]:
    return Call("work", b"body", None, cancelled.append, lambda **_: None)


def test_cancel_tells_the_executor_once() -> None:
    cancelled: list[Call[int]] = []
    call = make(cancelled)

    assert [call.cancel(), call.cancel()] == [True, True]

    assert cancelled == [call]
    assert call.cancelled()


def test_cancel_of_a_settled_call_is_refused() -> None:
    cancelled: list[Call[int]] = []
    call = make(cancelled)

    assert call.settle(None, 5)

    assert not call.cancel()
    assert cancelled == []
    assert call.result(0) == 5


def test_an_answer_after_a_cancel_changes_nothing() -> None:
    call = make([])
    call.cancel()

    assert not call.settle(None, 5)

    assert call.cancelled()


def test_a_cancel_wins_over_an_answer_that_is_being_entered() -> None:
    cancelled: list[Call[int]] = []
    call = make(cancelled)
    assert call.claim()

    assert call.cancel()

    assert cancelled == []  # it does not run any more
    assert call.cancelled()


def test_a_call_runs_from_its_start_to_its_end() -> None:
    call = make([])
    before = call.running()
    call.started = 1.0
    during = call.running()
    call.settle(LookupError("none"))

    assert (before, during, call.running()) == (False, True, False)


def test_the_message_is_let_go_of_when_the_call_is_over() -> None:
    call = make([])

    call.settle(None, 5)

    assert call.body == b""


def test_a_copy_in_a_forked_process_is_refused_but_for_what_was_over() -> None:
    def refuse(*, is_waiting: bool) -> None:
        raise ForkedHandleError

    call: Call[int] = Call("work", b"", None, lambda _: None, refuse)
    for use in (call.result, call.exception, call.cancel):
        with pytest.raises(ForkedHandleError):
            use()

    call.settle(None, 5)

    assert call.result(0) == 5
