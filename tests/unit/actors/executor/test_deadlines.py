"""When the calls of an executor have to be over."""

from __future__ import annotations

from actors.executor.call import Call
from actors.executor.deadlines import MANY, Deadlines


def a_call(label: str = "f") -> Call[int]:
    return Call(label, b"", None, lambda _: None, lambda *, is_waiting: None)


def test_what_is_due_comes_in_the_order_of_its_deadlines() -> None:
    deadlines = Deadlines()
    calls = {due: a_call() for due in (3.0, 1.0, 2.0, 9.0)}
    for due, call in calls.items():
        deadlines.add(call, due, 4)

    found = list(deadlines.overdue(3.0))

    assert found == [calls[1.0], calls[2.0], calls[3.0]]
    assert deadlines.next_due == 9.0


def test_a_call_that_is_over_is_not_overdue() -> None:
    deadlines = Deadlines()
    call = a_call()
    deadlines.add(call, 1.0, 1)
    call.settle(None, 5)

    assert list(deadlines.overdue(2.0)) == []
    assert deadlines.next_due is None


def test_calls_that_are_over_long_before_their_deadlines_are_let_go() -> None:
    deadlines = Deadlines()
    for _ in range(MANY):
        call = a_call()
        deadlines.add(call, 60.0, 0)
        call.settle(None, 5)
    last = a_call()

    deadlines.add(last, 90.0, 0)

    assert deadlines.next_due == 90.0
