"""The two ends of a mailbox for programs without actors: ``Receiver(address)`` in one, ``Sender(address)`` in others.

The mailbox belongs to its receiver: it begins and ends with it, and what one that was killed left is removed by the next.
A mailbox that outlives its receivers needs somebody who holds it for them: see ``Transport.create``.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import select
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from transports import registry
from transports._ring import Slot
from transports.address import Address
from transports.claim import Claim, is_claimed
from transports.errors import EndpointError, MailboxNotFoundError, translated
from transports.files import BASE_FLAGS
from transports.mailbox import Depth, Put

_RETRY_SECONDS = 0.001  # where the kernel does not tell that there is room
_LOOK_SECONDS = 0.1  # between two looks at whether somebody receives still


class Receiver:
    """The receiving end; iterating yields frames for ever, those of each sender in its order.

    For one thread at a time, of the process that made it.
    """

    def __init__(self, address: str, *, capacity: int | None = None) -> None:
        """Make the mailbox.

        Args:
            address: ``scheme:/directory/name``. The directory is made, for this user alone, if it does not exist.
            capacity: Bytes it should hold; see ``Transport.create``.

        Raises:
            EndpointError: The address, the directory or the capacity cannot be used.
            MailboxExistsError: Another program receives there.
            NoSpaceError: There is no room for it.
            LimitError: A limit of the machine leaves no room for it.
        """
        where = Address.from_text(address)
        transport = registry.get(where.scheme)
        self.address = where.to_text()
        with contextlib.ExitStack() as stack:
            dir_fd = _open_directory(where.directory, is_made=True)
            stack.callback(os.close, dir_fd)
            stack.callback(Claim(dir_fd, where.name).release)
            transport.unlink(dir_fd, where.name)
            held = transport.create(dir_fd, where.name, capacity)
            stack.callback(os.close, held)
            stack.callback(transport.unlink, dir_fd, where.name)
            self._mailbox = transport.open(held, dir_fd, where.name)
            stack.callback(self._mailbox.close)
            limit = transport.inline_limit
            self._slot = Slot(mmap.mmap(-1, Slot.size(limit)), 0, limit)
            self._stack = stack.pop_all()

    def receive(self, timeout: float | None = None) -> bytes:
        """Return the next frame.

        Args:
            timeout: Seconds to wait for one; 0 only looks, None waits for ever.

        Raises:
            TimeoutError: None came in time.
            CorruptError: The mailbox cannot be read any more.
            ClosedError: It was closed here.
            EndpointError: *timeout* is no such number.
        """
        deadline = _deadline(timeout)
        while (frame := self._mailbox.take(self._slot)) is None:
            if _is_over(deadline):
                msg = f"{self.address}: nothing came within {timeout:g} s"
                raise TimeoutError(msg)
            _wait(self._mailbox.fileno(), select.POLLIN, deadline - time.monotonic())
        self._slot.clear()
        return frame

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self.receive()

    def fileno(self) -> int:
        """Return a descriptor for event loops; see ``Mailbox.fileno``."""
        return self._mailbox.fileno()

    def depth(self) -> Depth:
        """Return how much waits."""
        return self._mailbox.depth()

    def close(self) -> None:
        """Remove the mailbox with all that waits in it. Idempotent."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sender:
    """A sending end, of any number of them. For one thread at a time."""

    def __init__(self, address: str) -> None:
        """Connect to the mailbox of a ``Receiver``.

        Args:
            address: The same text.

        Raises:
            EndpointError: The address or the directory cannot be used.
            MailboxNotFoundError: Nobody receives there.
        """
        self._where = Address.from_text(address)
        name = self._where.name
        with contextlib.ExitStack() as stack:
            self._dir_fd = _open_directory(self._where.directory, is_made=False)
            stack.callback(os.close, self._dir_fd)
            self._refuse_nobody()
            transport = registry.get(self._where.scheme)
            self._outlet = transport.connect(self._dir_fd, name)
            stack.callback(self._outlet.close)
            self._stack = stack.pop_all()

    def send(self, frame: bytes, timeout: float | None = None) -> None:
        """Put *frame* into the mailbox.

        Args:
            frame: What the receiver gets, whole.
            timeout: Seconds to wait for room; 0 does not wait, None waits as long as somebody receives.

        Raises:
            TimeoutError: There was no room in time; nothing was sent.
            FrameTooLargeError: The transport takes less.
            MailboxNotFoundError: Nobody receives any more; one who was just closing may have taken it.
            CorruptError: The mailbox makes no sense.
            ClosedError: This end was closed.
            EndpointError: *timeout* is no such number.
        """
        deadline = _deadline(timeout)
        while (result := self._outlet.put(frame)) is Put.FULL:
            if _is_over(deadline):
                msg = f"{self._where.to_text()}: no room within {timeout:g} s"
                raise TimeoutError(msg)
            self._refuse_nobody()
            fd = self._outlet.fileno()
            pause = _RETRY_SECONDS if fd is None else _LOOK_SECONDS
            _wait(fd, select.POLLOUT, min(pause, deadline - time.monotonic()))
        if result is Put.CLOSED:
            raise self._nobody()

    def _refuse_nobody(self) -> None:
        if not is_claimed(self._dir_fd, self._where.name):
            raise self._nobody()

    def _nobody(self) -> MailboxNotFoundError:
        return MailboxNotFoundError(f"nobody receives at {self._where.to_text()}")

    def close(self) -> None:
        """Let go of the mailbox. Idempotent."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_directory(path: str, *, is_made: bool) -> int:
    with translated(f"cannot open {path}"):
        if is_made:
            with contextlib.suppress(FileExistsError):
                Path(path).mkdir(0o700)
        fd = os.open(path, os.O_DIRECTORY | BASE_FLAGS)
    status = os.fstat(fd)
    if status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077:
        return fd
    os.close(fd)
    msg = f"{path} is not a directory of yours with mode 0700: others could put frames into a mailbox there"
    raise EndpointError(msg)


def _deadline(timeout: float | None) -> float:
    if timeout is None:
        return math.inf
    if not timeout >= 0:  # NaN neither
        msg = f"timeout={timeout!r}: seconds, 0 or more, or None"
        raise EndpointError(msg)
    return time.monotonic() + timeout


def _is_over(deadline: float) -> bool:
    return time.monotonic() >= deadline


def _wait(fd: int | None, event: int, seconds: float) -> None:
    poll = select.poll()
    if fd is not None:
        poll.register(fd, event)
    poll.poll(None if seconds == math.inf else max(0.0, 1000 * seconds))
