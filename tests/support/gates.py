"""Waiting in tests: for a predicate, and for actors that are held up on purpose."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 20.0  # what a test waits for comes at once; later means that it has failed


def wait_until(
    predicate: Callable[[], object], what: str, seconds: float = SECONDS
) -> None:
    """Poll *predicate* until it is true.

    Raises:
        AssertionError: It is not within *seconds*; the text says *what* was waited for.
    """
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.001)  # noqa: TID251 - the pace of the polling, not the wait


class Gate:
    """A FIFO at which ``Blocker.wait_for`` stops until the test opens it."""

    def __init__(self, path: Path) -> None:
        """Make the FIFO."""
        os.mkfifo(path)
        self.path = str(path)

    def wait_until_entered(self) -> None:
        """Wait until an actor stands at the gate."""
        wait_until(Path(self.path + ".entered").exists, "an actor at the gate")

    def open(self) -> None:
        """Let the one that stands at the gate through."""
        wait_until(self._has_opened, "a reader of the gate")

    def _has_opened(self) -> bool:
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # nobody reads yet
                return False
            raise
        return True


class Turnstile:
    """A FIFO at which ``Hand.pass_through`` stops until the test has let as many through."""

    def __init__(self, path: Path) -> None:
        """Make the FIFO."""
        os.mkfifo(path)
        self.path = str(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def let(self, count: int) -> None:
        """Let *count* more through, those that come later as well."""
        os.write(self._fd, bytes(count))

    def left(self) -> int:
        """Return how many may still pass."""
        waiting = fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4))
        return int.from_bytes(waiting, sys.byteorder)

    def close(self) -> None:
        """Forget it."""
        os.close(self._fd)
