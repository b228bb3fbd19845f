"""The log of a root supervisor, whatever becomes of those who read it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import attrs
import pytest

from actors.supervision import log
from actors.supervision.log import LogFile


@attrs.define
class Pipe:
    """Standard error, as a pipe."""

    reading: int
    writing: int

    def read(self) -> str:
        return os.read(self.reading, 2**20).decode()


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    monkeypatch.setattr(log, "STDERR", made.writing)
    yield made
    for fd in (made.reading, made.writing):
        if fd >= 0:
            os.close(fd)


def test_a_line_is_written_as_it_is_however_long(pipe: Pipe) -> None:
    line = "é" * 10_000 + "\n"

    LogFile().write(line)

    assert pipe.read() == line


def test_a_reader_that_has_gone_does_no_harm(pipe: Pipe) -> None:
    os.close(pipe.reading)
    pipe.reading = -1

    LogFile().write("line\n")


def test_a_reader_that_does_not_read_is_not_waited_for_and_told_what_it_missed(
    pipe: Pipe,
) -> None:
    file = LogFile()
    for _ in range(40):
        file.write("x" * 4095 + "\n")
    assert pipe.read().count("\n") == 16  # what a pipe holds

    file.write("after\n")

    assert pipe.read() == "(24 lines of the log could not be written)\nafter\n"
