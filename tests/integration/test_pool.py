"""Pools: several workers of one class behind one handle."""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorCrashedError,
    ActorError,
    ActorStoppedError,
    ActorSystem,
    AskTimeoutError,
    Autoscale,
    Event,
    HashBy,
    MailboxFullError,
    NotSerializableError,
    OptionError,
    Pool,
    SpawnError,
    SystemClosedError,
    planting,
)
from actors.pending import Pending
from actors.pool.crew import Crew
from actors.pool.routing import Routing
from actors.pool.worker import Worker
from tests.support.actors_under_test import Counter as PlainCounter
from tests.support.gates import SECONDS, Turnstile, wait_until
from tests.support.pool_workers import Brittle, Hand, Indexed
from transports.errors import NoSpaceError


@pytest.fixture(scope="module")
def four(system: ActorSystem) -> Iterator[Pool[Hand]]:
    """A pool that every test leaves as it was."""
    pool = system.options(size=4, name="four").pool(Hand).result()
    yield pool
    pool.stop().result()


@pytest.fixture
def pool_of(system: ActorSystem) -> Iterator[Callable[..., Pool[Hand]]]:
    """Make pools that end with the test."""
    made: list[Pool[Hand]] = []

    def make(**options: Any) -> Pool[Hand]:  # noqa: ANN401 - they are of many types
        made.append(system.options(**options).pool(Hand).result())
        return made[-1]

    yield make
    for pool in made:
        pool.stop().result()


def test_an_ask_is_answered_by_one_of_the_workers(four: Pool[Hand]) -> None:
    assert four.ask(Hand.double, 21).result() == 42


def test_a_broadcast_reaches_every_worker_in_the_order_of_their_indexes(
    four: Pool[Hand],
) -> None:
    assert four.broadcast(Hand.index).result() == [0, 1, 2, 3]


def test_every_worker_is_a_process_of_its_own(four: Pool[Hand]) -> None:
    assert len(set(four.broadcast(Hand.pid).result())) == 4


def test_asks_go_to_workers_that_are_free(
    four: Pool[Hand], turnstile: Turnstile
) -> None:
    held = [four.ask(Hand.pass_through, turnstile.path) for _ in range(3)]
    wait_until(lambda: four.stats().in_hand == 3, "three at work")

    answers = [four.ask(Hand.index).result() for _ in range(5)]

    turnstile.let(3)
    busy = {pending.result() for pending in held}
    assert len(busy) == 3
    assert set(answers) == {0, 1, 2, 3} - busy


@pytest.mark.parametrize(
    "rounds", [5, pytest.param(500, marks=pytest.mark.slow)], ids=str
)
def test_what_takes_long_among_much_that_does_not_holds_up_nothing_else(
    four: Pool[Hand], turnstile: Turnstile, rounds: int
) -> None:
    """For messages that take no time workers are not woken; and nothing comes after the last of them that could wake one."""
    for _ in range(rounds):
        asked = [four.ask(Hand.same, number) for number in range(300)]
        held = [four.ask(Hand.pass_through, turnstile.path) for _ in range(3)]
        asked += [four.ask(Hand.same, number) for number in range(300)]

        answers = [pending.result() for pending in asked]

        assert answers == [*range(300)] * 2
        turnstile.let(3)
        assert len({pending.result() for pending in held}) == 3


def test_a_worker_knows_its_index_in_its_constructor_and_after_a_restart(
    system: ActorSystem,
) -> None:
    pool = system.options(size=2).pool(Indexed).result()
    before = pool.broadcast(Indexed.place).result()

    os.kill(before[1][1], signal.SIGKILL)
    wait_until(lambda: pool.stats().workers[1].incarnation == 2, "a restart")
    after = pool.broadcast(Indexed.place).result()

    assert [place for place, _ in before] == [place for place, _ in after] == [0, 1]
    assert before[1] != after[1]
    pool.stop().result()


def test_an_actor_outside_of_a_pool_has_no_index(system: ActorSystem) -> None:
    hand = system.spawn(Hand).result()

    with pytest.raises(RuntimeError, match="Hand was not started by a pool"):
        hand.ask(Hand.index).result()

    hand.kill().result()


