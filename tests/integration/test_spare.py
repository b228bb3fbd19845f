"""The process that a supervisor keeps for the next birth."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, SystemFailedError, options
from actors.runtime import private, rehearsal, status
from tests.support.gates import SECONDS, wait_until
from tests.support.inside import directory_of, root_pid
from tests.support.lives import is_alive
from tests.support.spares import (
    descriptors_of,
    moulds_of,
    ready_spare_of,
    spares_of,
    the_mould_of,
)
from tests.support.trees import Member


@pytest.fixture(scope="module")
def root(system: ActorSystem) -> int:
    """The root of the module's system, which expects births."""
    expect_births(system)
    return root_pid(system)


def expect_births(system: ActorSystem) -> None:
    for _ in range(2):
        member = system.spawn(Member).result()
        member.kill().result()


def pid_of(member: ActorRef[Member]) -> int:
    return member.within(SECONDS).ask(Member.pid).result()


def settle(member: ActorRef[Member], old: int) -> int:
    """Return the process of *member* that has come after *old*."""
    found = [old]

    def is_new() -> bool:
        with contextlib.suppress(Exception):
            found[0] = member.ask(Member.pid).result()
        return found[0] != old

    wait_until(is_new, "the next incarnation")
    return found[0]


# Birth.


def test_next_actor_is_the_spare_process(system: ActorSystem, root: int) -> None:
    spare = ready_spare_of(root)

    member = system.spawn(Member).result()

    assert pid_of(member) == spare
    member.kill().result()


def test_next_incarnation_is_the_spare_process(system: ActorSystem, root: int) -> None:
    member = system.spawn(Member).result()
    first = pid_of(member)
    spare = ready_spare_of(root)

    os.kill(first, signal.SIGKILL)

    assert settle(member, first) == spare
    member.kill().result()


def test_another_spare_takes_the_place_of_one_that_was_born(
    system: ActorSystem, root: int
) -> None:
    spare = ready_spare_of(root)

    member = system.spawn(Member).result()

    assert ready_spare_of(root) != spare
    member.kill().result()


def test_actor_that_was_spare_is_as_any_other(system: ActorSystem, root: int) -> None:
    spare = ready_spare_of(root)

    member = system.options(name="as-any-other").spawn(Member).result()

    assert member.ask(Member.parent).result() == root
    assert os.getsid(spare) == spare
    assert Path(f"/proc/{spare}/comm").read_text() == "as-any-other\n"
    assert resource.prlimit(spare, resource.RLIMIT_CORE)[0] == 0
    own = int(Path("/proc/self/oom_score_adj").read_text())
    score = int(Path(f"/proc/{spare}/oom_score_adj").read_text())
    assert score == min(1000, own + 100)
    member.kill().result()


def test_supervisor_below_keeps_one_once_a_child_has_died(system: ActorSystem) -> None:
    spec = options(id="a").child(Member)
    tree = system.options(intensity=10).supervise(spec).result()
    member = tree.ref(spec)
    supervisor = member.ask(Member.parent).result()
    before = spares_of(supervisor)
    first = pid_of(member)

    os.kill(first, signal.SIGKILL)
    second = settle(member, first)
    spare = ready_spare_of(supervisor)
    os.kill(second, signal.SIGKILL)

    assert before == []
    assert settle(member, second) == spare
    tree.stop().result(SECONDS)


def test_spare_and_mould_have_nothing_of_anybody(
    system: ActorSystem, root: int
) -> None:
    member = system.spawn(Member).result()
    spare = ready_spare_of(root)
    mould = the_mould_of(root)

    for pid in (spare, mould):
        files = [name for name in descriptors_of(pid) if name.startswith("/dev/shm")]
        maps = Path(f"/proc/{pid}/maps").read_text()
        base = str(directory_of(system))

        assert sorted(files) == [base, f"{base}/blob", f"{base}/code"]
        assert maps.count(base) == maps.count(f"{base}/0.")  # what is the root's
    assert len([n for n in descriptors_of(mould) if n.startswith("socket:")]) == 1
    assert len([n for n in descriptors_of(spare) if n.startswith("socket:")]) == 3
    member.kill().result()


def test_copies_of_a_mould_rehearse_once(system: ActorSystem, root: int) -> None:
    ready_spare_of(root)
    before = rehearsals_of(system, the_mould_of(root))

    for _ in range(2):
        system.spawn(Member).result().kill().result()
        ready_spare_of(root)

    assert before >= 1
    assert rehearsals_of(system, the_mould_of(root)) == before


