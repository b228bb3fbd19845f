"""The order of a key's messages when the key moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from actors import AskTimeoutError
from actors.pending import Pending
from actors.pool.handover import Handover
from actors.pool.routing import HashBy, place_of
from actors.pool.worker import Worker
from actors.ref import ActorRef

MOVED = next(key for key in range(99) if place_of(key, [0]) != place_of(key, [0, 1]))
KEPT = next(key for key in range(99) if place_of(key, [0]) == place_of(key, [0, 1]))


class Questions:
    """Those of a process in which time stands still."""

    def __init__(self) -> None:
        self.later: list[Callable[[], object]] = []

    def describe(self, pending: Pending[Any], number: int, *about: Any) -> None:  # noqa: ANN401 - of no interest
        pending.number = number
        pending.target, pending.method, pending.timeout = about

    def number(self, pending: Pending[Any]) -> None:
        pending.corr = 1

    def call_later(self, _delay: float, callback: Callable[[], object]) -> None:
        self.later.append(callback)


class Client:
    """This process."""

    def __init__(self) -> None:
        self.questions = Questions()
        self.is_finishing = False


class Crew:
    """Workers, and what they were sent."""

    def __init__(self) -> None:
        self.client = Client()
        self.sent: list[tuple[int, int]] = []
        self.barriers: dict[int, list[Pending[None]]] = {}
        self.workers = tuple(self.hire(index) for index in range(1))
        self.handover = Handover(
            cast("Any", self.client), HashBy(), lambda: self.workers, self.barrier
        )

    def hire(self, index: int) -> Worker[Any]:
        return Worker(ActorRef(None, "", index, f"w-{index}"), index, index)

    def barrier(self, worker: Worker[Any]) -> Pending[None]:
        pending: Pending[None] = Pending()
        self.barriers.setdefault(worker.index, []).append(pending)
        return pending

    def tell(
        self, key: int, message: int, timeout: float | None = None
    ) -> Pending[None]:
        def send(worker: Worker[Any], _left: float | None) -> Pending[None]:
            self.sent.append((worker.index, message))
            done: Pending[None] = Pending()
            done.resolve(None)
            return done

        return self.handover.send(((key,), {}), send, "W.run", timeout)

    def grow(self) -> None:
        before = self.workers
        self.handover.change(before, before)
        self.workers = (*before, self.hire(len(before)))

    def shrink(self) -> None:
        before = self.workers
        self.handover.change(before, before[-1:])
        self.workers = before[:-1]


@pytest.fixture
def crew() -> Crew:
    return Crew()


def test_messages_of_a_key_that_moves_wait_for_the_worker_that_had_it(
    crew: Crew,
) -> None:
    crew.tell(MOVED, 1)
    crew.grow()
    held = [crew.tell(MOVED, 2), crew.tell(MOVED, 3)]
    before = list(crew.sent)

    crew.barriers[0][0].resolve(None)

    assert before == [(0, 1)]
    assert crew.sent == [(0, 1), (1, 2), (1, 3)]
    assert all(pending.done() for pending in held)


def test_messages_of_a_key_that_stays_wait_for_nobody(crew: Crew) -> None:
    crew.grow()

    crew.tell(KEPT, 1)

    assert crew.sent == [(0, 1)]


def test_a_key_that_comes_back_waits_for_whoever_may_have_messages_of_it(
    crew: Crew,
) -> None:
    crew.grow()
    crew.barriers[0][0].resolve(None)
    crew.tell(MOVED, 1)  # to the second
    crew.shrink()
    crew.tell(MOVED, 2)
    before = list(crew.sent)

    crew.barriers[1][0].resolve(None)

    assert before == [(1, 1)]
    assert crew.sent == [(1, 1), (0, 2)]


def test_a_key_that_moves_twice_goes_where_it_belongs_at_the_end(crew: Crew) -> None:
    crew.grow()
    crew.tell(MOVED, 1)  # held, for the second
    crew.shrink()

    crew.barriers[1][0].resolve(None)

    assert crew.sent == [(0, 1)]


def test_what_is_held_is_overdue_in_time(crew: Crew) -> None:
    crew.grow()
    held = crew.tell(MOVED, 1, timeout=1.0)

    crew.client.questions.later.pop()()
    crew.barriers[0][0].resolve(None)

    error = held.failure()
    assert isinstance(error, AskTimeoutError)
    assert "held until the worker that had the key" in str(error)
    assert crew.sent == []


def test_calm_comes_when_nothing_is_held_any_more(crew: Crew) -> None:
    crew.grow()
    crew.tell(MOVED, 1)
    calm = crew.handover.calm()
    was_calm = calm.done()

    crew.barriers[0][0].resolve(None)

    assert not was_calm
    assert calm.done()
    assert crew.handover.calm().done()
