"""Mailboxes that are bound datagram sockets: boundaries and wake-ups by the kernel.

The socket lives in whoever holds the descriptor from ``create``; a receiver works with
a duplicate.  The kernel queues ``net.unix.max_dgram_qlen`` + 1 frames, 11 by default,
whatever their size, so ``capacity`` is ignored.

A frame is one datagram: the record header of ``ring.h``, then the payload.  It is
received straight into the slot, so that it is never in ordinary memory only.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from transports._ring import FRAME_LIMIT, RECORD_BYTES, RECORD_MARK, Slot
from transports.errors import (
    ClosedError,
    EndpointError,
    FrameTooLargeError,
    space_for,
    translated,
)
from transports.files import PRIVATE, check_name, open_checked
from transports.mailbox import Contents, Depth, Note, Put, Waiting
from transports.record import HEADER, MAX_REJECTED, is_unlinked, seen

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Room for 11 of the largest frames: the kernel counts pages, and twice the request.
SEND_BUFFER_BYTES = 11 * 2 * (FRAME_LIMIT + RECORD_BYTES)

_SOCKET = "a socket"
_PEEK_OFF = 42  # SO_PEEK_OFF, which Python does not name
_QUEUE_LIMIT = Path("/proc/sys/net/unix/max_dgram_qlen")
_DATAGRAMS = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_FULL = frozenset({errno.EAGAIN, errno.ENOBUFS})
_CLOSED = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ENOENT,
        errno.ENOTCONN,
        errno.EPIPE,
    }
)
# umask belongs to the process: two threads that bind must not restore each other's.
_umask_lock = threading.Lock()


class UnixMailbox:
    """The receiving end; see ``Mailbox``.

    Attributes:
        rejected: Datagrams dropped because they were not frames.
    """

    def __init__(self, held: int) -> None:
        self._socket = socket.socket(fileno=os.dup(held))
        self._socket.settimeout(0)
        self._source = os.fstat(held).st_ino
        self.rejected = 0

    def fileno(self) -> int:
        """See ``Mailbox``."""
        return self._open().fileno()

    def take(self, slot: Slot) -> bytes | None:
        """See ``Mailbox``."""
        receive = self._open().recvmsg_into
        if slot.limit < FRAME_LIMIT or slot.filled:
            msg = f"the slot is not empty, or not for frames of {FRAME_LIMIT} bytes"
            raise ValueError(msg)
        slot.clear()
        for _ in range(MAX_REJECTED):
            slot.source = self._source
            try:
                size, _, flags, _ = receive([slot])
            except BlockingIOError:
                return None
            frame = slot.frame()
            if (
                frame is not None
                and size == RECORD_BYTES + len(frame)
                and not flags & socket.MSG_TRUNC
            ):
                return frame
            slot.clear()
            self.rejected += 1
        return None

    def settle(self, *slots: Slot) -> None:
        """See ``Mailbox``: receiving moves, so a frame is never in both places."""
        self._open()

    def depth(self) -> Depth:
        """See ``Mailbox``: the kernel tells whether anything waits, not how much."""
        poll = select.poll()
        poll.register(self._open(), select.POLLIN)
        waits = bool(poll.poll(0))
        return Depth(int(waits), exact=not waits, bytes=None, capacity_bytes=None)

    def close(self) -> None:
        """See ``Mailbox``."""
        self._socket.close()

    def _open(self) -> socket.socket:
        if self._socket.fileno() < 0:
            msg = "this end has been closed"
            raise ClosedError(msg)
        return self._socket


class UnixOutlet:
    """A sending end; see ``Outlet``."""

    def __init__(self, path_fd: int, connected: socket.socket) -> None:
        """Take over *connected* and *path_fd*, the ``O_PATH`` of the peer's file."""
        self._path_fd = path_fd
        self._socket = connected
        self._seq = 0

    def put(self, *parts: ReadableBuffer) -> Put:
        """See ``Outlet``."""
        if self._path_fd < 0:
            msg = "this end has been closed"
            raise ClosedError(msg)
        size = sum(memoryview(part).nbytes for part in parts)
        if size > FRAME_LIMIT:
            raise FrameTooLargeError(size, FRAME_LIMIT)
        if is_unlinked(self._path_fd):
            return Put.CLOSED
        header = HEADER.pack(RECORD_MARK, size, self._seq + 1)
        try:
            self._socket.sendmsg((header, *parts))
        except OSError as exc:
            if exc.errno in _FULL:
                return Put.FULL
            if exc.errno in _CLOSED:
                return Put.CLOSED
            raise
        self._seq += 1
        # Again: whoever unlinked it meanwhile may have looked for frames already.
        return Put.CLOSED if is_unlinked(self._path_fd) else Put.ACCEPTED

    def fileno(self) -> int | None:
        """See ``Outlet``."""
        return self._socket.fileno()

    def close(self) -> None:
        """See ``Outlet``."""
        self._socket.close()
        if self._path_fd >= 0:
            os.close(self._path_fd)
            self._path_fd = -1

    def __del__(self) -> None:
        self.close()


