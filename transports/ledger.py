"""What waits outside of one mailbox: the payloads of large messages, counted over all senders.

A frame is bounded by the mailbox that it is in; the file of its payload is not.
So whoever puts such a frame enters its payload here first, and whoever takes it removes it: the table lies in shared memory, and
what waits is what stands there.

Guarantees:
    A payload is accepted while less than the bound waits, so no more waits than that, one payload, and one for each other sender
    that is just putting: two may look before either enters.
    A word says which payload it counts. What a process that was killed has left is found out by whether there is such a file
    (``keep``), and by whether its sender had put the frame (``abandon``).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable

import attrs

from transports import _ledger
from transports.errors import TransportError
from transports.files import PRIVATE, open_checked, shrink

PLACES = 256
WORDS = _ledger.FIRST + PLACES
_WAITED_FOR = 1  # 1 while somebody waits for room
_FIFO = "a FIFO"
_OPEN = os.O_RDWR | os.O_NONBLOCK


@attrs.frozen
class Outside:
    """How much waits outside of a mailbox.

    Attributes:
        payloads: How many.
        bytes: Of all of them, each rounded up to KiB.
        capacity_payloads: The bound of the first.
        capacity_bytes: The bound of the second.
    """

    payloads: int
    bytes: int
    capacity_payloads: int
    capacity_bytes: int


class Ledger:
    """The payloads that wait for one receiver, as one process sees them. Its methods may be called from any thread."""

    def __init__(self, words: memoryview[int], dir_fd: int, name: str) -> None:
        """Use the table *words*.

        Args:
            words: ``WORDS`` words of shared memory; zeros and the ``bound`` at first.
            dir_fd: A directory of the same processes, which must stay open.
            name: Of the FIFO in it through which senders are woken; made by the first that waits.
        """
        self._words = words
        self._dir_fd = dir_fd
        self._name = name
        self._fifo = -1  # until somebody waits
        self._pid = 0  # whose descriptor that is: a forked child may have given its number to something else
        self._lock = threading.RLock()  # around that; signal handlers may re-enter

    @property
    def bound(self) -> int:
        """How many bytes may wait."""
        return self._words[_ledger.BOUND]

    @bound.setter
    def bound(self, size: int) -> None:
        self._words[_ledger.BOUND] = size

    def outside(self) -> Outside:
        """Return how much waits."""
        payloads, size = _ledger.waiting(self._words)
        return Outside(payloads, size, PLACES, self.bound)

    def claim(self, name: bytes, size: int) -> bool:
        """Count the payload *name* of *size* bytes, whose frame is about to be put; False where there is no room.

        Whatever has been counted before stays so.
        """
        return _ledger.claim(self._words, name, size)

    def confirm(self, name: bytes) -> None:
        """Its frame has been accepted."""
        _ledger.confirm(self._words, name)

    def release(self, name: bytes) -> None:
        """It waits no more; whoever waits for room is woken once half of it is free."""
        if _ledger.release(self._words, name):
            self._wake_if_worth_it()

    def _places(self) -> list[int]:
        return self._words.tolist()[_ledger.FIRST :]

    # Waiting for room.

    def await_room(self) -> int | None:
        """Return a descriptor that becomes writable when there is room; None where none can be had: look again after a while.

        To be asked for after each ``claim`` that found none. The FIFO is of one page, which one byte makes full and one read empty, so the kernel wakes all that poll it.
        """
        with contextlib.suppress(OSError):  # it exists, or can never be opened
            os.mkfifo(self._name, PRIVATE, dir_fd=self._dir_fd)
        if not self._is_open():
            return None
        with contextlib.suppress(BlockingIOError):
            os.write(self._fifo, b"\0")
        # Before the look that follows; see claim in _ledger.c for what makes one of the two see the other.
        self._words[_WAITED_FOR] = 1
        self._wake_if_worth_it()
        return self._fifo

    def _wake_if_worth_it(self) -> None:
        """Wake all who wait for room, if anybody does and half of it is free."""
        if not self._words[_WAITED_FOR]:
            return
        payloads, size = _ledger.waiting(self._words)
        if 2 * size <= self.bound and 2 * payloads <= PLACES:
            self._wake()

    def _wake(self) -> None:
        # Killed in between, it wakes nobody: they look again after a while all the same.
        self._words[_WAITED_FOR] = 0
        if self._is_open():
            with contextlib.suppress(BlockingIOError):
                os.read(self._fifo, 4096)

    def _is_open(self) -> bool:
        with self._lock:
            if self._fifo >= 0:
                return True
            try:
                fifo = open_checked(self._dir_fd, self._name, _OPEN, _FIFO)
            except TransportError:  # the mailbox has ended, or too many files are open
                return False
            try:
                shrink(fifo)
            except OSError:
                os.close(fifo)
                return False
            self._fifo, self._pid = fifo, os.getpid()
            return True

    def close(self) -> None:
        """Wait no more. Idempotent."""
        with self._lock:
            fifo, self._fifo = self._fifo, -1
            if fifo >= 0 and self._pid == os.getpid():
                os.close(fifo)

    def __del__(self) -> None:
        self.close()

    # After deaths.

    def keep(self, listed: Callable[[], Iterable[str]]) -> None:
        """Remove all but what *listed* returns: what waits has a file, and whoever took it may have died before it said so."""
        before = list(filter(None, self._places()))
        # In this order: what was claimed before exists by now, or has been taken.
        keys = set(map(_key, listed() if before else ()))
        for word in before:
            if word >> _ledger.KEY_SHIFT not in keys:
                _ledger.remove(self._words, word)
        self._wake_if_worth_it()

    def abandon(self, names: Iterable[str]) -> None:
        """Remove those of *names*, payloads of a dead sender, whose frames it was just putting; where one had been accepted, it waits uncounted."""
        keys = set(map(_key, names))
        for word in self._places():
            if word & _ledger.PUTTING and word >> _ledger.KEY_SHIFT in keys:
                _ledger.remove(self._words, word)
        self._wake_if_worth_it()

    def lose(self) -> None:
        """Remove whatever had been accepted: the mailbox that it was in is lost."""
        for word in filter(None, self._places()):
            if not word & _ledger.PUTTING:
                _ledger.remove(self._words, word)
        self._wake_if_worth_it()


def _key(name: str) -> int:
    return _ledger.key_of(name.encode())
