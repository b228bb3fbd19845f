"""Actors that spawn actors: what they have ends with them, in order, and they end with what has it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import (
    ActorNotFoundError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    Event,
    ExitKind,
    SpawnError,
    options,
)
from tests.support.families import Barren, Child, Parent
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.lives import notes
from tests.support.procfs import is_gone

NextEvent = Callable[[str, str], Event]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notes")


@pytest.fixture
def spawn(system: ActorSystem, path: str) -> Iterator[Callable[..., ActorRef[Parent]]]:
    """Return what spawns a parent, which is stopped after the test."""
    made: list[ActorRef[Parent]] = []

    def spawn(*names: str, **settings: object) -> ActorRef[Parent]:
        spawner = system.options(**settings)  # type: ignore[arg-type]
        made.append(spawner.spawn(Parent, path, *names).result().within(SECONDS))
        return made[-1]

    yield spawn
    for parent in made:
        parent.kill().result(SECONDS)


Spawn = Callable[..., ActorRef[Parent]]


def pid(ref: ActorRef[Parent]) -> int:
    return ref.ask(Parent.pids).result()[0]


def children(parent: ActorRef[Parent]) -> list[ActorRef[Child]]:
    found = parent.ask(Parent.family).result().values()
    return [child.within(SECONDS) for child in found]


def pids(refs: list[ActorRef[Child]]) -> list[int]:
    return [ref.ask(Child.pids).result()[0] for ref in refs]


def companion(parent: ActorRef[Parent]) -> int:
    """Return the process that has the children of *parent*."""
    (found,) = {ref.ask(Child.pids).result()[1] for ref in children(parent)}
    return found


def reason_of(ref: ActorRef[Child]) -> ExitKind:
    with pytest.raises(ActorStoppedError) as caught:
        ref.ask(Child.pids).result()
    return caught.value.reason.kind


def test_children_of_an_actor_are_in_one_process_beside_it(spawn: Spawn) -> None:
    parent = spawn("tom", "ann")

    beside = companion(parent)

    assert beside not in {pid(parent), parent.ask(Parent.pids).result()[1]}
    assert Path(f"/proc/{beside}/stat").read_text().rpartition(")")[2].split()[1] == (
        str(parent.ask(Parent.pids).result()[1])
    )


def test_children_end_with_the_process_that_has_spawned_them(
    spawn: Spawn, path: str
) -> None:
    parent = spawn("tom", "ann")
    before, was = children(parent), companion(parent)
    processes = pids(before)

    os.kill(pid(parent), signal.SIGKILL)

    after = children(parent)
    assert not set(processes) & set(pids(after))  # under the same names
    assert all(map(is_gone, [*processes, was]))
    assert [text for _, text in notes(path)] == ["ann shutdown", "tom shutdown"]
    assert {reason_of(ref) for ref in before} == {ExitKind.SHUTDOWN}


def test_the_death_of_an_actor_with_children_counts_once(
    system: ActorSystem, spawn: Spawn
) -> None:
    parent = spawn("tom")
    events = system.events()

    os.kill(companion(parent), signal.SIGKILL)
    wait_until(lambda: pid(parent), "the next life")

    seen: list[Event] = []
    while not seen or (seen[-1].kind, seen[-1].actor) != ("child_ready", parent.name):
        seen.append(events.next().result(SECONDS))
    events.close()
    exits = [event for event in seen if event.kind == "child_exit"]
    assert {event.actor for event in seen if event.actor} == {parent.name, "tom"}
    assert sorted(event.actor or "" for event in exits) == sorted([parent.name, "tom"])


def test_an_actor_ends_with_the_supervisor_of_its_children(
    spawn: Spawn, path: str, next_event: NextEvent
) -> None:
    parent = spawn("tom")
    (tom,) = children(parent)
    was, process = companion(parent), pids([tom])

    os.kill(was, signal.SIGKILL)

    reason = next_event("child_exit", parent.name).reason
    assert reason is not None
    assert reason.inner is not None
    assert (reason.kind, reason.inner.signal) == (ExitKind.LINKED, "SIGKILL")
    assert reason_of(tom) is ExitKind.SUPERVISOR_DIED
    assert companion(parent) != was
    assert all(map(is_gone, process))
    assert "parent shutdown" in [text for _, text in notes(path)]  # it was asked to


def test_a_supervisor_of_children_that_is_terminated_takes_its_actor_along(
    spawn: Spawn, next_event: NextEvent
) -> None:
    parent = spawn("tom", "ann")
    before = children(parent)

    os.kill(companion(parent), signal.SIGTERM)

    reason = next_event("child_exit", parent.name).reason
    assert reason is not None
    assert reason.kind is ExitKind.LINKED
    assert {reason_of(ref) for ref in before} == {ExitKind.SHUTDOWN}
    assert len(pids(children(parent))) == 2


def test_an_actor_that_is_stopped_ends_before_its_children_and_they_in_reverse_order(
    spawn: Spawn, path: str
) -> None:
    parent = spawn("tom", "ann", "liz")
    processes = [*pids(children(parent)), companion(parent)]

    parent.stop()
    parent.ended().result(SECONDS)

    assert [text for _, text in notes(path)] == [
        "parent normal",
        "liz shutdown",
        "ann shutdown",
        "tom shutdown",
    ]
    assert all(map(is_gone, processes))


def test_messages_that_wait_for_a_child_are_named_dead_letters(
    system: ActorSystem, spawn: Spawn, gate: Gate
) -> None:
    parent = spawn()
    tom = parent.ask(Parent.spawn, "tom", 3, 0.05).result().within(SECONDS)
    events = system.events()
    tom.tell(Child.wait, gate.path)
    gate.wait_until_entered()
    tom.tell(Child.fail)
    asked = tom.ask(Child.pids)

    parent.kill()

    with pytest.raises(ActorStoppedError):
        asked.result()
    letters: list[Event] = []
    while len(letters) < 2:
        event = events.next().result(SECONDS)
        letters += [event] if event.kind == "dead_letter" else []
    events.close()
    assert [(each.actor, each.facts["method"]) for each in letters] == [
        ("tom", "Child.wait"),
        ("tom", "Child.fail"),
    ]


def test_an_actor_that_is_restarted_has_new_children(spawn: Spawn) -> None:
    parent = spawn("tom")
    before = pids(children(parent))

    parent.restart().result(SECONDS)

    assert not set(before) & set(pids(children(parent)))
    assert all(map(is_gone, before))


def test_a_child_that_gives_up_ends_alone(spawn: Spawn) -> None:
    parent = spawn()
    process = pid(parent)
    tom = parent.ask(Parent.spawn, "tom", 0).result().within(SECONDS)

    tom.tell(Child.fail)

    reason = tom.ended().result(SECONDS)
    assert reason.kind is ExitKind.INTENSITY_EXCEEDED
    assert pid(parent) == process


def test_a_tree_that_gives_up_again_and_again_ends_the_actor_that_has_started_it(
    spawn: Spawn, next_event: NextEvent
) -> None:
    parent = spawn("ann")
    tom = parent.ask(Parent.supervise, "tom").result()["tom"].within(SECONDS)
    (ann,) = children(parent)
    for _ in range(4):  # one more than three
        tom.tell(Child.fail)

    reason = next_event("child_exit", parent.name).reason

    kinds = []
    while reason is not None:
        kinds.append(reason.kind)
        reason = reason.inner
    assert kinds == [
        ExitKind.LINKED,
        ExitKind.INTENSITY_EXCEEDED,
        ExitKind.INTENSITY_EXCEEDED,
        ExitKind.EXCEPTION,
    ]
    assert reason_of(ann) is ExitKind.SHUTDOWN
    assert len(children(parent)) == 1


def test_an_actor_that_gives_up_leaves_no_children(spawn: Spawn) -> None:
    parent = spawn("tom", intensity=0)
    (tom,) = children(parent)
    processes = [*pids([tom]), companion(parent)]

    os.kill(pid(parent), signal.SIGKILL)

    reason = parent.ended().result(SECONDS)
    assert reason.kind is ExitKind.INTENSITY_EXCEEDED
    assert all(map(is_gone, processes))
    assert reason_of(tom) is ExitKind.SHUTDOWN


def test_an_actor_that_is_killed_while_it_spawns_leaves_nothing(
    system: ActorSystem, spawn: Spawn, gate: Gate
) -> None:
    parent = spawn("ann")
    process = pid(parent)
    asked = parent.ask(Parent.spawn_late, "tom", gate.path)
    gate.wait_until_entered()
    beside = int(
        Path(f"/proc/{pids(children_now(system, 'ann'))[0]}/stat")
        .read_text()
        .rpartition(")")[2]
        .split()[1]
    )

    os.kill(process, signal.SIGKILL)

    with pytest.raises(Exception, match="SIGKILL"):
        asked.result()
    assert pid(parent) != process
    assert is_gone(beside)
    with pytest.raises(ActorNotFoundError):
        system.lookup("tom", Child).result()


def children_now(system: ActorSystem, *names: str) -> list[ActorRef[Child]]:
    return [system.lookup(name, Child).result().within(SECONDS) for name in names]


def test_an_actor_that_does_not_start_leaves_no_children(
    system: ActorSystem, path: str
) -> None:
    with pytest.raises(SpawnError, match="no more"):
        system.spawn(Barren, path).result()

    with pytest.raises(ActorNotFoundError):
        system.lookup("orphan", Child).result()
    assert [text for _, text in notes(path)] == ["orphan shutdown"]


def test_children_of_a_supervised_actor_end_with_its_supervisor(
    system: ActorSystem, path: str
) -> None:
    spec = options(id="parent").child(Parent, path, "tom", "ann")
    tree = system.supervise(options(id="inner").supervisor(spec)).result()
    parent = tree.ref(spec).within(SECONDS)
    before = children(parent)
    processes = [pid(parent), *pids(before), companion(parent)]

    os.kill(parent.ask(Parent.pids).result()[1], signal.SIGKILL)

    wait_until(lambda: all(map(is_gone, processes)), "the end of all")
    assert len(pids(children(parent))) == 2
    assert {reason_of(ref) for ref in before} == {ExitKind.SUPERVISOR_DIED}
    tree.stop().result(SECONDS)


def test_a_supervisor_does_not_count_what_its_actors_have_spawned(
    system: ActorSystem, path: str
) -> None:
    spec = options(id="parent").child(Parent, path, "tom", "ann")

    tree = system.supervise(spec).result()

    assert [child.id for child in tree.children().result()] == ["parent"]
    assert (tree.counts().result().specs, tree.counts().result().supervisors) == (1, 0)
    tree.stop().result(SECONDS)


def test_workers_of_a_pool_end_with_the_actor_that_has_made_it(spawn: Spawn) -> None:
    parent = spawn()
    workers = parent.ask(Parent.open_pool, 3).result()

    os.kill(pid(parent), signal.SIGKILL)
    wait_until(lambda: pid(parent), "the next life")

    assert len({beside for _, beside in workers}) == 1
    assert all(is_gone(process) for each in workers for process in each)


def test_actors_that_spawn_actors_that_spawn_actors_end_from_below(
    spawn: Spawn, path: str
) -> None:
    top = spawn()
    middle = top.ask(Parent.spawn_parent, "middle", "tom", "ann").result()
    middle = middle.within(SECONDS)
    processes = [pid(middle), *pids(children(middle)), companion(middle)]

    os.kill(pid(top), signal.SIGKILL)

    wait_until(lambda: all(map(is_gone, processes)), "the end of all")
    assert pid(top) not in processes
    assert [text for _, text in notes(path)] == [
        "parent shutdown",
        "ann shutdown",
        "tom shutdown",
    ]


def test_a_system_that_closes_stops_children_after_their_actor(
    path: str,
) -> None:
    with ActorSystem(drain=0) as system:
        parent = system.spawn(Parent, path, "tom", "ann").result()
        processes = [*pids(children(parent)), companion(parent)]

    assert [text for _, text in notes(path)] == [
        "parent shutdown",
        "ann shutdown",
        "tom shutdown",
    ]
    assert all(map(is_gone, processes))