def rehearsals_of(system: ActorSystem, mould: int) -> int:
    """Return how many copies of *mould* have come to the end of a rehearsal."""
    stage = directory_of(system) / rehearsal.FOLDER / str(mould)
    fd = private.open_directory(stage)
    try:
        page = status.StatusPage.open(fd, rehearsal.NUMBER)
        handled: int = page.words[status.HANDLED]
        page.close()
    finally:
        os.close(fd)
    return handled


# Losses.


@pytest.mark.parametrize("find", [spares_of, moulds_of], ids=["spare", "mould"])
def test_what_is_killed_unborn_is_replaced_and_nobody_has_died(
    system: ActorSystem, root: int, find: Callable[[int], list[int]]
) -> None:
    ready_spare_of(root)
    (victim,) = find(root)

    events = system.events()

    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not is_alive(victim), "its end")
    member = system.spawn(Member).result()
    wait_until(lambda: find(root) not in ([], [victim]), "another")
    member.kill().result()

    kinds = [events.next().result(SECONDS).kind for _ in range(4)]
    events.close()

    assert kinds == ["child_starting", "child_ready", "child_exit", "child_stopped"]


def test_stopped_spare_is_passed_over_and_killed(
    system: ActorSystem, root: int
) -> None:
    spare = ready_spare_of(root)
    os.kill(spare, signal.SIGSTOP)
    wait_until(lambda: state_of(spare) == "T", "its stop")

    member = system.spawn(Member).result()

    assert pid_of(member) != spare
    wait_until(lambda: not Path(f"/proc/{spare}").exists(), "its end")
    member.kill().result()


@pytest.mark.parametrize("kills", [3, pytest.param(300, marks=pytest.mark.slow)])
def test_killed_at_its_birth_it_is_one_death_and_the_ref_goes_on(
    system: ActorSystem, root: int, kills: int
) -> None:
    """Each incarnation that was announced has one end, and no end belongs to another."""
    member = system.options(intensity=10**6).spawn(Member).result()
    chance = random.Random(kills)
    started: list[int] = []
    ended: list[int] = []

    events = system.events()

    pid = pid_of(member)
    for _ in range(kills):
        spare = ready_spare_of(root)
        os.kill(pid, signal.SIGKILL)
        killer = threading.Timer(chance.uniform(0, 0.008), kill_if_there, [spare])
        killer.start()
        killer.join()
        wait_for_end(spare)
        pid = settle(member, pid)
    member.kill().result()

    while (event := events.next().result(SECONDS)).kind != "child_stopped":
        if event.kind == "child_starting":
            started.append(event.incarnation)
        if event.kind == "child_exit":
            ended.append(event.incarnation)
    events.close()

    assert ended == list(range(1, len(ended) + 1))
    assert started == ended[1:]


def wait_for_end(pid: int) -> None:
    wait_until(lambda: not is_alive(pid), "its end")


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def kill_if_there(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_stage_of_a_killed_mould_is_removed_by_the_next(
    system: ActorSystem, root: int
) -> None:
    mould = the_mould_of(root)
    stages = directory_of(system) / rehearsal.FOLDER
    ready_spare_of(root)  # which rehearses there no more
    assert (stages / str(mould)).is_dir()

    os.kill(mould, signal.SIGKILL)
    wait_for_end(mould)
    system.spawn(Member).result().kill().result()
    ready_spare_of(root)

    # That of a supervisor below that has ended is gone as well.
    (stage,) = stages.iterdir()
    assert stage.name == str(the_mould_of(root))


# The end.


def test_nothing_is_left_when_the_root_is_killed() -> None:
    system = ActorSystem().start()
    expect_births(system)
    root = root_pid(system)
    pids = [ready_spare_of(root), *moulds_of(root)]

    os.kill(root, signal.SIGKILL)

    wait_until(lambda: not any(map(is_alive, pids)), "their ends", 2.0)
    with pytest.raises(SystemFailedError):
        system.close()


@pytest.mark.parametrize("rounds", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_system_closes_while_a_spare_is_in_the_making(rounds: int) -> None:
    for _ in range(rounds):
        with ActorSystem() as system:
            for _ in range(2):
                system.spawn(Member).result()
