"""The files that mailboxes are made of."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gates import wait_until
from tests.support.transports import NAME, Place
from transports.files import new_file, shrink


@pytest.fixture
def fifo(place: Place) -> Iterator[int]:
    """A FIFO that nobody else has open."""
    os.mkfifo(NAME, dir_fd=place.dir_fd)
    fd = os.open(NAME, os.O_RDWR | os.O_NONBLOCK, dir_fd=place.dir_fd)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("umask", [0, 0o277], ids=oct)
def test_new_file_is_private_whatever_the_umask(place: Place, umask: int) -> None:
    before = os.umask(umask)
    try:
        with new_file(place.dir_fd, NAME) as fd:
            os.write(fd, b"text")
    finally:
        os.umask(before)

    made = place.path / NAME
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert made.read_bytes() == b"text"


def test_new_file_that_cannot_be_filled_is_not_left_behind(place: Place) -> None:
    with pytest.raises(OSError, match="full"), new_file(place.dir_fd, NAME) as fd:
        raise OSError("full")

    assert list(place.path.iterdir()) == []
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(fd)


def test_file_that_is_there_is_not_taken_for_a_new_one(place: Place) -> None:
    (place.path / NAME).write_bytes(b"theirs")

    with pytest.raises(FileExistsError), new_file(place.dir_fd, NAME):
        pass

    assert (place.path / NAME).read_bytes() == b"theirs"


def test_fifo_that_was_shrunk_polls_full_with_its_first_byte(fifo: int) -> None:
    shrink(fifo)
    os.write(fifo, b"x")

    assert select.select([], [fifo], [], 0) == ([], [], [])


def test_who_sleeps_at_a_fifo_is_not_woken_as_others_shrink_it(fifo: int) -> None:
    shrink(fifo)
    sleeper = threading.Thread(target=select.select, args=([fifo], [], []))
    sleeper.start()
    task = Path(f"/proc/self/task/{sleeper.native_id}")
    wait_until(lambda: "(sleeping)" in (task / "status").read_text(), "its sleep")
    before = sleeps_of(task)

    for _ in range(20):
        shrink(fifo)

    after = sleeps_of(task)
    os.write(fifo, b"x")
    sleeper.join()
    assert after == before


def sleeps_of(task: Path) -> int:
    """Return how often a thread has gone to sleep."""
    last = (task / "status").read_text().splitlines()
    (line,) = (each for each in last if each.startswith("voluntary_ctxt_switches"))
    return int(line.split()[1])
