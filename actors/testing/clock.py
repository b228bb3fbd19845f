"""A clock that stands still until a test moves it, for timers of actors and for code that takes the time as an argument."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import struct
import termios
import time
from typing import Self

from actors.errors import OptionError
from actors.options import seconds
from actors.runtime import clock
from actors.system import ActorSystem
from actors.testing.expectation import WITHIN

_PACE_MS = 1


class ManualClock:
    """Time that passes when a test says so.

    With a system, the timers of its actors (``Actor.after`` and ``Actor.every``) follow it instead of the real time,
    in every actor that starts after the clock was made, and in all its incarnations.
    Everything else goes on in real time: deadlines of asks, ``asyncio.sleep`` in a handler, the supervisor's waits.

    ``clock.time`` can be given to code that asks a function for the time.
    """

    def __init__(self, system: ActorSystem | None = None) -> None:
        """Let it be 0 o'clock.

        Args:
            system: A running one whose actors have their timers by this clock.

        Raises:
            OptionError: The system has a manual clock already.
            SystemClosedError: The system is not running.
        """
        self._now_ns = 0
        self._directory = None
        if system is None:
            return
        self._directory = system._opened().directory  # noqa: SLF001 - two halves of one thing
        with contextlib.suppress(FileNotFoundError):
            clock.read(self._directory.fd)
            msg = f"system={system!r}: it has a manual clock already"
            raise OptionError(msg)
        clock.write(self._directory.fd, self._now_ns)

    def __repr__(self) -> str:
        return f"<ManualClock {self.time():g} s>"

    def time(self) -> float:
        """Return the time in seconds since the clock was made."""
        return self._now_ns / 1e9

    def advance(self, duration: float, *, within: float = WITHIN) -> None:
        """Move the time, and wait until every actor has queued the ticks that are due.

        A tick comes before every message that is sent after this has returned.
        Time moves at one go: ``every`` ticks once for a move over several periods, as it does for an actor that was busy so long.
        Each of several moves has a tick of its own.

        Args:
            duration: Seconds to move by.
            within: Seconds that the actors get to follow.

        Raises:
            OptionError: *duration* or *within* is not a number of seconds, 0 or more.
            AssertionError: An actor has not followed in time: a handler kept it busy.
        """
        seconds("duration", duration)
        seconds("within", within)
        self._now_ns += round(duration * 1e9)
        if self._directory is None:
            return
        clock.write(self._directory.fd, self._now_ns)
        deadline = time.monotonic() + within
        with contextlib.ExitStack() as stack:
            followers = [
                stack.enter_context(_Follower(self._directory.fd, number))
                for number in clock.followers(self._directory.fd)
            ]
            late = [each.number for each in followers if not each.follows(deadline)]
        if late:
            listed = ", ".join(map(str, late))
            msg = f"the time was moved, but within {within:g} s actor {listed} did not follow: is it busy in a handler?"
            raise AssertionError(msg)


class _Follower:
    """An actor that is told of a move."""

    def __init__(self, dir_fd: int, number: int) -> None:
        self.number = number
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = -1
        try:
            self._fd = os.open(clock.fifo_name(number), flags, dir_fd=dir_fd)
            os.write(self._fd, b"!")
        except BlockingIOError:
            pass  # full of what it has not read: it will look in any case
        except OSError as exc:
            if exc.errno not in {errno.ENXIO, errno.EPIPE, errno.ENOENT}:
                raise  # those mean that it has ended, or is just starting

    def follows(self, deadline: float) -> bool:
        """Wait until it has read what it was told, or is gone; False at the *deadline*."""
        while self._fd >= 0 and self._has_unread():
            poll = select.poll()
            poll.register(self._fd, 0)
            if poll.poll(_PACE_MS):  # nobody has it open for reading any more
                return True
            if time.monotonic() >= deadline:
                return False
        return True

    def _has_unread(self) -> bool:
        answer = fcntl.ioctl(self._fd, termios.FIONREAD, bytes(struct.calcsize("i")))
        return bool(struct.unpack("i", answer)[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
