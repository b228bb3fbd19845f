"""The one who writes to the standard streams of a system."""

from __future__ import annotations

import os
import pty
import selectors
import tty
from collections.abc import Iterator

import attrs
import pytest

from actors.supervision import console
from actors.supervision.alarms import Alarms
from actors.supervision.console import ALARM, ERASE, Console


@attrs.define
class Loop:
    """A console, what it leads to, and what drives it."""

    console: Console
    selector: selectors.EpollSelector
    alarms: Alarms
    output: int
    errors: int

    def turn(self) -> None:
        for key, _ in self.selector.select(0):
            key.data()

    def expire(self) -> None:
        for kind, fd in list(self.alarms.take_due(float("inf"))):
            assert kind == ALARM
            self.console.on_alarm(fd)


def make(monkeypatch: pytest.MonkeyPatch, *ends: tuple[int, int]) -> Iterator[Loop]:
    (output, writing), (errors, logging) = ends[0], ends[-1]
    monkeypatch.setattr(console, "STDOUT", writing)
    monkeypatch.setattr(console, "STDERR", logging)
    monkeypatch.setattr(console, "PATIENCE_SECONDS", 0.001)
    with selectors.EpollSelector() as selector:
        alarms = Alarms()
        made = Console(selector, alarms)
        yield Loop(made, selector, alarms, output, errors)
        made.finish()
    for fd in {*ends[0], *ends[-1]}:
        os.close(fd)


@pytest.fixture
def two_pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    yield from make(monkeypatch, os.pipe(), os.pipe())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    keyboard, screen = pty.openpty()
    tty.setraw(screen)
    yield from make(monkeypatch, (keyboard, screen))


def read(fd: int) -> bytes:
    return os.read(fd, 2**20)


def read_exactly(fd: int, count: int) -> bytes:
    """Read what a terminal hands out in pieces."""
    data = b""
    while len(data) < count:
        data += os.read(fd, count - len(data))
    return data


def hang_up(fd: int) -> None:
    """Close the pipe that *fd* reads, and leave the number to the fixture."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, fd)
    os.close(nothing)


def test_each_stream_goes_its_own_way(two_pipes: Loop) -> None:
    two_pipes.console.put(console.STDOUT, b"result\n")
    two_pipes.console.write("log\n")

    assert read(two_pipes.output) == b"result\n"
    assert read(two_pipes.errors) == b"log\n"


def test_a_name_is_coloured_at_a_terminal_only(
    two_pipes: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert two_pipes.console.prefix(console.STDOUT, 1, "anna") == b"anna | "


def test_names_have_colours_of_their_own(
    terminal: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    prefixes = {terminal.console.prefix(console.STDOUT, n, "anna") for n in (1, 2)}

    assert len(prefixes) == 2


def test_whoever_wants_no_colours_gets_none(
    terminal: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert terminal.console.prefix(console.STDOUT, 1, "anna") == b"anna | "


def test_what_has_no_room_is_written_when_there_is_some(two_pipes: Loop) -> None:
    two_pipes.console.put(console.STDOUT, b"x" * 100_000 + b"\n")
    shown = read(two_pipes.output)

    two_pipes.turn()
    shown += read(two_pipes.output)

    assert len(shown) == 100_001
    two_pipes.turn()
    assert not two_pipes.selector.get_map()
    assert two_pipes.alarms.next_due() is None


def test_a_slow_reader_is_waited_for_and_one_that_never_reads_is_not(
    two_pipes: Loop,
) -> None:
    room: list[None] = []
    two_pipes.console.when_room = lambda: room.append(None)
    for _ in range(500):
        two_pipes.console.put(console.STDOUT, b"x" * 999 + b"\n")
    full = [two_pipes.console.is_full]

    read(two_pipes.output)
    two_pipes.turn()
    two_pipes.expire()  # it has taken something
    full.append(two_pipes.console.is_full)
    two_pipes.expire()  # and now nothing
    full.append(two_pipes.console.is_full)

    assert full == [True, True, False]
    assert room


def test_a_reader_that_comes_back_is_waited_for_again(two_pipes: Loop) -> None:
    two_pipes.console.put(console.STDOUT, b"x" * 65535 + b"\n" + b"lost\n")
    two_pipes.expire()
    two_pipes.console.put(console.STDOUT, b"lost\n")

    read(two_pipes.output)
    two_pipes.turn()
    two_pipes.console.put(console.STDOUT, b"after\n")

    assert read(two_pipes.output) == b"(2 lines could not be written)\nafter\n"
    two_pipes.turn()
    two_pipes.console.put(console.STDOUT, b"x" * 70_000 + b"\n")
    assert two_pipes.alarms.next_due() is not None


def test_the_end_waits_for_nobody_who_does_not_read(two_pipes: Loop) -> None:
    two_pipes.console.put(console.STDOUT, b"x" * 100_000 + b"\n")

    two_pipes.console._flush_all()

    assert len(read(two_pipes.output)) == 65536


def test_the_end_says_what_standard_output_has_lost(two_pipes: Loop) -> None:
    two_pipes.console.put(console.STDOUT, b"x" * 100_000 + b"\n")
    two_pipes.console.put(console.STDOUT, b"after\n")

    two_pipes.console._tell_loss()

    lost = b"(2 lines could not be written to standard output: nobody reads it)\n"
    assert read(two_pipes.errors) == lost


def test_a_disk_that_stays_full_is_told_of_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = os.open("/dev/full", os.O_RDWR)
    for loop in make(monkeypatch, (full, os.dup(full)), os.pipe()):
        loop.console.put(console.STDOUT, b"result\n")

        loop.console._tell_loss()

        lost = b"(1 lines could not be written to standard output: No space left on device)\n"
        assert read(loop.errors) == lost


def test_a_reader_that_has_gone_is_no_loss(two_pipes: Loop) -> None:
    hang_up(two_pipes.output)
    two_pipes.console.put(console.STDOUT, b"more\n")
    two_pipes.console.write("log\n")

    two_pipes.console._tell_loss()

    assert read(two_pipes.errors) == b"log\n"


def test_lines_are_above_the_bar_and_the_bar_is_below_them(terminal: Loop) -> None:
    terminal.console.show(1, "10 %")
    terminal.console.put(console.STDOUT, b"a | line\n")
    terminal.console.show(1, "20 %")
    terminal.console.show(1, None)

    expected = b"10 %" + ERASE + b"a | line\n10 %" + ERASE + b"20 %" + ERASE
    assert read_exactly(terminal.output, len(expected)) == expected


def test_of_two_bars_the_first_is_shown(terminal: Loop) -> None:
    terminal.console.show(1, "one")
    terminal.console.show(2, "two")
    terminal.console.show(1, None)
    terminal.console.show(2, None)

    expected = b"one" + ERASE + b"one" + ERASE + b"two" + ERASE
    assert read_exactly(terminal.output, len(expected)) == expected


def test_there_is_no_bar_where_there_is_no_terminal(two_pipes: Loop) -> None:
    two_pipes.console.show(1, "10 %")
    two_pipes.console.write("log\n")

    assert read(two_pipes.errors) == b"log\n"
