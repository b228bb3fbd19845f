"""Mailboxes that are bound datagram sockets: boundaries and wake-ups by the kernel.

The socket lives in whoever holds the descriptor from ``create``; a receiver works with
a duplicate.  The kernel queues ``net.unix.max_dgram_qlen`` + 1 frames, 11 by default,
whatever their size, so ``capacity`` is ignored.

A frame is one datagram: the record header of ``ring.h``, then the payload.  It is
received straight into the slot, so that it is never in ordinary memory only.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from transports._kernel import SOCKET, Sender
from transports._ring import FRAME_LIMIT, RECORD_BYTES, Slot
from transports.errors import (
    EndpointError,
    space_for,
    translated,
)
from transports.files import PRIVATE, check_name, open_checked
from transports.kernel import (
    KernelMailbox,
    create_landing,
    has_landing,
    landed,
    remove,
)
from transports.mailbox import Contents, Depth, Note, Waiting
from transports.record import seen

MESSAGE_BYTES = RECORD_BYTES + FRAME_LIMIT
# Room for 11 of the largest frames: the kernel counts pages, and twice the request.
SEND_BUFFER_BYTES = 11 * 2 * MESSAGE_BYTES

_SOCKET = "a socket"
_PEEK_OFF = 42  # SO_PEEK_OFF, which Python does not name
_QUEUE_LIMIT = Path("/proc/sys/net/unix/max_dgram_qlen")
_DATAGRAMS = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
# umask belongs to the process: two threads that bind must not restore each other's.
_umask_lock = threading.Lock()


class UnixMailbox(KernelMailbox):
    """The receiving end; see ``Mailbox``."""

    inline_limit = FRAME_LIMIT
    message_bytes = MESSAGE_BYTES

    def _receive(self, fd: int, slot: Slot) -> int:
        return os.readv(fd, [slot, bytearray(1)])  # has more than the slot: it is cut

    def _depth(self, fd: int) -> Depth:
        """See ``Mailbox``: the kernel tells whether anything waits, not how much."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        waits = bool(poll.poll(0))
        return Depth(int(waits), exact=not waits, bytes=None, capacity_bytes=None)


class UnixTransport:
    """See the module."""

    scheme = "unix"
    inline_limit = FRAME_LIMIT
    default_capacity = 11 * MESSAGE_BYTES
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
        return UnixMailbox(held, dir_fd, name, seat)

    def connect(
        self,
        dir_fd: int,
        name: str,
        *,
        note: Note | None = None,
    ) -> Sender:
        """See ``Transport``; the kernel wakes the receiver as it takes the frame."""
        path_fd = _open_path(dir_fd, name)
        try:
            with translated(f"cannot connect to {name}"):
                outlet = _connected(f"/proc/self/fd/{path_fd}")
        except BaseException:
            os.close(path_fd)
            raise
        gathers = has_landing(dir_fd, name)
        return Sender(
            outlet.detach(), path_fd, SOCKET, MESSAGE_BYTES, FRAME_LIMIT, gathers
        )

    def gather(self, dir_fd: int, name: str) -> None:
        """See ``Gathering``."""
        create_landing(dir_fd, name, MESSAGE_BYTES)

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
        frames = landed(dir_fd, name, head_bytes)
        if held is None:
            return Contents(Depth(len(frames), False, None, None, room), None)  # noqa: FBT003 - a field
        with translated(f"cannot look into {name}"):
            frames += _peek(held, head_bytes)
        depth = Depth(len(frames), True, None, None, room)  # noqa: FBT003 - a field
        return Contents(depth, tuple(frames[:limit]))

    def unlink(self, dir_fd: int, name: str) -> None:
        """See ``Transport``; outlets notice that the file has lost its name."""
        check_name(name)
        remove(dir_fd, name)


TRANSPORT = UnixTransport()


def _peek(held: int, head_bytes: int) -> Iterator[Waiting]:
    """Yield the frames that wait; one process at a time, because the kernel counts where it looks for all."""
    buffer = bytearray(MESSAGE_BYTES + 1)
    with socket.socket(fileno=os.dup(held)) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, _PEEK_OFF, 0)
        try:
            while True:
                size = duplicate.recv_into(buffer, 0, _PEEK)
                yield from seen(buffer, size, head_bytes)
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
