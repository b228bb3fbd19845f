"""The clock of an actor's timers: its event loop, or a time that a test moves.

A system under test may have a file ``clock`` in its directory, with a time in nanoseconds as text.
Whoever moves the time replaces that file and then writes a byte into each ``<number>.clock``, a FIFO of an actor.
The actor reads the byte only after it has queued every tick that is due, so an empty FIFO means that it has followed.

Any other system has no such file, and an actor of it pays one failed ``open`` for this at its start.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
from collections.abc import Callable
from typing import Protocol

from actors.runtime.directory import RuntimeDirectory
from transports import files

FILE = "clock"
_NEW = f"{FILE}.new"
_READ_BYTES = 4096


class Handle(Protocol):
    """A call to come that can be called off."""

    def cancel(self) -> None:
        """Call it off."""


class Clock(Protocol):
    """What timers need of a clock; every asyncio loop is one."""

    def time(self) -> float:
        """Return the time in seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Handle:
        """Call *callback* when it is *when* o'clock."""
        ...


def fifo_name(number: int) -> str:
    """Return the name of the FIFO by which actor *number* hears that the time was moved."""
    return f"{number}.{FILE}"


def write(dir_fd: int, now_ns: int) -> None:
    """Set the time of the system whose directory is open as *dir_fd*."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | files.BASE_FLAGS
    with os.fdopen(os.open(_NEW, flags, 0o600, dir_fd=dir_fd), "w") as file:
        file.write(str(now_ns))
    # Whole, then under its name: no actor reads half a time.
    os.rename(_NEW, FILE, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def read(dir_fd: int) -> int:
    """Return the time of a system in nanoseconds.

    Raises:
        FileNotFoundError: Nobody moves its time.
    """
    flags = os.O_RDONLY | files.BASE_FLAGS
    with os.fdopen(os.open(FILE, flags, dir_fd=dir_fd)) as file:
        return int(file.read())


def followers(dir_fd: int) -> list[int]:
    """Return the numbers of the actors that have their timers by the system's time; some may have ended."""
    names = [name.partition(".") for name in os.listdir(dir_fd)]
    return [int(number) for number, _, kind in names if kind == FILE]


def of(
    directory: RuntimeDirectory, number: int, loop: asyncio.AbstractEventLoop
) -> Clock:
    """Return the clock for the timers of actor *number*: *loop*, unless the system has a time of its own."""
    try:
        read(directory.fd)
    except FileNotFoundError:
        return loop
    return MovedClock(directory.fd, number, loop)


class Call:
    """A call that waits for its time."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """See ``Handle``."""
        self.callback = None


class MovedClock:
    """A clock that stands still until somebody moves it."""

    def __init__(
        self, dir_fd: int, number: int, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Listen in *loop* for moves."""
        self._dir_fd = dir_fd
        self._calls: list[tuple[int, int, Call]] = []
        self._order = itertools.count()
        with contextlib.suppress(FileExistsError):  # of an earlier incarnation
            os.mkfifo(fifo_name(number), 0o600, dir_fd=dir_fd)
        flags = os.O_RDWR | os.O_NONBLOCK | files.BASE_FLAGS
        self._fifo = os.open(fifo_name(number), flags, dir_fd=dir_fd)
        self._loop = loop
        loop.add_reader(self._fifo, self._on_moved)

    def time(self) -> float:
        """See ``Clock``."""
        return read(self._dir_fd) / 1e9

    def call_at(self, when: float, callback: Callable[[], object], /) -> Call:
        """See ``Clock``."""
        call = Call(callback)
        # Whole nanoseconds: 0.1 s and 0.2 s after 0 have to be 0.3, which they are not as floats.
        due = round(when * 1e9)
        heapq.heappush(self._calls, (due, next(self._order), call))
        if due <= read(self._dir_fd):
            self._loop.call_soon(self._fire)
        return call

    def _on_moved(self) -> None:
        self._fire()
        os.read(self._fifo, _READ_BYTES)
        self._fire()  # it may have been moved again before the read, which has answered for that as well

    def _fire(self) -> None:
        now = read(self._dir_fd)
        while self._calls and self._calls[0][0] <= now:
            callback = heapq.heappop(self._calls)[2].callback
            if callback is not None:
                callback()
