"""A place that lines go to: a terminal, a pipe, a file. Nobody here ever waits for it, and nobody dies of it.

What it has no room for waits here.
What nobody takes is dropped, in whole lines, when the owner loses patience, and counted: the count is the first that is written when
something is taken again.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
from collections.abc import Callable

MAX_WAITING_BYTES = 256 * 1024


class Sink:
    """One place.

    Attributes:
        fd: Writable when there is room; for a loop.
        written: Bytes so far.
        close: Let go of it.
    """

    def __init__(self, fd: int) -> None:
        """Write to where *fd* leads; its own settings, which others share, stay as they are."""
        self.fd, self._write, self.close = _writer(fd)
        self.written = 0
        self._waiting = bytearray()
        self._lost = 0  # lines
        self._is_in_line = False  # of the last one, a part has been written
        self._is_deaf = False  # takes nothing: what comes is dropped
        self._error: OSError | None = None  # of the last attempt

    @property
    def is_behind(self) -> bool:
        """Whether something is to be written as soon as there is room."""
        return bool(self._waiting) or self._is_deaf

    @property
    def is_full(self) -> bool:
        """Whether whoever could wait with more should."""
        return len(self._waiting) >= MAX_WAITING_BYTES

    def loss(self) -> tuple[int, str] | None:
        """Return how many lines would be lost if it ended now, and why; None for none, and where the reader has gone, who wants no more."""
        lines = self._lost + self._waiting.count(b"\n")
        if not lines or isinstance(self._error, BrokenPipeError):
            return None
        why = None if self._error is None else self._error.strerror
        return lines, why or "nobody reads it"

    def put(self, data: bytes) -> None:
        """Write *data*, which ends with its line, now or when there is room."""
        if self._is_deaf:
            self._lost += data.count(b"\n")
            return
        self._waiting += data
        if len(self._waiting) == len(data):
            self.flush()

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        self._is_deaf = False
        self._error = None
        try:
            if self._lost:
                self._tell_lost()
            while self._waiting:
                self._advance(self._write(self._waiting))
        except BlockingIOError:
            pass
        except OSError as exc:  # the reader has gone, a disk is full
            self._error = exc
            self._is_in_line = False
            self._drop()

    def give_up(self) -> None:
        """Drop what waits and what is to come, until there is room again."""
        self._drop()
        self._is_deaf = True

    def _advance(self, count: int) -> None:
        self._is_in_line = not self._waiting[:count].endswith(b"\n")
        self.written += count
        del self._waiting[:count]

    def _tell_lost(self) -> None:
        note = b"(%d lines could not be written)\n" % self._lost
        at = self._rest_of_line()
        self._waiting[at:at] = note
        self._lost = 0

    def _drop(self) -> None:
        end = self._rest_of_line()
        self._lost += self._waiting.count(b"\n", end)
        del self._waiting[end:]

    def _rest_of_line(self) -> int:
        """Return where the line ends of which a part is written already: the rest of it is never dropped."""
        return self._waiting.find(b"\n") + 1 if self._is_in_line else 0


Write = Callable[[bytearray], int]


def _writer(fd: int) -> tuple[int, Write, Callable[[], None]]:
    """Return a descriptor to watch, what writes there without ever waiting, and what ends that.

    ``O_NONBLOCK`` is a property of the open file, which the program, and the shell behind it, have in common with us.
    A terminal and a pipe are therefore opened anew; a file is always ready.
    """
    mode = _mode(fd)
    if stat.S_ISSOCK(mode):
        sock = socket.socket(fileno=os.dup(fd))
        flags = int(socket.MSG_DONTWAIT)
        return sock.fileno(), lambda data: sock.send(data, flags), sock.close
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return fd, lambda data: os.write(fd, data), lambda: None
    # It may belong to another user, as behind sudo.
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        own = os.open(f"/proc/self/fd/{fd}", flags)
        return own, lambda data: os.write(own, data), lambda: os.close(own)
    return fd, lambda data: _write_if_ready(fd, data), lambda: None


def _mode(fd: int) -> int:
    try:
        return os.fstat(fd).st_mode
    except OSError:  # closed: writing says so again
        return 0


def _write_if_ready(fd: int, data: bytearray) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    # A pipe that is writable has room for this much.
    return os.write(fd, data[: select.PIPE_BUF])
