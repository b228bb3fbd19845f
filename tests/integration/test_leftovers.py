"""What actors leave behind: processes, zombies, descriptors, memory objects."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, Event
from tests.support.actors_under_test import Counter, Proxy
from tests.support.gates import SECONDS, wait_until
from tests.support.inside import directory_of, root_pid
from tests.support.lives import Parent, is_alive, notes
from tests.support.procfs import children_of
from tests.support.programs import SCRIPTS, Program
from tests.support.spares import ready_spare_of

NextEvent = Callable[[str, str], Event]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def parent(system: ActorSystem, log: Path) -> ActorRef[Parent]:
    return system.spawn(Parent, str(log)).result()


def living_at_start(log: Path) -> list[int]:
    """Return how many processes of earlier incarnations each incarnation found alive in its __init__."""
    found = [text.split() for _, text in notes(log)]
    return [int(words[1]) for words in found if words[0] == "init"]


# Processes that an actor started.


@pytest.mark.parametrize("relation", ["child", "grandchild"])
@pytest.mark.parametrize("kind", ["plain", "group", "session"])
@pytest.mark.parametrize("end", ["crash", "SIGKILL"])
def test_what_an_actor_started_is_dead_before_its_next_incarnation_starts(
    parent: ActorRef[Parent], log: Path, kind: str, end: str, relation: str
) -> None:
    is_deep = relation == "grandchild"
    started = parent.ask(Parent.start, kind, deep=is_deep).result()
    first = parent.ask(Parent.pid).result()

    if end == "crash":
        parent.tell(Parent.crash)
    else:
        os.kill(first, signal.SIGKILL)

    assert parent.ask(Parent.pid).result() != first
    assert living_at_start(log) == [0, 0]
    assert not is_alive(started)
    parent.kill().result()


@pytest.mark.parametrize("kind", ["plain", "group", "session"])
@pytest.mark.parametrize("end", ["stop", "kill", "quit"])
def test_what_an_actor_started_is_gone_when_it_has_ended(
    system: ActorSystem, parent: ActorRef[Parent], kind: str, end: str
) -> None:
    started = parent.ask(Parent.start, kind, deep=True).result()

    if end == "quit":
        parent.tell(Parent.quit)
    else:
        getattr(parent, end)().result()
    parent.ended().result(SECONDS)

    assert not Path(f"/proc/{started}").exists()
    assert started not in children_of(root_pid(system))


def test_a_process_without_a_trace_of_its_actor_ends_with_the_system(
    log: Path,
) -> None:
    with ActorSystem(drain=0) as own:
        parent = own.spawn(Parent, str(log)).result()
        stranger = parent.ask(Parent.start, "stranger", deep=True).result()
        parent.kill().result()
        assert is_alive(stranger)

    assert not Path(f"/proc/{stranger}").exists()


def test_a_process_that_is_left_behind_is_told_as_a_stray(
    parent: ActorRef[Parent], next_event: NextEvent
) -> None:
    started = parent.ask(Parent.start, "session").result()
    pid = parent.ask(Parent.pid).result()

    os.kill(pid, signal.SIGKILL)

    stray = next_event("stray", parent.name)
    assert stray.facts["stray"] == started
    assert (stray.incarnation, stray.pid) == (1, pid)
    parent.kill().result()


def test_processes_of_other_actors_are_left_alone(
    system: ActorSystem, parent: ActorRef[Parent], tmp_path: Path
) -> None:
    other = system.spawn(Parent, str(tmp_path / "other")).result()
    kept = [other.ask(Parent.start, kind).result() for kind in ("plain", "session")]
    first = parent.ask(Parent.pid).result()
    parent.ask(Parent.start, "session").result()

    os.kill(first, signal.SIGKILL)
    parent.ask(Parent.pid).result()

    assert all(map(is_alive, kept))
    parent.kill().result()
    other.kill().result()
    assert not any(map(is_alive, kept))


def test_an_adopted_process_that_ends_by_itself_is_reaped(
    system: ActorSystem, parent: ActorRef[Parent]
) -> None:
    stranger = parent.ask(Parent.start, "stranger").result()
    parent.kill().result()
    assert stranger in children_of(root_pid(system))

    os.kill(stranger, signal.SIGKILL)

    wait_until(lambda: not Path(f"/proc/{stranger}").exists(), "its end")


def test_no_zombie_is_left_by_a_hundred_deaths(system: ActorSystem) -> None:
    refs = [system.options(restart="temporary").spawn(Counter) for _ in range(20)]
    counters = [spawning.result() for spawning in refs]
    pids = [counter.ask(Counter.pid).result() for counter in counters]

    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for counter in counters:
        counter.ended().result(SECONDS)

    assert not set(children_of(root_pid(system))).intersection(pids)


# Descriptors and memory.


def descriptors_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def mappings_of(pid: int, directory: Path) -> int:
    return Path(f"/proc/{pid}/maps").read_text().count(str(directory))


@pytest.mark.parametrize("transport", ["shm", "unix", "pipe", "mq"])
def test_the_root_keeps_nothing_of_a_hundred_incarnations(
    system: ActorSystem, transport: str
) -> None:
    root = root_pid(system)
    spawner = system.options(transport=transport, intensity=float("inf"))
    counter = spawner.spawn(Counter).result()
    os.kill(counter.ask(Counter.pid).result(), signal.SIGKILL)
    counter.ask(Counter.pid).result()

    def kept() -> tuple[int, int]:
        ready_spare_of(root)  # while it makes one, it has more
        return descriptors_of(root), mappings_of(root, directory_of(system))

    before = kept()

    for _ in range(50):
        os.kill(counter.ask(Counter.pid).result(), signal.SIGKILL)
        counter.restart().result(SECONDS)
    counter.ask(Counter.pid).result()

    assert kept() == before
    counter.kill().result()


def test_nobody_keeps_anything_of_a_hundred_actors_that_have_ended(
    system: ActorSystem,
) -> None:
    """The program kept two or three descriptors of each, until it had no more."""
    directory = directory_of(system)

    def live(transport: str) -> None:
        counter = system.options(transport=transport).spawn(Counter).result()
        assert counter.ask(Counter.add, 1).result() == 1
        counter.stop().result()
        counter.ended().result(SECONDS)

    def kept() -> list[int]:
        both = os.getpid(), root_pid(system)
        return [
            *(descriptors_of(pid) for pid in both),
            *(mappings_of(pid, directory) for pid in both),
            len(list(directory.iterdir())),
        ]

    for transport in ("mq", "pipe", "shm", "unix"):
        live(transport)
    before = kept()

    for _ in range(25):
        for transport in ("mq", "pipe", "shm", "unix"):
            live(transport)

    # The root tells of an end before it has let go of everything.
    wait_until(
        lambda: all(now <= was for now, was in zip(kept(), before, strict=True)),
        "as little is kept as before",
    )


def test_an_actor_maps_no_memory_of_its_siblings(system: ActorSystem) -> None:
    """It inherited the pages of all of them, which kept their memory when they had ended."""
    names = str(directory_of(system) / "")
    proxies = [system.spawn(Proxy, system.spawn(Counter).result()) for _ in range(3)]
    refs = [spawning.result() for spawning in proxies]
    for ref in refs:
        ref.ask(Proxy.spawn_one).result().kill().result()  # the root has answered it

    last = system.spawn(Counter).result()
    maps = Path(f"/proc/{last.ask(Counter.pid).result()}/maps").read_text()

    files = {line.split()[5] for line in maps.splitlines() if names in line}
    numbers = {Path(file).name.split(".")[0] for file in files}
    assert numbers <= {"0", "1", str(last._number)}


# Processes that we may not kill.


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can start processes of other users",
)
def test_a_stray_that_has_changed_its_user_ends_neither_its_actor_nor_the_system() -> (
    None
):
    """The root supervisor ended: it may not signal what ``sudo`` started."""
    program = Program(str(SCRIPTS / "other_user.py"), interactive=True)
    try:
        (pid,) = map(int, program.line())
        status = Path(f"/proc/{pid}/status")
        wait_until(lambda: "Uid:\t1234567" in status.read_text(), "the other user")
        program.say("go on")

        assert program.line() == ["True"]
        assert program.line() == ["closed"]
        assert is_alive(pid)
        assert program.wait()[0] == 0
    finally:
        program.kill()
