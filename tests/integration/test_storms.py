"""Many deaths at once: all children of a supervisor, or a supervisor with everything below it."""

from __future__ import annotations

import os
import signal

import pytest

from actors import ActorRef, ActorSystem, Pending, options
from actors.supervision.settings import Strategy
from actors.supervision.spec import ChildSpec
from tests.support.gates import wait_until
from tests.support.lives import is_alive
from tests.support.procfs import is_asleep, is_gone, switches_of
from tests.support.trees import Member

STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")
TRANSPORTS = ("shm", "unix", "pipe", "mq")
SECONDS = 60.0
QUEUED = 3  # messages to each
IDLE_SECONDS = 0.1


def leaves(count: int) -> list[ChildSpec[Member]]:
    return [options(id=str(number)).child(Member) for number in range(count)]


def ask_all(refs: list[ActorRef[Member]]) -> list[int]:
    return [each.result() for each in [ref.ask(Member.pid) for ref in refs]]


def ask_while_stopped(
    refs: list[ActorRef[Member]], pids: list[int]
) -> list[Pending[int]]:
    """Return questions that nobody has taken: all of *pids* are stopped, and stay so."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return [ref.ask(Member.add, 1) for ref in refs for _ in range(QUEUED)]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("count", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_storm_of_deaths_costs_no_message_that_was_queued(
    system: ActorSystem, strategy: Strategy, count: int
) -> None:
    specs = leaves(count)
    settings = system.options(strategy=strategy, intensity=count)
    tree = settings.supervise(*specs).result(SECONDS)
    refs = [tree.ref(spec).within(SECONDS) for spec in specs]
    before = ask_all(refs)
    parent = refs[0].ask(Member.parent).result()

    asked = ask_while_stopped(refs, before)
    os.kill(parent, signal.SIGSTOP)  # so that it sees all of them together
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, before)), "zombies")
    os.kill(parent, signal.SIGCONT)

    assert [each.result() for each in asked] == [*range(1, QUEUED + 1)] * count
    assert all(map(is_gone, before))
    assert not set(before) & set(ask_all(refs))
    assert refs[0].ask(Member.parent).result() == parent
    tree.stop().result(SECONDS)


@pytest.mark.parametrize(
    ("system", "count"),
    [
        *((transport, 8) for transport in TRANSPORTS),
        *(
            # Of POSIX queues, a user may have little.
            pytest.param(
                transport, 48 if transport == "mq" else 300, marks=pytest.mark.slow
            )
            for transport in TRANSPORTS
        ),
    ],
    indirect=["system"],
)
def test_killed_supervisor_comes_back_with_four_levels_of_descendants_and_all_queues(
    system: ActorSystem, count: int
) -> None:
    specs = leaves(count)
    part = count // 4
    fourth = [
        options(id=f"fourth-{n}").supervisor(*specs[part * n : part * (n + 1)])
        for n in range(4)
    ]
    third = [
        options(id=f"third-{n}").supervisor(*fourth[2 * n : 2 * n + 2])
        for n in range(2)
    ]
    second = options(id="second").supervisor(*third)
    tree = system.supervise(second).result(SECONDS)
    refs = [tree.ref(spec).within(SECONDS) for spec in specs]
    before = ask_all(refs)
    (victim,) = [child.pid for child in tree.children().result(SECONDS)]
    assert victim is not None

    asked = ask_while_stopped(refs, before)
    os.kill(victim, signal.SIGKILL)

    assert [each.result() for each in asked] == [*range(1, QUEUED + 1)] * count
    wait_until(lambda: all(map(is_gone, [victim, *before])), "the end of all")
    assert not set(before) & set(ask_all(refs))
    tree.stop().result(SECONDS)


@pytest.mark.parametrize("count", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_supervisor_of_idle_children_never_wakes(
    system: ActorSystem, count: int
) -> None:
    specs = leaves(count)
    tree = system.supervise(*specs).result(SECONDS)
    pids = ask_all([tree.ref(spec).within(SECONDS) for spec in specs])
    pids.append(tree.ref(specs[0]).ask(Member.parent).result())
    wait_until(lambda: all(map(is_asleep, pids)), "all to sleep")
    before = list(map(switches_of, pids))
    with pytest.raises(TimeoutError):
        tree.ended().result(timeout=IDLE_SECONDS)

    assert list(map(switches_of, pids)) == before
    tree.stop().result(SECONDS)
