"""A supervisor with many children: it forks none of them itself, unless it has to."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem
from actors.runtime import rehearsal
from actors.supervision.hands import MANY_CHILDREN
from tests.support.gates import SECONDS, wait_until
from tests.support.inside import directory_of, root_pid
from tests.support.lives import is_alive
from tests.support.procfs import children_of, state_of
from tests.support.spares import ready_spare_of
from tests.support.trees import Member

AT_ONCE = 12
LIFE = "child_starting", "child_ready", "child_exit", "child_stopped"


@pytest.fixture(scope="module")
def root(system: ActorSystem) -> Iterator[int]:
    """The root of the module's system, which has many children."""
    starting = [system.spawn(Member) for _ in range(MANY_CHILDREN)]
    crowd = [pending.result() for pending in starting]
    yield root_pid(system)
    ending = [member.kill() for member in crowd]
    for pending in ending:
        pending.result()


def spawn_together(system: ActorSystem) -> list[ActorRef[Member]]:
    starting = [system.spawn(Member) for _ in range(AT_ONCE)]
    return [pending.result(SECONDS) for pending in starting]


def pids_of(members: list[ActorRef[Member]]) -> list[int]:
    return [member.within(SECONDS).ask(Member.pid).result() for member in members]


def end(members: list[ActorRef[Member]]) -> None:
    for pending in [member.kill() for member in members]:
        pending.result()


def wait_for_end(pid: int) -> None:
    wait_until(lambda: not is_alive(pid), "its end")


def is_copy_of_mould(pid: int) -> bool:
    """Return whether *pid* was not forked by the root: its descriptors would have come after those of all its siblings."""
    return all(int(fd.name) < MANY_CHILDREN for fd in Path(f"/proc/{pid}/fd").iterdir())


def mould_of(system: ActorSystem) -> int:
    """Return the mould of the root; a new one is made when the spare process is used up, and there is none."""
    stages = directory_of(system) / rehearsal.FOLDER
    while True:
        moulds = [int(stage.name) for stage in stages.iterdir()]
        for pid in filter(is_alive, moulds):
            return pid
        end([system.spawn(Member).result()])


def test_many_that_start_at_once_are_copies_of_the_mould(
    system: ActorSystem, root: int
) -> None:
    ready_spare_of(root)

    members = spawn_together(system)

    assert all(map(is_copy_of_mould, pids_of(members)))
    assert {member.ask(Member.parent).result() for member in members} == {root}
    end(members)


def test_many_that_die_at_once_are_replaced_by_copies_of_the_mould(
    system: ActorSystem, root: int
) -> None:
    del root
    members = spawn_together(system)
    before = pids_of(members)

    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, before)), "their ends")
    after = pids_of(members)

    assert not {*before} & {*after}
    assert all(map(is_copy_of_mould, after))
    end(members)


def test_where_the_mould_is_stopped_the_supervisor_forks(
    system: ActorSystem, root: int
) -> None:
    ready_spare_of(root)
    mould = mould_of(system)
    os.kill(mould, signal.SIGSTOP)
    wait_until(lambda: state_of(mould) == "T", "its stop")

    members = spawn_together(system)

    assert not all(map(is_copy_of_mould, pids_of(members)))
    wait_for_end(mould)
    end(members)


def each_starts_once(system: ActorSystem) -> None:
    """Spawn many and end them; each has one process."""
    events = system.events()
    members = spawn_together(system)
    names = {member.name for member in members}
    pids = pids_of(members)
    end(members)
    kinds: Counter[str] = Counter()
    while kinds["child_stopped"] < AT_ONCE:
        event = events.next().result(SECONDS)
        kinds[event.kind] += event.actor in names
    events.close()
    assert len({*pids}) == AT_ONCE
    assert {kind: kinds[kind] for kind in LIFE} == dict.fromkeys(LIFE, AT_ONCE)


@pytest.mark.parametrize("rounds", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_each_starts_once_wherever_the_mould_is_killed(
    system: ActorSystem, root: int, rounds: int
) -> None:
    chance = random.Random(rounds)
    for _ in range(rounds):
        ready_spare_of(root)
        victim = mould_of(system)
        killer = threading.Timer(
            chance.uniform(0, 0.1), os.kill, (victim, signal.SIGKILL)
        )
        killer.start()

        each_starts_once(system)

        killer.join()
        wait_for_end(victim)


class Parent(Member):
    """Has a child, and so a supervisor below the root for it."""

    async def on_start(self) -> None:
        await self.system.spawn(Member)


@pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_each_starts_once_whenever_supervisors_die(
    system: ActorSystem, root: int, rounds: int
) -> None:
    """What they leave is killed; a copy of the mould whose number has not been read yet is none of that."""
    spawner = system.options(intensity=math.inf)
    parents = [spawner.spawn(Parent).result() for _ in range(4)]
    is_over = threading.Event()

    def kill_supervisors() -> None:
        chance = random.Random(rounds)
        while not is_over.wait(chance.uniform(0, 0.03)):
            for pid in children_of(root):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if "-companion" in Path(f"/proc/{pid}/comm").read_text():
                        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_supervisors)
    killer.start()
    try:
        for _ in range(rounds):
            each_starts_once(system)
    finally:
        is_over.set()
        killer.join()
    end([*parents])
