"""Where lines go, whatever becomes of those who read them."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from actors.supervision.sink import MAX_WAITING_BYTES, Sink

PIPE_BYTES = 4096


@attrs.define
class Pipe:
    """A pipe of one page."""

    reading: int
    writing: int

    def read(self) -> bytes:
        return os.read(self.reading, 2**20)

    def hang_up(self) -> None:
        os.close(self.reading)
        self.reading = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    fcntl.fcntl(made.writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield made
    for fd in (made.reading, made.writing):
        if fd >= 0:
            os.close(fd)


@pytest.fixture
def sink(pipe: Pipe) -> Iterator[Sink]:
    made = Sink(pipe.writing)
    yield made
    made.close()


def test_lines_are_written_at_once_where_there_is_room(pipe: Pipe, sink: Sink) -> None:
    sink.put(b"one\n")

    assert pipe.read() == b"one\n"
    assert not sink.is_behind


def test_others_who_have_the_descriptor_may_go_on_blocking(
    pipe: Pipe, sink: Sink
) -> None:
    sink.put(b"one\n")

    assert os.get_blocking(pipe.writing)


def test_what_has_no_room_waits_and_comes_in_order(pipe: Pipe, sink: Sink) -> None:
    lines = [b"%06d\n" % number for number in range(2000)]
    for line in lines:
        sink.put(line)

    shown = pipe.read()
    while sink.is_behind:
        sink.flush()
        shown += pipe.read()

    assert shown == b"".join(lines)


def test_one_that_is_full_says_so(pipe: Pipe, sink: Sink) -> None:
    sink.put(b"x" * (PIPE_BYTES + MAX_WAITING_BYTES - 2) + b"\n")
    before = sink.is_full

    sink.put(b"\n")

    assert (before, sink.is_full) == (False, True)


def test_whoever_does_not_read_is_told_how_much_was_missed(
    pipe: Pipe, sink: Sink
) -> None:
    first = b"x" * (PIPE_BYTES + 100) + b"\n"
    sink.put(first)
    sink.put(b"lost\nlost\n")

    sink.give_up()
    sink.put(b"lost\n")
    shown = pipe.read()
    sink.flush()
    sink.put(b"after\n")

    # The line that had begun is ended.
    shown += pipe.read()
    assert shown == first + b"(3 lines could not be written)\nafter\n"


def test_a_reader_that_has_gone_does_no_harm(pipe: Pipe, sink: Sink) -> None:
    pipe.hang_up()

    sink.put(b"line\n")

    assert not sink.is_behind


def test_of_a_reader_that_goes_in_the_middle_of_a_line_nothing_is_kept(
    pipe: Pipe, sink: Sink
) -> None:
    sink.put(b"x" * (PIPE_BYTES + 1) + b"\n")
    pipe.hang_up()

    sink.flush()

    assert not sink.is_behind


def test_a_disk_that_was_full_gets_the_count_first(tmp_path: Path) -> None:
    class Disk(Sink):
        is_full_disk = True

        def __init__(self, fd: int) -> None:
            super().__init__(fd)
            write = self._write
            self._write = lambda data: self.fail() if self.is_full_disk else write(data)

        @staticmethod
        def fail() -> int:
            raise OSError(errno.ENOSPC, "full")

    with (tmp_path / "log").open("w+b") as file:
        sink = Disk(file.fileno())
        sink.put(b"lost\n")
        sink.is_full_disk = False
        sink.put(b"after\n")

    told = b"(1 lines could not be written)\nafter\n"
    assert (tmp_path / "log").read_bytes() == told


def test_a_file_is_not_written_from_its_start(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        os.write(file.fileno(), b"the program's\n")

        Sink(file.fileno()).put(b"ours\n")

    assert (tmp_path / "log").read_bytes() == b"the program's\nours\n"


def test_a_socket_is_not_waited_for() -> None:
    reading, writing = socket.socketpair()
    with reading, writing:
        sink = Sink(writing.fileno())
        while not sink.is_behind:
            sink.put(b"x" * 4095 + b"\n")

        assert reading.recv(4096) == b"x" * 4095 + b"\n"
        sink.close()


def test_a_descriptor_that_is_closed_does_no_harm() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)

    Sink(writing).put(b"line\n")
