"""What the mailboxes that are objects of the kernel have in common: pipes, datagram sockets and message queues.

A message of the kernel is one record of ``record.py``, and is received straight into the slot, so that it is never in ordinary memory only.

Gathering:
    Small messages cost the kernel as much as large ones. So a mailbox with one receiver may have a *landing* beside it, ``17.mail.landing``:
    a ring (``ring.h``) that its receivers fill. Where there is one, a message may be several records in a row.
    They are received straight into the ring, and go on to slots from there, one by one: whoever takes next, also after a death, goes on
    where the last one was.
"""

from __future__ import annotations

import errno
import functools
import os

from transports import _ring, shm
from transports.errors import ClosedError, MailboxNotFoundError, space_for, translated
from transports.files import new_file, open_checked
from transports.mailbox import Depth, Waiting
from transports.record import MAX_REJECTED

_FILE = "a regular file"


class KernelMailbox:
    """The receiving end; see ``Mailbox``.

    Attributes:
        inline_limit: The largest frame, in bytes.
        message_bytes: The largest message.
        is_queue: Of POSIX, which are not read like files.
        landing: Where several frames of one message wait; None where there is no such place.
    """

    inline_limit: int
    message_bytes: int
    is_queue = False

    def __init__(self, held: int, dir_fd: int, name: str, seat: int) -> None:
        self._rejected = 0
        with translated(f"cannot open {name}"):
            self._source = os.fstat(held).st_ino
            self._fd = os.dup(held)
        try:
            self.landing = self._open_landing(dir_fd, name, seat)
        except BaseException:
            self.close()
            raise

    landing: _ring.Reader | None = None
    _fd = -1

    def _open_landing(self, dir_fd: int, name: str, seat: int) -> _ring.Reader | None:
        try:
            fd = open_checked(dir_fd, landing_name(name), os.O_RDWR, _FILE)
        except MailboxNotFoundError:
            return None
        try:
            with translated(f"cannot map the landing of {name}"):
                return _ring.Reader(
                    fd,
                    functools.partial(shm.open_bell, dir_fd, name),
                    lambda: None,
                    seat,
                    feed=self._fd,
                    room=self.message_bytes,
                    limit=self.inline_limit,
                    source=self._source,
                    queue=self.is_queue,
                )
        finally:
            os.close(fd)

    @property
    def rejected(self) -> int:
        """How many messages were dropped because they were not frames."""
        return self._rejected + (self.landing.rejected if self.landing else 0)

    def fileno(self) -> int:
        """See ``Mailbox``; says nothing of what is in the landing."""
        if self._fd < 0:
            msg = "this end has been closed"
            raise ClosedError(msg)
        return self._fd

    def take(self, slot: _ring.Slot) -> bytes | None:
        """See ``Mailbox``."""
        if self.landing is not None:
            return self.landing.take(slot)
        fd = self.fileno()
        if slot.limit < self.inline_limit or slot.filled:
            msg = (
                f"the slot is not empty, or not for frames of {self.inline_limit} bytes"
            )
            raise ValueError(msg)
        slot.clear()
        for _ in range(MAX_REJECTED):
            slot.source = self._source
            try:
                size = self._receive(fd, slot)
            except BlockingIOError:
                return None
            frame = slot.frame()
            if frame is not None and size == _ring.RECORD_BYTES + len(frame):
                return frame
            slot.clear()
            self._rejected += 1
        return None

    def _receive(self, fd: int, slot: _ring.Slot) -> int:
        """Receive a message into *slot*, and return its size; of one that is cut, any other than it has."""
        return os.readv(fd, [slot])

    def settle(self, *slots: _ring.Slot) -> None:
        """See ``Mailbox``: receiving moves, so a frame is never in both places, but for one in the landing."""
        self.fileno()
        if self.landing is not None:
            self.landing.settle(*slots)

    def depth(self) -> Depth:
        """See ``Mailbox``."""
        return with_landed(self._depth(self.fileno()), self.landing)

    def _depth(self, fd: int) -> Depth:
        raise NotImplementedError

    def close(self) -> None:
        """See ``Mailbox``."""
        if self.landing is not None:
            self.landing.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


def with_landed(depth: Depth, landing: _ring.Reader | None) -> Depth:
    """Return *depth* with what waits in *landing*; a message that may be several frames counts as one at least."""
    if landing is None:
        return depth
    landed = landing.depth()
    return Depth(
        depth.frames + landed.frames,
        depth.exact and landed.exact and not depth.frames,
        None if depth.bytes is None else depth.bytes + (landed.bytes or 0),
        depth.capacity_bytes,
        depth.capacity_frames,
    )


def landing_name(name: str) -> str:
    """Return the name of the landing of mailbox *name*."""
    return f"{name}.landing"


def create_landing(dir_fd: int, name: str, message_bytes: int) -> None:
    """Make the landing of mailbox *name*.

    Raises:
        NoSpaceError: There is no room for it; nothing is left behind.
    """
    # Twice a message: what one receiver has claimed and not copied keeps its room.  A page at least, whatever that is here.
    capacity = max(_ring.HEADER_BYTES, 1 << (2 * message_bytes - 1).bit_length())
    if capacity < 2 * message_bytes + 2 * _ring.RECORD_BYTES:
        capacity *= 2
    landing = landing_name(name)
    needed = _ring.HEADER_BYTES + capacity
    with (
        translated(f"cannot create {landing}"),
        space_for(f"the mailbox {name}", needed, dir_fd),
        new_file(dir_fd, landing) as fd,
    ):
        # Not ftruncate: a write to a hole of a full tmpfs is a SIGBUS.
        os.posix_fallocate(fd, 0, needed)
        _ring.format_ring(fd, capacity)


def has_landing(dir_fd: int, name: str) -> bool:
    """Return whether senders may gather frames for mailbox *name*."""
    return os.access(landing_name(name), os.F_OK, dir_fd=dir_fd, follow_symlinks=False)


def landed(dir_fd: int, name: str, head_bytes: int) -> list[Waiting]:
    """Return what waits in the landing of mailbox *name*, oldest first."""
    try:
        fd = open_checked(dir_fd, landing_name(name), os.O_RDONLY, _FILE)
    except MailboxNotFoundError:
        return []
    try:
        is_unfinished = os.fstat(fd).st_size == 0  # it is being made
        return [] if is_unfinished else shm.waiting_in(fd, head_bytes)
    finally:
        os.close(fd)


def remove(dir_fd: int, name: str) -> None:
    """Remove the name of a mailbox, and its landing."""
    for each in (name, landing_name(name)):
        try:
            os.unlink(each, dir_fd=dir_fd)
        except OSError as exc:
            if exc.errno != errno.ENOENT:
                raise
