"""Deaths as the kernel shows them, with real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from actors.supervision import linux, reaper
from actors.supervision.fork import MARKER
from tests.support.gates import wait_until
from tests.support.lives import is_alive

Start = Callable[..., int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a program in a session of its own; what is left of it is killed."""
    started: list[int] = []

    def spawn(*command: str, marker: str = "", setsid: bool = True) -> int:
        environment = {**os.environ, MARKER: marker}
        pid = os.posix_spawnp(command[0], command, environment, setsid=setsid)
        started.append(pid)
        return pid

    yield spawn
    for pid in linux.children().intersection(started):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture
def before() -> set[int]:
    """The children of this process that are not the test's."""
    return linux.children()


def test_orphan_that_may_have_been_made_for_us_is_unclear(
    start: Start, before: set[int]
) -> None:
    """The answer of the mould that made it may not have been read."""
    orphan, unborn = start("sleep", "60"), start("tail", "-f", os.devnull)

    found, unclear = reaper.orphans((), (), before, "system", {"tail"})

    assert (found, unclear) == ([orphan], [unborn])


@pytest.fixture
def pidfd_of() -> Iterator[Callable[[int], int]]:
    """Return a function that opens a pidfd; it is closed in the end."""
    opened: list[int] = []

    def open_it(pid: int) -> int:
        opened.append(os.pidfd_open(pid))
        return opened[-1]

    yield open_it
    for fd in opened:
        os.close(fd)


def wait_until_dead(pid: int) -> None:
    wait_until(lambda: not is_alive(pid), "its death")


def test_nothing_is_reaped_of_a_process_that_lives(
    start: Start, pidfd_of: Callable[[int], int]
) -> None:
    pid = start("sleep", "1000")

    assert reaper.reap(pid, pidfd_of(pid)) is None
    assert is_alive(pid)


def test_death_tells_how_a_process_ended_and_leaves_no_zombie(
    start: Start, pidfd_of: Callable[[int], int]
) -> None:
    pid = start("sleep", "1000")
    pidfd = pidfd_of(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until_dead(pid)

    death = reaper.reap(pid, pidfd)

    assert death is not None
    assert (death.pid, death.status) == (pid, signal.SIGKILL)
    assert pid not in linux.children()


def test_what_a_dead_process_left_in_its_group_is_killed_before_it_is_reaped(
    start: Start, pidfd_of: Callable[[int], int]
) -> None:
    reading, writing = os.pipe()
    pid = start("sh", "-c", f"sleep 1000 & echo $! > /proc/{os.getpid()}/fd/{writing}")
    left = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)
    wait_until_dead(pid)
    assert is_alive(left)

    death = reaper.reap(pid, pidfd_of(pid))

    assert death is not None
    assert death.status == 0
    wait_until_dead(left)


def test_a_process_that_leads_no_group_yet_is_left_to_its_pidfd(start: Start) -> None:
    pid = start("sleep", "1000", setsid=False)

    reaper.kill_session(pid)

    assert is_alive(pid)


def test_strays_are_told_by_session_and_by_marker(
    start: Start, before: set[int]
) -> None:
    in_session = start("sleep", "1000", marker="shop/2.1")
    marked = start("sleep", "1000", marker="shop/3.1")
    known = start("sleep", "1000", marker="shop/3.1")
    wait_until(
        lambda: reaper.strays_of(0, "", before) == ([], []), "the programs to run"
    )

    assert reaper.strays_of(in_session, "none", before) == ([in_session], [])
    assert reaper.strays_of(0, "shop/3.1", {*before, known}) == ([marked], [])
    assert reaper.strays_of(0, "shop/3", before) == ([], [])


def test_an_adopted_process_that_has_ended_is_reaped_and_no_other(
    start: Start, before: set[int]
) -> None:
    ended, other, lives = start("true"), start("true"), start("sleep", "1000")
    wait_until_dead(ended)
    wait_until_dead(other)

    left = reaper.reap_ended({ended, lives})

    assert left == {lives}
    assert linux.children() - before == {other, lives}


def test_everything_adopted_is_killed_and_reaped_in_the_end(
    start: Start, before: set[int]
) -> None:
    start("sleep", "1000")
    start("true")
    known = start("sleep", "1000")

    spared = reaper.kill_adopted({*before, known}, "shop")

    assert spared == set()
    assert linux.children() - before == {known}
    assert is_alive(known)


def test_a_signal_to_a_process_of_ours_is_allowed(
    start: Start, pidfd_of: Callable[[int], int]
) -> None:
    pid = start("sleep", "1000")

    assert reaper.may_signal(pidfd_of(pid), signal.SIGTERM)
    wait_until_dead(pid)
