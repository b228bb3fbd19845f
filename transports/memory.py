"""Mailboxes inside one process: a fake that passes the suite of the real ones.

For tests of what is built on transports.  Mailboxes are kept in a table of this
process; they do not reach other processes and do not survive this one.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING

from transports._ring import FRAME_LIMIT, RECORD_BYTES, RECORD_MARK, Slot
from transports.errors import (
    ClosedError,
    EndpointError,
    FrameTooLargeError,
    MailboxExistsError,
    MailboxNotFoundError,
    translated,
)
from transports.files import check_name
from transports.mailbox import Contents, Depth, Note, Put, Waiting

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MARK = struct.Struct("=I")
_REST = struct.Struct("=IQ")

_Inode = tuple[int, int]


class _Box:
    """One mailbox: what the kernel or the mapped file is elsewhere."""

    def __init__(self, capacity: int, inode: int) -> None:
        self.inode = inode
        self.lock = threading.Lock()
        self.frames: deque[tuple[int, bytes]] = deque()
        self.used = 0
        self.capacity = capacity
        self.closed = False
        self.serial = 0
        self.event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self.event)


class MemoryMailbox:
    """The receiving end; see ``Mailbox``."""

    def __init__(self, box: _Box) -> None:
        self._box: _Box | None = box

    def fileno(self) -> int:
        """See ``Mailbox``."""
        return _open(self._box).event

    def take(self, slot: Slot) -> bytes | None:
        """See ``Mailbox``."""
        box = _open(self._box)
        if slot.limit < FRAME_LIMIT or slot.filled:
            msg = f"the slot is not empty, or not for frames of {FRAME_LIMIT} bytes"
            raise ValueError(msg)
        with box.lock:
            if not box.frames:
                _hush(box)
                return None
            seq, frame = box.frames[0]
            _fill(slot, box.inode, seq, frame)
            _drop_first(box)
            return frame

    def settle(self, *slots: Slot) -> None:
        """See ``Mailbox``: a frame is never in both places."""
        _open(self._box)

    def depth(self) -> Depth:
        """See ``Mailbox``."""
        box = _open(self._box)
        with box.lock:
            return _depth(box)

    def close(self) -> None:
        """See ``Mailbox``."""
        self._box = None


class MemoryOutlet:
    """A sending end; see ``Outlet``."""

    def __init__(self, box: _Box) -> None:
        self._box: _Box | None = box

    def put(self, *parts: ReadableBuffer) -> Put:
        """See ``Outlet``."""
        box = _open(self._box)
        frame = b"".join(parts)
        if len(frame) > FRAME_LIMIT:
            raise FrameTooLargeError(len(frame), FRAME_LIMIT)
        with box.lock:
            if box.closed:
                return Put.CLOSED
            if box.used + _size(frame) > box.capacity:
                return Put.FULL
            box.serial += 1
            box.frames.append((box.serial, frame))
            box.used += _size(frame)
            os.eventfd_write(box.event, 1)
        return Put.ACCEPTED

    def fileno(self) -> int | None:
        """See ``Outlet``."""
        return None

    def close(self) -> None:
        """See ``Outlet``."""
        self._box = None


class MemoryTransport:
    """See the module."""

    scheme = "memory"
    inline_limit = FRAME_LIMIT
    default_capacity = 256 * 1024
    keeps_elsewhere = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._named: dict[tuple[_Inode, str], _Box] = {}
        # By the held descriptor.  Weak, because nothing says when the last one is
        # closed: a mailbox without a name lives as long as an end of it is open.
        self._held: weakref.WeakValueDictionary[_Inode, _Box] = (
            weakref.WeakValueDictionary()
        )

    def create(self, dir_fd: int, name: str, capacity: int | None = None) -> int:
        """See ``Transport``."""
        key = _key(dir_fd, name)
        size = self.default_capacity if capacity is None else capacity
        if size <= 0:
            msg = f"the capacity of a mailbox is at least 1 byte, not {size}"
            raise EndpointError(msg)
        with self._lock:
            if key in self._named:
                msg = f"cannot create {name}: it exists"
                raise MailboxExistsError(msg)
            held = os.memfd_create(name, os.MFD_CLOEXEC)
            inode = _inode(held)
            self._named[key] = self._held[inode] = _Box(size, inode[1])
        return held

    def open(self, held: int, dir_fd: int, name: str, seat: int = 0) -> MemoryMailbox:
        """See ``Transport``."""
        with translated(f"cannot open {name}"), self._lock:
            box = self._held.get(_inode(held))
        if box is None:
            msg = f"{name} is not a mailbox of this process"
            raise EndpointError(msg)
        return MemoryMailbox(box)

    def connect(
        self,
        dir_fd: int,
        name: str,
        *,
        note: Note | None = None,
    ) -> MemoryOutlet:
        """See ``Transport``; a sender that is killed here takes the receiver along."""
        return MemoryOutlet(self._find(dir_fd, name))

    def _find(self, dir_fd: int, name: str) -> _Box:
        with self._lock:
            box = self._named.get(_key(dir_fd, name))
        if box is None:
            msg = f"cannot open {name}: it does not exist"
            raise MailboxNotFoundError(msg)
        return box

    def inspect(
        self,
        dir_fd: int,
        name: str,
        *,
        held: int | None = None,
        head_bytes: int = 0,
        limit: int | None = None,
    ) -> Contents:
        """See ``Transport``."""
        box = self._find(dir_fd, name)
        with box.lock:
            frames = [
                Waiting(len(frame), frame[:head_bytes]) for _, frame in box.frames
            ]
            return Contents(_depth(box), tuple(frames[:limit]))

    def unlink(self, dir_fd: int, name: str) -> None:
        """See ``Transport``."""
        with self._lock:
            box = self._named.pop(_key(dir_fd, name), None)
        if box is not None:
            with box.lock:
                box.closed = True


TRANSPORT = MemoryTransport()


def _open(box: _Box | None) -> _Box:
    if box is None:
        msg = "this end has been closed"
        raise ClosedError(msg)
    return box


def _inode(fd: int) -> _Inode:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _key(dir_fd: int, name: str) -> tuple[_Inode, str]:
    check_name(name)
    return _inode(dir_fd), name


def _depth(box: _Box) -> Depth:
    return Depth(len(box.frames), True, box.used, box.capacity)  # noqa: FBT003 - a field


def _size(frame: bytes) -> int:
    return RECORD_BYTES + len(frame)


def _fill(slot: Slot, source: int, seq: int, frame: bytes) -> None:
    slot.clear()
    slot.source = source
    record = slot.record
    record[RECORD_BYTES : RECORD_BYTES + len(frame)] = frame
    record[_MARK.size : RECORD_BYTES] = _REST.pack(len(frame), seq)
    record[: _MARK.size] = _MARK.pack(RECORD_MARK)


def _drop_first(box: _Box) -> None:
    _, frame = box.frames.popleft()
    box.used -= _size(frame)
    if not box.frames:
        _hush(box)


def _hush(box: _Box) -> None:
    with contextlib.suppress(BlockingIOError):  # it was silent already
        os.eventfd_read(box.event)
