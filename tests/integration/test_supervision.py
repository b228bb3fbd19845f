"""Supervisors as processes: start, strategies, restarts and ends, from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from actors import (
    ActorCrashedError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    ExitKind,
    ExitReason,
    Pending,
    SpawnError,
    SystemFailedError,
    options,
)
from actors.supervision.settings import Strategy
from tests.support.gates import wait_until
from tests.support.lives import is_alive
from tests.support.procfs import is_gone, parent_of
from tests.support.trees import (
    Hopeless,
    Member,
    phases,
    pids,
    wait_until_renewed,
    wait_until_settled,
)

IDS = ("a", "b", "c")


def members(**settings: object) -> list:  # type: ignore[type-arg]
    return [options(id=each, **settings).child(Member) for each in IDS]  # type: ignore[arg-type]


# Start.


def test_children_are_processes_of_their_supervisor(system: ActorSystem) -> None:
    specs = members()

    tree = system.supervise(*specs).result(20)

    parents = {tree.ref(spec).ask(Member.parent).result() for spec in specs}
    assert len(parents) == 1
    assert parents != {os.getpid()}
    assert phases(tree) == dict.fromkeys(IDS, "running")
    tree.stop().result(20)


def test_child_talks_with_a_sibling_it_was_made_with(system: ActorSystem) -> None:
    load = options(id="load").child(Member)
    clean = options(id="clean").child(Member, load.ref)

    tree = system.supervise(load, clean).result(20)

    asked = tree.ref(clean).ask(Member.ask_friend).result()
    assert [asked] == pids(tree.ref(load))
    tree.stop().result(20)


def test_supervisors_below_supervisors_are_processes_too(system: ActorSystem) -> None:
    leaf = options(id="leaf").child(Member)
    inner = options(id="inner").supervisor(leaf)
    outer = options(id="outer").supervisor(inner)

    tree = system.supervise(outer).result(20)

    (leaf_pid,) = pids(tree.ref(leaf))
    line = [leaf_pid]
    while line[-1] != os.getpid():
        line.append(parent_of(line[-1]))
    assert len(line) == 6  # leaf, inner, outer, the top, the root, this program
    assert phases(tree.ref(inner)) == {"leaf": "running"}
    tree.stop().result(20)


def test_tree_of_which_a_child_does_not_start_leaves_nothing(
    system: ActorSystem, tmp_path: Path
) -> None:
    good = options(name="good-one").child(Member)
    bad = options(id="bad").child(Member, crash_at=str(tmp_path))

    with pytest.raises(SpawnError) as failure:
        system.options(name="doomed").supervise(good, bad).result(20)

    reason = failure.value.reason
    assert reason.kind is ExitKind.FAILED_TO_START
    assert reason.child_id == "bad"
    tree = system.options(name="doomed").supervise(good).result(20)
    tree.stop().result(20)


def test_names_of_children_can_be_looked_up(system: ActorSystem) -> None:
    tree = system.supervise(options(name="load-1").child(Member)).result(20)

    found = system.lookup("load-1", Member).result(20)

    assert found.ask(Member.add, 2).result() == 2
    tree.stop().result(20)


# Strategies.


@pytest.mark.parametrize(
    ("strategy", "renewed"),
    [("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")],
)
@pytest.mark.parametrize("how", ["raise", "kill", "exit", "stop"])
def test_strategy_says_who_is_restarted_with_a_child(
    system: ActorSystem, strategy: str, renewed: str, how: str
) -> None:
    specs = members()
    tree = system.options(strategy=strategy).supervise(*specs).result(20)  # type: ignore[arg-type]
    refs = [tree.ref(spec) for spec in specs]
    before = pids(*refs)

    refs[1].tell(Member.end, how)

    wait_until_renewed(refs[1], before[1])
    wait_until_settled(tree, dict.fromkeys(IDS, "running"))
    after = pids(*refs)
    changed = [each for each, x, y in zip(IDS, before, after, strict=True) if x != y]
    assert "".join(changed) == renewed
    tree.stop().result(20)


def test_messages_queue_while_a_group_restarts(system: ActorSystem) -> None:
    specs = members()
    tree = system.options(strategy="one_for_all").supervise(*specs).result(20)
    a = tree.ref(specs[0]).within(20)

    tree.ref(specs[2]).tell(Member.end, "kill")
    asked = [a.ask(Member.add, 1) for _ in range(50)]

    totals = [each.result() for each in asked]
    assert totals[-1] in range(1, 51)
    tree.stop().result(20)


def test_transient_child_that_ends_stays_down_until_a_round_starts_it(
    system: ActorSystem,
) -> None:
    specs = members(restart="transient")
    tree = system.options(strategy="one_for_all").supervise(*specs).result(20)
    a, b, _ = (tree.ref(spec) for spec in specs)

    b.tell(Member.end, "stop")
    wait_until_settled(tree, {"a": "running", "b": "ended", "c": "running"})
    with pytest.raises(ActorStoppedError):
        b.ask(Member.pid).result()
    (old,) = pids(a)
    a.tell(Member.end, "kill")

    wait_until_renewed(a, old)
    wait_until_settled(tree, dict.fromkeys(IDS, "running"))
    assert b.ask(Member.add, 7).result() == 7
    tree.stop().result(20)


def test_temporary_child_is_forgotten(system: ActorSystem) -> None:
    specs = members(restart="temporary")
    tree = system.supervise(*specs).result(20)
    b = tree.ref(specs[1])

    b.tell(Member.end, "kill")

    assert b.ended().result(20).signal == "SIGKILL"
    assert phases(tree) == {"a": "running", "c": "running"}
    tree.stop().result(20)


# Giving up.


def test_supervisor_that_gives_up_is_restarted_with_its_children(
    system: ActorSystem,
) -> None:
    leaf = options(id="leaf").child(Member)
    inner = options(id="inner", intensity=0).supervisor(leaf)
    tree = system.supervise(inner).result(20)
    ref = tree.ref(leaf).within(20)
    (old,) = pids(ref)
    parent = ref.ask(Member.parent).result()

    ref.tell(Member.end, "raise")

    wait_until_renewed(ref, old)
    assert ref.ask(Member.parent).result() != parent
    assert tree.ref(inner).children().result(20)[0].incarnation == 2
    tree.stop().result(20)


def test_system_fails_with_the_whole_chain_of_reasons(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    hopeless = options(name="hopeless").child(Hopeless, str(flag))
    inner = options(name="inner", intensity=0).supervisor(hopeless)
    with ActorSystem(drain=0) as system:
        tree = system.options(name="outer", intensity=0).supervise(inner).result(20)

        flag.touch()
        tree.ended().result(20)
        with pytest.raises(SystemFailedError) as failure:
            system.close()

    chain = []
    link: ExitReason | None = failure.value.reason
    while link is not None:
        chain.append(link)
        link = link.inner
    assert {"outer", "inner", "hopeless"} <= {each.child_id for each in chain}
    assert chain[0].kind is ExitKind.INTENSITY_EXCEEDED
    assert chain[-1].exc_type == "CrashError"


def test_end_of_a_significant_child_ends_its_supervisor(system: ActorSystem) -> None:
    job = options(id="job", restart="transient", significant=True).child(Member)
    helper = options(id="helper").child(Member)
    settings = system.options(restart="transient", auto_shutdown="any_significant")
    tree = settings.supervise(helper, job).result(20)

    tree.ref(job).tell(Member.end, "stop")

    reason = tree.ended().result(20)
    assert reason.kind is ExitKind.AUTO_SHUTDOWN
    assert reason.child_id == "job"
    assert tree.ref(helper).ended().result(20).kind is ExitKind.SHUTDOWN


# The process of a supervisor.


def outcome(asked: Pending[int]) -> int | None:
    """Return the answer, or None if the message was in hand when its process died."""
    try:
        return asked.result()
    except ActorCrashedError:
        return None


def test_killed_supervisor_comes_back_with_refs_names_and_queues(
    system: ActorSystem,
) -> None:
    specs = members()
    inner = options(id="inner").supervisor(*specs)
    tree = system.supervise(inner).result(20)
    refs = [tree.ref(spec).within(20) for spec in specs]
    before = pids(*refs)

    os.kill(refs[0].ask(Member.parent).result(), signal.SIGKILL)
    asked = [ref.ask(Member.add, 1) for ref in refs for _ in range(20)]

    results = [outcome(each) for each in asked]
    # One may have been in hand of each: the subtree dies a moment after its supervisor.
    assert results.count(None) <= len(refs)
    assert all(result is None or result >= 1 for result in results)
    for pid in before:
        wait_until(lambda pid=pid: is_gone(pid), f"the end of {pid}")  # type: ignore[misc]
    assert not set(before) & set(pids(*refs))
    tree.stop().result(20)


def test_sigterm_to_a_supervisor_stops_its_tree_and_its_restart_type_decides(
    system: ActorSystem,
) -> None:
    leaf = options(id="leaf").child(Member)
    tree = system.supervise(options(id="inner").supervisor(leaf)).result(20)
    ref: ActorRef[Member] = tree.ref(leaf)
    (old,) = pids(ref)

    os.kill(ref.ask(Member.parent).result(), signal.SIGTERM)

    wait_until_renewed(ref, old)
    tree.stop().result(20)


def test_stop_ends_the_children_in_order_and_everything_is_gone(
    system: ActorSystem,
) -> None:
    specs = members()
    tree = system.supervise(*specs).result(20)
    refs = [tree.ref(spec) for spec in specs]
    processes = [*pids(*refs), refs[0].ask(Member.parent).result()]

    tree.stop().result(20)

    assert tree.ended().result(20).kind is ExitKind.SHUTDOWN
    assert all(map(is_gone, processes))
    for ref in refs:
        assert ref.ended().result(20).requested


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_deaths_at_once_in_one_group_cost_one_round(
    system: ActorSystem, strategy: Strategy
) -> None:
    specs = members()
    settings = system.options(strategy=strategy, intensity=1)
    tree = settings.supervise(*specs).result(20)
    refs = [tree.ref(spec) for spec in specs]
    before = pids(*refs)
    parent = refs[0].ask(Member.parent).result()

    os.kill(parent, signal.SIGSTOP)  # so that it sees all of them together
    for pid in reversed(before):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, before)), "three zombies")
    os.kill(parent, signal.SIGCONT)

    for ref, old in zip(refs, before, strict=True):
        wait_until_renewed(ref, old)
    assert {child.incarnation for child in tree.children().result(20)} == {2}
    assert refs[0].ask(Member.parent).result() == parent
    tree.stop().result(20)
