"""Links: actors that die together, by a crash or a kill of one of them."""

from __future__ import annotations

import itertools
import os
import random
import signal
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, Backoff, ExitKind, options
from actors.supervision.spec import ChildSpec
from tests.support.gates import SECONDS, wait_until
from tests.support.watchers import Observer, Twin, brief, wait_until_heard

pytestmark = pytest.mark.usefixtures("system")


@pytest.fixture(scope="module")
def observer(system: ActorSystem) -> ActorRef[Observer]:
    return system.spawn(Observer).result(SECONDS)


def twins(system: ActorSystem, count: int = 2) -> list[ActorRef[Twin]]:
    spawning = [system.options(restart="temporary").spawn(Twin) for _ in range(count)]
    return [each.result(SECONDS) for each in spawning]


def pid_of(ref: ActorRef[Twin]) -> int:
    return ref.within(SECONDS).ask(Twin.pid).result()


def test_link_with_what_is_no_ref_is_refused(system: ActorSystem) -> None:
    (twin,) = twins(system, 1)
    nobody: Any = "twin"

    with pytest.raises(TypeError, match="ref='twin': pass the ref"):
        twin.ask(Twin.join, nobody).result()


@pytest.mark.parametrize("dead", [0, 1])
def test_crash_of_either_ends_the_other(system: ActorSystem, dead: int) -> None:
    pair = twins(system)
    pair[0].ask(Twin.join, pair[1]).result()

    os.kill(pid_of(pair[dead]), signal.SIGKILL)

    reason = pair[1 - dead].ended().result(SECONDS)
    assert (reason.kind, reason.child_id) == (ExitKind.LINKED, pair[dead].name)
    assert reason.inner is not None
    assert reason.inner.signal == "SIGKILL"


def test_crash_goes_through_a_chain_of_links(system: ActorSystem) -> None:
    chain = twins(system, 4)
    for one, two in itertools.pairwise(chain):
        two.ask(Twin.join, one).result()

    chain[0].kill().result()

    kinds = [each.ended().result(SECONDS).kind for each in chain]
    assert kinds == [ExitKind.KILLED, *[ExitKind.LINKED] * 3]


def test_end_in_order_ends_nobody_else(system: ActorSystem) -> None:
    one, two = twins(system)
    two.ask(Twin.join, one).result()

    one.stop().result()
    one.ended().result(SECONDS)

    pid_of(two)
    two.kill().result()


def test_undone_link_holds_neither(system: ActorSystem) -> None:
    one, two = twins(system)
    two.ask(Twin.join, one).result()
    two.ask(Twin.part, one).result()

    one.kill().result()

    pid_of(two)
    two.kill().result()


def test_who_wants_to_be_told_goes_on(system: ActorSystem) -> None:
    one, two = twins(system)
    two.ask(Twin.join_and_be_told, one).result()
    pid = pid_of(two)

    one.kill().result()

    wait_until(lambda: two.ask(Twin.all_told).result(), "to be told")
    (end,) = two.ask(Twin.all_told).result()
    assert (end.ref, end.incarnation, end.reason.cause) == (one, 1, "api")
    assert pid_of(two) == pid
    two.kill().result()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_link_with_one_that_has_ended_counts_as_its_death(
    system: ActorSystem, how: str
) -> None:
    one, two = twins(system)
    _ = one.kill() if how == "kill" else one.stop()
    one.ended().result(SECONDS)

    _ = two.tell(Twin.join, one)

    reason = two.ended().result(SECONDS)
    assert (reason.kind, reason.child_id) == (ExitKind.LINKED, one.name)
    assert reason.inner is not None
    expected = ExitKind.KILLED if how == "kill" else ExitKind.NOPROC
    assert reason.inner.kind is expected


def test_linked_actors_are_restarted_each_by_its_own_supervisor(
    system: ActorSystem, observer: ActorRef[Observer]
) -> None:
    one = system.spawn(Twin).result(SECONDS)
    spec = options(id="two").child(Twin, one)
    tree = system.supervise(spec).result(SECONDS)
    two = tree.ref(spec)
    observer.ask(Observer.follow_closely, two).result()
    before = [pid_of(one), pid_of(two)]

    os.kill(before[0], signal.SIGKILL)

    assert brief(wait_until_heard(observer, 2)) == [("Down", 1), ("Up", 2)]
    assert not set(before) & {pid_of(one), pid_of(two)}
    os.kill(pid_of(one), signal.SIGKILL)  # the new one is linked with the new one
    wait_until_heard(observer, 4)
    tree.stop().result(SECONDS)
    one.kill().result()


def test_link_with_one_that_never_comes_back_counts_as_its_death(
    system: ActorSystem,
) -> None:
    slow = options(id="slow", backoff=Backoff(min=60, max=60, jitter=0))
    spec = slow.child(Twin)
    tree = system.supervise(spec).result(SECONDS)
    (waiting,) = twins(system, 1)
    os.kill(pid_of(tree.ref(spec)), signal.SIGKILL)
    wait_until(lambda: tree.children().result()[0].phase == "restarting", "the delay")
    waiting.ask(Twin.join, tree.ref(spec)).result()
    pid = pid_of(waiting)

    tree.stop_child("slow").result(SECONDS)

    reason = waiting.ended().result(SECONDS)
    assert (reason.kind, reason.pid) == (ExitKind.LINKED, pid)
    tree.stop().result(SECONDS)


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_every_kill_in_a_chain_renews_all_of_it_once(
    system: ActorSystem, kills: int
) -> None:
    specs: list[ChildSpec[Twin]] = []
    for name in "abcd":
        settings = options(id=name)
        specs.append(settings.child(Twin, *(spec.ref for spec in specs[-1:])))
    tree = system.options(intensity=10_000).supervise(*specs).result(SECONDS)
    chain = [tree.ref(spec) for spec in specs]
    close = system.spawn(Observer, *chain).result(SECONDS)
    rng = random.Random(kills)

    for life in range(1, kills + 1):
        os.kill(pid_of(rng.choice(chain)), signal.SIGKILL)
        wait_until_heard(close, 8 * life)

    notices = wait_until_heard(close, 8 * kills)
    lives = [(name, life) for name, life in brief(notices) if name == "Up"]
    assert sorted(lives) == [("Up", n) for n in range(2, kills + 2) for _ in chain]
    assert len(notices) == 8 * kills
    tree.stop().result(SECONDS)
    close.kill().result()
