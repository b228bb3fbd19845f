"""Starting, stopping and forgetting children of a running supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import (
    ActorNotFoundError,
    ActorStoppedError,
    ActorSystem,
    Backoff,
    ChildError,
    ExitKind,
    NameTakenError,
    SpawnError,
    SupervisorRef,
    options,
)
from tests.support.gates import wait_until
from tests.support.procfs import is_gone
from tests.support.trees import (
    Idler,
    Member,
    phases,
    pids,
    wait_until_renewed,
    wait_until_settled,
)

A = options(id="a").child(Member)
B = options(id="b").child(Member)


@pytest.fixture
def tree(system: ActorSystem) -> Iterator[SupervisorRef]:
    started = system.supervise(A, B).result(20)
    yield started
    started.stop().result(20)


def refusal_of(pending: object) -> str:
    with pytest.raises(ChildError) as failure:
        pending.result(20)  # type: ignore[attr-defined]
    return failure.value.state


def test_started_child_is_the_last(tree: SupervisorRef) -> None:
    c = tree.start_child(options(id="c").child(Member)).result(20)

    assert c.ask(Member.add, 2).result() == 2
    assert list(phases(tree)) == ["a", "b", "c"]


def test_supervisor_can_be_started_as_a_child(tree: SupervisorRef) -> None:
    leaf = options(id="leaf").child(Member)

    inner = tree.start_child(options(id="inner").supervisor(leaf)).result(20)

    assert phases(inner) == {"leaf": "running"}
    assert inner.ref(leaf).ask(Member.add, 1).result() == 1
    assert tree.counts().result(20).supervisors == 1


def test_child_that_does_not_start_is_not_known(
    tree: SupervisorRef, tmp_path: Path
) -> None:
    bad = options(id="bad", name="bad").child(Member, crash_at=str(tmp_path))

    for _ in range(2):
        with pytest.raises(SpawnError, match="Crash"):
            tree.start_child(bad).result(20)

    assert phases(tree) == {"a": "running", "b": "running"}


def test_ids_are_unique(tree: SupervisorRef) -> None:
    assert refusal_of(tree.start_child(A)) == "already_started"

    tree.stop_child("a").result(20)
    assert refusal_of(tree.start_child(A)) == "already_present"


def test_names_are_unique(tree: SupervisorRef) -> None:
    tree.start_child(options(name="unique").child(Member)).result(20)

    with pytest.raises(NameTakenError, match="unique"):
        tree.start_child(options(id="other", name="unique").child(Member)).result(20)


def test_stopped_child_stays_down_under_its_ref(tree: SupervisorRef) -> None:
    a = tree.ref(A)
    (pid,) = pids(a)

    tree.stop_child("a").result(20)

    assert is_gone(pid)
    assert phases(tree) == {"a": "stopped", "b": "running"}
    with pytest.raises(ActorStoppedError):
        a.ask(Member.pid).result()
    assert a.ended().result(20).requested
    a.kill().result(20)
    tree.stop_child("a").result(20)  # again, and nothing happens


def test_child_that_is_started_again_has_its_ref_and_an_empty_queue(
    tree: SupervisorRef,
) -> None:
    a = tree.ref(A)
    a.ask(Member.add, 5).result()
    tree.stop_child("a").result(20)
    a.tell(Member.add, 1)  # a dead letter

    tree.restart_child("a").result(20)

    assert a.ask(Member.add, 2).result() == 2
    assert phases(tree) == {"a": "running", "b": "running"}


def test_start_that_fails_leaves_the_child_stopped(
    tree: SupervisorRef, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    spec = options(id="c").child(Member, crash_at=str(flag))
    c = tree.start_child(spec).result(20)
    tree.stop_child("c").result(20)
    flag.touch()

    with pytest.raises(SpawnError):
        tree.restart_child("c").result(20)
    flag.unlink()
    tree.restart_child("c").result(20)

    assert c.ask(Member.add, 1).result() == 1


def test_operations_that_do_not_fit_are_refused(tree: SupervisorRef) -> None:
    assert refusal_of(tree.restart_child("a")) == "running"
    assert refusal_of(tree.delete_child("a")) == "running"
    for operation in (tree.stop_child, tree.restart_child, tree.delete_child):
        assert refusal_of(operation("nobody")) == "not_found"


def test_deleted_child_is_dead_for_ever(tree: SupervisorRef) -> None:
    a = tree.ref(A)
    tree.stop_child("a").result(20)

    tree.delete_child("a").result(20)
    other = tree.start_child(A).result(20)

    assert other.ask(Member.add, 1).result() == 1
    with pytest.raises(ActorStoppedError):
        a.ask(Member.pid).result()


def test_child_that_waits_for_its_next_try_can_be_stopped(
    tree: SupervisorRef,
) -> None:
    settings = options(id="slow", backoff=Backoff(min=100, max=100))
    slow = tree.start_child(settings.child(Member)).result(20)
    slow.tell(Member.end, "kill")
    wait_until_settled(tree, {"a": "running", "b": "running", "slow": "restarting"})
    asked = slow.within(20).ask(Member.pid)

    assert refusal_of(tree.restart_child("slow")) == "restarting"
    tree.stop_child("slow").result(20)

    assert phases(tree)["slow"] == "stopped"
    with pytest.raises(ActorStoppedError):
        asked.result()


def test_started_children_do_not_come_back_with_their_supervisor(
    system: ActorSystem,
) -> None:
    inner = options(id="inner", intensity=0).supervisor(A)
    tree = system.supervise(inner).result(20)
    a = tree.ref(A)
    added = tree.ref(inner).start_child(options(name="added").child(Member)).result(20)
    (old,) = pids(a)

    a.tell(Member.end, "kill")

    wait_until_renewed(a, old)
    assert phases(tree.ref(inner)) == {"a": "running"}
    with pytest.raises(ActorStoppedError):
        added.ask(Member.pid).result()
    tree.stop().result(20)


def test_stopped_supervisor_rests_with_all_below_it(system: ActorSystem) -> None:
    inner = options(id="inner").supervisor(A)
    tree = system.supervise(inner).result(20)
    a = tree.ref(A)

    tree.stop_child("inner").result(20)
    with pytest.raises(ActorStoppedError):
        a.ask(Member.pid).result()
    tree.restart_child("inner").result(20)

    assert a.ask(Member.add, 3).result() == 3
    tree.stop().result(20)


def test_supervisor_that_has_ended_has_no_children(system: ActorSystem) -> None:
    tree = system.supervise(A).result(20)
    tree.stop().result(20)

    with pytest.raises(ActorNotFoundError):
        tree.children().result(20)
    with pytest.raises(ActorNotFoundError):
        tree.start_child(B).result(20)


def test_pool_has_any_number_of_members_of_one_kind(system: ActorSystem) -> None:
    pool = system.options(strategy="pool", intensity=100).supervise().result(20)
    spec = options(id="worker").child(Member)
    workers = [pool.start_child(spec) for _ in range(8)]
    refs = [worker.result(20) for worker in workers]
    before = pids(*refs)

    for ref in refs[:4]:
        ref.tell(Member.end, "kill")

    for ref, old in zip(refs[:4], before, strict=False):
        wait_until_renewed(ref, old)
    assert pids(*refs[4:]) == before[4:]
    assert pool.counts().result(20).specs == 1
    assert refusal_of(pool.stop_child("worker")) == "pool"
    refs[0].kill().result(20)
    wait_until(lambda: pool.counts().result(20).workers == 7, "one less")
    pool.stop().result(20)


# Children that want no process.


def test_child_with_nothing_to_do_counts_as_started_and_stays_down(
    system: ActorSystem, tmp_path: Path
) -> None:
    flag = tmp_path / "work"
    idle = options(id="idle").child(Idler, str(flag))
    tree = system.supervise(A, idle, B).result(20)
    seen = phases(tree)

    with pytest.raises(ActorStoppedError):
        tree.ref(idle).ask(Idler.pid).result()
    flag.touch()
    tree.restart_child("idle").result(20)

    assert seen == {"a": "running", "idle": "ignored", "b": "running"}
    assert phases(tree)["idle"] == "running"
    tree.stop().result(20)


def test_started_child_with_nothing_to_do_has_a_ref(
    tree: SupervisorRef, tmp_path: Path
) -> None:
    idle = options(id="idle").child(Idler, str(tmp_path / "work"))

    ref = tree.start_child(idle).result(20)

    assert ref.ended().result(20).kind is ExitKind.NORMAL
    assert phases(tree)["idle"] == "ignored"


def test_round_starts_a_child_with_nothing_to_do_again(
    system: ActorSystem, tmp_path: Path
) -> None:
    flag = tmp_path / "work"
    idle = options(id="idle").child(Idler, str(flag))
    tree = system.options(strategy="one_for_all").supervise(A, idle).result(20)
    flag.touch()

    _ = tree.ref(A).tell(Member.end, "kill")

    wait_until_settled(tree, {"a": "running", "idle": "running"})
    tree.stop().result(20)
