"""What an actor is doing, and which processes belong to a system."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from actors.cli.snapshot import (
    Branch,
    Process,
    State,
    Work,
    state_of,
    tree_of,
    under,
)
from tests.support.snapshots import a_system, an_actor

ALIVE = Process(7, 1, "python")
DEAD = Process(7, 1, "python", is_dead=True)
STOPPED = Process(7, 1, "python", is_stopped=True)
WORK = Work("Counter.add", 1.0)
WAIT = Work("Counter.add", 1.0, "stock")


@pytest.mark.parametrize(
    ("process", "facts", "running", "expected"),
    [
        (None, {"is_ready": False, "incarnation": 0}, (), State.STARTING),
        (ALIVE, {"is_ready": False}, (), State.STARTING),
        (ALIVE, {"is_ready": False, "incarnation": 2}, (), State.RESTARTING),
        (ALIVE, {"incarnation": 2}, (), State.IDLE),
        (ALIVE, {}, (WORK,), State.BUSY),
        (ALIVE, {"busy": 1}, (), State.BUSY),
        (ALIVE, {}, (WAIT,), State.WAITING),
        (ALIVE, {}, (WAIT, WORK), State.BUSY),
        (ALIVE, {"is_frozen": True}, (WORK,), State.FROZEN),
        (STOPPED, {}, (WORK,), State.FROZEN),
        (DEAD, {}, (WORK,), State.DEAD),
        (None, {}, (), State.DEAD),
        (None, {"is_ready": False, "incarnation": 2}, (), State.RESTARTING),
        (DEAD, {"is_frozen": True}, (), State.DEAD),
    ],
)
def test_the_state_of_an_actor_follows_from_its_page_and_its_process(
    process: Process | None,
    facts: dict[str, Any],
    running: tuple[Work, ...],
    expected: State,
) -> None:
    usual = {"is_ready": True, "is_frozen": False, "incarnation": 1, "busy": 0}

    state = state_of(process, running=running, **{**usual, **facts})

    assert state is expected


def known(*processes: Process) -> dict[int, Process]:
    return {process.pid: process for process in processes}


def test_processes_of_a_system_are_those_under_its_root() -> None:
    processes = known(
        Process(1, 0, "init"),
        Process(101, 1, "root"),
        Process(102, 101, "actor"),
        Process(103, 102, "ffmpeg"),
        Process(104, 1, "other"),
    )

    assert set(under(101, processes)) == {101, 102, 103}
    assert under(9, processes) == {}


def test_processes_that_are_their_own_parents_are_counted_once() -> None:
    assert set(under(5, known(Process(5, 6, "a"), Process(6, 5, "b")))) == {5, 6}


def test_the_tree_of_a_system_begins_with_the_program_that_owns_it() -> None:
    processes = known(
        Process(100, 1, "python"),
        Process(101, 100, "actors:shop"),
        Process(102, 101, "python"),
        Process(103, 102, "ffmpeg"),
        Process(104, 100, "other"),
    )

    tree = tree_of(a_system(an_actor("counter", state=State.BUSY)), processes)

    ffmpeg = Branch("ffmpeg", "process", 103, None, ())
    counter = Branch("counter", "actor", 102, State.BUSY, (ffmpeg,))
    root = Branch("actors:shop", "root", 101, None, (counter,))
    assert tree == Branch("python", "program", 100, None, (root,))


def test_a_process_with_actors_below_it_is_a_supervisor() -> None:
    processes = known(
        Process(101, 1, "actors:shop"),
        Process(105, 101, "etl"),
        Process(106, 105, "inner"),
        Process(102, 106, "python"),
        Process(107, 101, "left behind"),
    )

    (root,) = tree_of(a_system(an_actor("counter")), processes).children

    etl, left_behind = root.children
    assert (root.kind, etl.kind, etl.children[0].kind) == (
        "root",
        "supervisor",
        "supervisor",
    )
    assert left_behind.kind == "process"


def test_siblings_stand_in_the_order_in_which_their_actors_were_spawned() -> None:
    processes = known(
        Process(101, 1, "actors:shop"),
        Process(102, 101, "left behind"),
        Process(103, 101, "third"),
        Process(104, 101, "tree"),
        Process(105, 104, "second"),
        Process(106, 101, "first"),
    )
    pids = {"first": 106, "second": 105, "third": 103}
    actors = [an_actor(name, pid=pid) for name, pid in pids.items()]

    (root,) = tree_of(a_system(*actors), processes).children

    assert [each.name for each in root.children] == [
        "first",
        "tree",
        "third",
        "left behind",
    ]


def test_what_an_actor_has_spawned_stands_below_it_and_its_companion_nowhere() -> None:
    processes = known(
        Process(101, 1, "actors:shop"),
        Process(102, 101, "counter"),
        Process(103, 102, "ffmpeg"),
        Process(104, 101, "counter-companion"),
        Process(105, 104, "child"),
        Process(106, 104, "tree"),
        Process(107, 106, "grandchild"),
    )
    counter = attrs.evolve(an_actor("counter"), companion_pid=104)
    child = attrs.evolve(an_actor("child"), pid=105)
    grandchild = attrs.evolve(an_actor("grandchild"), pid=107)

    tree = tree_of(a_system(counter, child, grandchild), processes)

    (root,) = tree.children
    (shown,) = root.children
    assert [(each.name, each.kind) for each in shown.children] == [
        ("child", "actor"),
        ("tree", "supervisor"),
        ("ffmpeg", "process"),
    ]


def test_a_companion_whose_actor_has_ended_is_shown_where_it_is() -> None:
    processes = known(
        Process(101, 1, "actors:shop"), Process(104, 101, "counter-companion")
    )
    counter = attrs.evolve(an_actor("counter"), companion_pid=104)

    (root,) = tree_of(a_system(counter), processes).children

    assert [each.pid for each in root.children] == [104]


def test_the_tree_of_a_system_whose_processes_have_ended_is_bare() -> None:
    assert tree_of(a_system(), {}) == Branch("?", "program", 100, None, ())