def test_a_worker_that_dies_costs_the_message_in_hand_and_not_the_pool(
    four: Pool[Hand],
) -> None:
    with pytest.raises(ActorCrashedError):
        four.ask(Hand.die).result()

    assert four.broadcast(Hand.index).result() == [0, 1, 2, 3]


def test_a_worker_that_ends_itself_is_replaced(four: Pool[Hand]) -> None:
    ended = four.ask(Hand.quit)
    ended.result()

    assert four.broadcast(Hand.index).result() == [0, 1, 2, 3]


def test_a_deadline_holds_for_asks_of_the_pool_that_within_returns(
    pool_of: Callable[..., Pool[Hand]], turnstile: Turnstile
) -> None:
    pool = pool_of(size=1)
    held = pool.ask(Hand.pass_through, turnstile.path)

    with pytest.raises(AskTimeoutError):
        pool.within(0.01).ask(Hand.index).result()

    turnstile.let(1)
    assert held.result() == 0


def test_keys_stick_to_their_workers_over_restarts(
    pool_of: Callable[..., Pool[Hand]],
) -> None:
    pool = pool_of(size=3, routing=HashBy())

    for lives in (2, 3):
        with pytest.raises(ActorCrashedError):
            pool.ask(Hand.die, "ada").result()
        wait_until(functools.partial(has_lived, pool, lives), "a restart")

    assert sorted(incarnations(pool)) == [1, 1, 3]


def has_lived(pool: Pool[Hand], lives: int) -> bool:
    return lives in incarnations(pool)


def incarnations(pool: Pool[Hand]) -> list[int]:
    return [worker.incarnation for worker in pool.stats().workers]


def test_what_all_share_waits_for_nobody_who_is_busy(
    pool_of: Callable[..., Pool[Hand]], turnstile: Turnstile
) -> None:
    pool = pool_of(size=2)
    held = pool.ask(Hand.pass_through, turnstile.path)

    answers = [pool.ask(Hand.index) for _ in range(20)]

    assert len({answer.result() for answer in answers}) == 1
    turnstile.let(1)
    assert held.result() not in {answer.result() for answer in answers}


def test_what_all_share_is_handled_before_the_pool_stops(
    pool_of: Callable[..., Pool[Hand]], turnstile: Turnstile
) -> None:
    pool = pool_of(size=2)
    held = [pool.ask(Hand.pass_through, turnstile.path) for _ in range(2)]
    wait_until(lambda: pool.stats().in_hand == 2, "two at work")
    queued = [pool.ask(Hand.double, number) for number in range(20)]
    assert pool.stats().queued == 20

    stopping = pool.stop()
    turnstile.let(2)
    stopping.result()

    assert sorted(pending.result() for pending in held) == [0, 1]
    assert [pending.result() for pending in queued] == [*range(0, 40, 2)]


def test_a_drain_waits_for_what_a_killed_worker_had_not_begun(
    pool_of: Callable[..., Pool[Hand]], turnstile: Turnstile
) -> None:
    pool = pool_of(size=2)
    held = [pool.ask(Hand.pass_through, turnstile.path) for _ in range(2)]
    wait_until(lambda: pool.stats().in_hand == 2, "two at work")
    queued = [pool.ask(Hand.double, number) for number in range(20)]

    draining = pool.drain()
    os.kill(pool.stats().workers[0].pid, signal.SIGKILL)
    turnstile.let(2)
    draining.result()

    assert all(pending.done() for pending in (*held, *queued))
    assert (
        sum(isinstance(pending.failure(), ActorCrashedError) for pending in held) == 1
    )


def test_round_robin_gives_each_worker_as_many(
    pool_of: Callable[..., Pool[Hand]],
) -> None:
    pool = pool_of(size=3, routing="round_robin")

    counts = Counter(pool.ask(Hand.index).result() for _ in range(9))

    assert counts == {0: 3, 1: 3, 2: 3}


def test_a_pool_grows_and_shrinks(pool_of: Callable[..., Pool[Hand]]) -> None:
    pool = pool_of(size=1)

    pool.resize(3).result()
    grown = pool.broadcast(Hand.index).result()
    pool.resize(2).result()
    shrunk = pool.broadcast(Hand.index).result()

    assert grown == [0, 1, 2]
    assert shrunk == [0, 1]
    assert pool.size == 2