class UnixTransport:
    """See the module."""

    scheme = "unix"
    inline_limit = FRAME_LIMIT
    default_capacity = 11 * (FRAME_LIMIT + RECORD_BYTES)
    keeps_elsewhere = False

    def create(self, dir_fd: int, name: str, capacity: int | None = None) -> int:
        """See ``Transport``."""
        check_name(name)
        bound = socket.socket(socket.AF_UNIX, _DATAGRAMS)
        try:
            with (
                translated(f"cannot create {name}"),
                space_for(f"the mailbox {name}", 0, dir_fd),
            ):
                _bind(bound, f"/proc/self/fd/{dir_fd}/{name}")
            os.close(_open_path(dir_fd, name))
        except BaseException:
            bound.close()
            raise
        return bound.detach()

    def open(self, held: int, dir_fd: int, name: str, seat: int = 0) -> UnixMailbox:
        """See ``Transport``."""
        with translated(f"cannot open {name}"):
            if not stat.S_ISSOCK(os.fstat(held).st_mode):
                msg = f"{name} is not a socket"
                raise EndpointError(msg)
            return UnixMailbox(held)

    def connect(
        self,
        dir_fd: int,
        name: str,
        *,
        note: Note | None = None,
    ) -> UnixOutlet:
        """See ``Transport``; the kernel wakes the receiver as it takes the frame."""
        path_fd = _open_path(dir_fd, name)
        try:
            with translated(f"cannot connect to {name}"):
                return UnixOutlet(path_fd, _connected(f"/proc/self/fd/{path_fd}"))
        except BaseException:
            os.close(path_fd)
            raise

    def inspect(
        self,
        dir_fd: int,
        name: str,
        *,
        held: int | None = None,
        head_bytes: int = 0,
        limit: int | None = None,
    ) -> Contents:
        """See ``Transport``; without *held* nothing is seen: a socket shows itself only to who holds it."""
        os.close(_open_path(dir_fd, name))
        room = int(_QUEUE_LIMIT.read_text()) + 1
        if held is None:
            return Contents(Depth(0, False, None, None, room), None)  # noqa: FBT003 - a field
        with translated(f"cannot look into {name}"):
            frames = tuple(_peek(held, head_bytes))
        depth = Depth(len(frames), True, None, None, room)  # noqa: FBT003 - a field
        return Contents(depth, frames[:limit])

    def unlink(self, dir_fd: int, name: str) -> None:
        """See ``Transport``; outlets notice that the file has lost its name."""
        check_name(name)
        try:
            os.unlink(name, dir_fd=dir_fd)
        except FileNotFoundError:
            return


TRANSPORT = UnixTransport()


def _peek(held: int, head_bytes: int) -> Iterator[Waiting]:
    """Yield the frames that wait; one process at a time, because the kernel counts where it looks for all."""
    buffer = bytearray(RECORD_BYTES + FRAME_LIMIT + 1)
    with socket.socket(fileno=os.dup(held)) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, _PEEK_OFF, 0)
        try:
            while True:
                size = duplicate.recv_into(buffer, 0, _PEEK)
                waiting = seen(buffer, size, head_bytes)
                if waiting is not None:
                    yield waiting
        except BlockingIOError:
            return
        finally:
            duplicate.setsockopt(socket.SOL_SOCKET, _PEEK_OFF, -1)


def _bind(bound: socket.socket, path: str) -> None:
    with _umask_lock:
        before = os.umask(0o777 & ~PRIVATE)  # a socket file begins with all bits
        try:
            bound.bind(path)
        finally:
            os.umask(before)


def _connected(path: str) -> socket.socket:
    # Connected: an unconnected socket polls writable while the peer is full.
    outlet = socket.socket(socket.AF_UNIX, _DATAGRAMS)
    try:
        outlet.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        outlet.connect(path)
    except BaseException:
        outlet.close()
        raise
    return outlet


def _open_path(dir_fd: int, name: str) -> int:
    return open_checked(dir_fd, name, os.O_PATH, _SOCKET)