def test_what_is_queued_for_a_worker_is_answered_before_the_pool_shrinks(
    pool_of: Callable[..., Pool[Hand]], turnstile: Turnstile
) -> None:
    pool = pool_of(size=2, routing="round_robin")
    held = [pool.ask(Hand.pass_through, turnstile.path) for _ in range(2)]
    wait_until(lambda: pool.stats().in_hand == 2, "two at work")
    queued = [pool.ask(Hand.index) for _ in range(10)]

    shrinking = pool.resize(1)
    outstanding = pool.stats().outstanding
    turnstile.let(2)
    shrinking.result()

    assert outstanding == 12
    assert [pending.result() for pending in held] == [0, 1]
    assert [pending.result() for pending in queued] == [0, 1] * 5


def fill(pool: Pool[Hand]) -> None:
    """Tell each worker as much as it, and this process for it, has room for."""
    for worker in pool.workers:
        for size in (60_000, 1000, *range(200, 0, -1)):
            with contextlib.suppress(MailboxFullError):
                while True:
                    worker.tell(Hand.pid_for, b"." * size)


@pytest.mark.parametrize("routing", ["round_robin", HashBy()])
def test_a_pool_whose_workers_take_nothing_more_grows_shrinks_and_stops(
    pool_of: Callable[..., Pool[Hand]], turnstile: Turnstile, routing: Routing
) -> None:
    pool = pool_of(size=2, routing=routing)
    held = [
        worker.within(None).ask(Hand.pass_through, turnstile.path)
        for worker in pool.workers
    ]
    fill(pool)

    growing, shrinking = pool.resize(3), pool.resize(1)
    draining, stopping = pool.drain(), pool.stop()
    turnstile.let(2)

    for pending in (growing, shrinking, draining, stopping):
        pending.result(SECONDS)
    assert [pending.result() for pending in held] == [0, 1]


def test_a_worker_that_cannot_be_asked_for_leaves_its_place_free(
    pool_of: Callable[..., Pool[Hand]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(size=1)
    rooms = iter([True, False, True])

    def spawn(*args: Any, **facts: Any) -> Pending[Any]:  # noqa: ANN401 - as it is
        if not next(rooms):
            raise NoSpaceError("the arguments", 1)
        return planting_spawn(*args, **facts)

    planting_spawn = planting.spawn
    with monkeypatch.context() as patch:
        patch.setattr(planting, "spawn", spawn)
        with pytest.raises(NoSpaceError):
            pool.resize(4).result()
    without = pool.size
    pool.resize(4).result()

    assert without == 3
    assert pool.broadcast(Hand.index).result() == [0, 1, 2, 3]


def test_a_worker_that_comes_while_another_goes_is_not_forgotten(
    pool_of: Callable[..., Pool[Hand]],
) -> None:
    pool = pool_of(size=2, routing="round_robin")
    crew = pool._crew
    assert isinstance(crew, Crew)
    staying, leaving = crew.workers
    other = threading.Thread(target=crew._remove, args=({1},))

    class Table(tuple[Worker[Hand], ...]):  # noqa: SLOT001 - of one test
        """Another thread changes the table while somebody looks at this one."""

        def __iter__(self) -> Iterator[Worker[Hand]]:
            if not other.ident:
                other.start()
                other.join(0.1)
            return super().__iter__()

    crew.workers = Table(crew.workers)
    crew._enter(staying)
    other.join()
    crew._dismiss(leaving)

    assert crew.workers == (staying,)


def test_a_drain_waits_for_what_was_told_before(
    pool_of: Callable[..., Pool[Hand]], turnstile: Turnstile
) -> None:
    pool = pool_of(size=2, routing="round_robin")
    pool.tell(Hand.pass_through, turnstile.path)
    pool.tell(Hand.pass_through, turnstile.path)
    wait_until(lambda: pool.stats().in_hand == 2, "two at work")

    draining = pool.drain()
    with pytest.raises(TimeoutError):
        draining.result(timeout=0.02)
    turnstile.let(2)
    draining.result(SECONDS)

    assert all(worker.handled >= 1 for worker in pool.stats().workers)


def test_a_pool_whose_worker_does_not_start_leaves_nothing(
    system: ActorSystem, next_event: Callable[[str, str], Event]
) -> None:
    with pytest.raises(SpawnError, match="place 1 is broken"):
        system.options(size=2, name="brittle").pool(Brittle, 1).result()

    assert next_event("child_stopped", "brittle-0").kind == "child_stopped"


def test_a_pool_none_of_whose_workers_can_be_asked_for_leaves_nothing(
    system: ActorSystem,
) -> None:
    path = Path(system.spawn(PlainCounter).result()._system)

    def files() -> int:
        return len(list(path.iterdir()))

    before = files()

    for _ in range(3):
        with pytest.raises(NotSerializableError):
            system.options(size=2).pool(Brittle, threading.Lock()).result()  # type: ignore[arg-type]

    wait_until(lambda: files() == before, "the mailboxes to go")


def test_growing_fails_with_the_error_of_the_worker_and_keeps_the_others(
    system: ActorSystem,
) -> None:
    pool = system.options(size=1).pool(Brittle, 2).result()

    with pytest.raises(SpawnError, match="place 2 is broken"):
        pool.resize(3).result()

    assert pool.size == 2
    pool.stop().result()


def test_a_pool_that_was_stopped_answers_nobody(
    pool_of: Callable[..., Pool[Hand]],
) -> None:
    pool = pool_of(size=2)

    pool.stop().result()
    pool.stop().result()

    with pytest.raises(ActorStoppedError):
        pool.ask(Hand.index).result()
    with pytest.raises(ActorError, match="was stopped"):
        pool.resize(3)


def test_a_worker_that_is_killed_for_good_is_left_out(
    pool_of: Callable[..., Pool[Hand]],
) -> None:
    pool = pool_of(size=2)

    pool.workers[0].kill().result()
    wait_until(
        lambda: pool.ask(Hand.index).result() >= 0 and pool.size == 1, "one left"
    )

    assert {pool.ask(Hand.index).result() for _ in range(4)} == {1}


def test_a_pool_whose_routing_is_of_its_process_cannot_be_sent(
    pool_of: Callable[..., Pool[Hand]],
) -> None:
    pool = pool_of(size=1, routing="round_robin")

    with pytest.raises(TypeError, match="cannot be sent: its routing chooses"):
        pickle.dumps(pool)


def test_a_pool_of_a_closed_system_says_so() -> None:
    """It spoke of a bad file descriptor."""
    with ActorSystem() as system:
        pool = system.options(size=1).pool(Hand).result()

    for use in (pool.stats, pool.drain, pool.stop):
        with pytest.raises(SystemClosedError):
            use()


def test_a_method_of_another_class_is_refused_at_the_call(four: Pool[Hand]) -> None:
    message: Any = PlainCounter.add

    with pytest.raises(TypeError, match="Hand has no handler 'add'"):
        four.ask(message, 1)


def test_a_handler_called_on_the_pool_is_explained(four: Pool[Any]) -> None:
    with pytest.raises(AttributeError, match=r"write pool\.ask\(Hand\.double"):
        four.double(3)  # type: ignore[attr-defined]


def test_a_size_outside_of_its_own_range_is_refused(system: ActorSystem) -> None:
    with pytest.raises(OptionError, match=r"size=9: from autoscale\.min=1 to"):
        system.options(size=9, autoscale=Autoscale(max=8))


@pytest.mark.parametrize("size", [0, -1, 1.5, True, 5000])
def test_a_size_that_is_none_is_refused(
    system: ActorSystem,
    size: Any,  # noqa: ANN401 - no size
) -> None:
    with pytest.raises(OptionError, match="a whole number of workers from 1"):
        system.options(size=size)


@pytest.mark.parametrize("routing", ["random", HashBy, 3], ids=repr)
def test_a_routing_that_is_none_is_refused(
    routing: Any,  # noqa: ANN401 - anything
    system: ActorSystem,
) -> None:
    with pytest.raises(OptionError, match="'round_robin', 'least_loaded', a HashBy"):
        system.options(routing=routing)


def test_options_of_pools_and_of_other_actors_do_not_mix(system: ActorSystem) -> None:
    with pytest.raises(OptionError, match="an option of pools only; use pool"):
        system.options(size=2).spawn(Hand)
    with pytest.raises(OptionError, match="an option of pools only; use pool"):
        system.options(size=2).supervise()
    with pytest.raises(OptionError, match="of supervised actors, not of a pool"):
        system.options(size=2, significant=True).pool(Hand)
