"""Mailboxes that are FIFOs in packet mode: boundaries and wake-ups by the kernel.

The FIFO holds its frames as long as somebody holds the descriptor from ``create``; a
receiver works with a duplicate.  Each frame is one packet in a page of its own,
whatever its size, so a mailbox of n pages takes n frames.

A frame is the record header of ``ring.h``, then the payload, at most a page in all: the
kernel never mixes or tears such writes.  It is read straight into the slot, so that it
is never in ordinary memory only.

An ordinary user has 16 384 pages for all pipes together, and past them every new pipe
of that user shrinks: a mailbox that would be cut down is an error instead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import termios
from pathlib import Path

from transports._kernel import PIPE, Sender
from transports._ring import RECORD_BYTES
from transports.errors import (
    EndpointError,
    LimitError,
    MailboxNotFoundError,
    space_for,
    translated,
)
from transports.files import BASE_FLAGS, PRIVATE, check_name, verify
from transports.kernel import (
    KernelMailbox,
    create_landing,
    has_landing,
    landed,
    remove,
)
from transports.mailbox import Contents, Depth, Note
from transports.record import seen

PACKET_BYTES = 4096  # PIPE_BUF: larger writes would be cut into several packets
INLINE_LIMIT = PACKET_BYTES - RECORD_BYTES
DEFAULT_PACKETS = 16  # what a pipe has unless asked; more only on request

_FIFO = "a FIFO"
# Packets cannot be asked for when a FIFO is opened (EINVAL), only afterwards.
_PACKETS = os.O_NONBLOCK | os.O_DIRECT
_LIMITS = Path("/proc/sys/fs")


class PipeMailbox(KernelMailbox):
    """The receiving end; see ``Mailbox``."""

    inline_limit = INLINE_LIMIT
    message_bytes = PACKET_BYTES

    def _depth(self, fd: int) -> Depth:
        """See ``Mailbox``: the kernel tells how many bytes wait, not in how many packets."""
        waiting = _bytes_in(fd)
        packets, room = -(-waiting // PACKET_BYTES), _room(fd)
        return Depth(packets, not waiting, waiting, None, room)


class PipeTransport:
    """See the module."""

    scheme = "pipe"
    inline_limit = INLINE_LIMIT
    default_capacity = DEFAULT_PACKETS * PACKET_BYTES
    keeps_elsewhere = False

    def create(self, dir_fd: int, name: str, capacity: int | None = None) -> int:
        """See ``Transport``.

        Raises:
            LimitError: The user has no pages left for it, or may not have so many.
        """
        check_name(name)
        with (
            translated(f"cannot create {name}"),
            space_for(f"the mailbox {name}", 0, dir_fd),
        ):
            os.mkfifo(name, PRIVATE, dir_fd=dir_fd)
        try:
            # Open at both ends: it lives, and frames wait in it, without anyone else.
            held = _open_fifo(dir_fd, name, os.O_RDWR)
            try:
                os.fchmod(held, PRIVATE)  # whatever the umask left of it
                _size(held, f"the mailbox {name}", capacity or self.default_capacity)
            except BaseException:
                os.close(held)
                raise
        except BaseException:
            os.unlink(name, dir_fd=dir_fd)
            raise
        return held

    def open(self, held: int, dir_fd: int, name: str, seat: int = 0) -> PipeMailbox:
        """See ``Transport``."""
        with translated(f"cannot open {name}"):
            if not stat.S_ISFIFO(os.fstat(held).st_mode):
                msg = f"{name} is not a FIFO"
                raise EndpointError(msg)
        return PipeMailbox(held, dir_fd, name, seat)

    def connect(
        self,
        dir_fd: int,
        name: str,
        *,
        note: Note | None = None,
    ) -> Sender:
        """See ``Transport``; the kernel wakes the receiver as it takes the frame."""
        fd = _open_fifo(dir_fd, name, os.O_WRONLY)
        try:
            verify(fd, _FIFO, name)
        except BaseException:
            os.close(fd)
            raise
        gathers = has_landing(dir_fd, name)
        return Sender(fd, fd, PIPE, PACKET_BYTES, INLINE_LIMIT, gathers)

    def gather(self, dir_fd: int, name: str) -> None:
        """See ``Gathering``."""
        create_landing(dir_fd, name, PACKET_BYTES)

    def inspect(
        self,
        dir_fd: int,
        name: str,
        *,
        held: int | None = None,
        head_bytes: int = 0,
        limit: int | None = None,
    ) -> Contents:
        """See ``Transport``; the packets are copied to a pipe of our own and read there."""
        fd = _open_fifo(dir_fd, name, os.O_RDONLY)
        try:
            verify(fd, _FIFO, name)
            packets = _copies(fd, name)
            waiting, room = _bytes_in(fd), _room(fd)
        finally:
            os.close(fd)
        frames = landed(dir_fd, name, head_bytes)
        waiting += sum(RECORD_BYTES + frame.size for frame in frames)
        for packet in packets:
            frames += seen(packet, len(packet), head_bytes)
        depth = Depth(len(frames), True, waiting, None, room)  # noqa: FBT003 - a field
        return Contents(depth, tuple(frames[:limit]))

    def unlink(self, dir_fd: int, name: str) -> None:
        """See ``Transport``; outlets notice that the file has lost its name."""
        check_name(name)
        remove(dir_fd, name)


TRANSPORT = PipeTransport()


def _open_fifo(dir_fd: int, name: str, access: int) -> int:
    check_name(name)
    # Not through open_checked: a FIFO that nobody reads is ENXIO, as a socket file is.
    with translated(f"cannot open {name}"):
        try:
            fd = os.open(name, access | os.O_NONBLOCK | BASE_FLAGS, dir_fd=dir_fd)
        except OSError as exc:
            if exc.errno == errno.ENXIO:
                msg = f"nobody holds {name} any more"
                raise MailboxNotFoundError(msg) from exc
            raise
        fcntl.fcntl(fd, fcntl.F_SETFL, _PACKETS)
    return fd


def _size(fd: int, what: str, capacity: int) -> None:
    # The kernel rounds up to a power of two of pages and shrinks silently.
    try:
        if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) != capacity:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, capacity)
    except PermissionError as exc:
        raise _limit(f"{what} of {capacity} bytes", capacity) from exc
    if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < capacity:
        raise _limit(f"{what} of {capacity} bytes", capacity)


def _limit(what: str, capacity: int) -> LimitError:
    if capacity > _sysctl("pipe-max-size"):
        return _too_small(what, "pipe-max-size", "bytes for one pipe")
    return _too_small(what, "pipe-user-pages-soft", "pages for all pipes of a user")


def _too_small(what: str, limit: str, unit: str) -> LimitError:
    name = f"fs.{limit}"
    return LimitError(what, name, _sysctl(limit), unit, f"sysctl {name}=")


def _sysctl(limit: str) -> int:
    return int((_LIMITS / limit).read_text())


def _room(fd: int) -> int:
    """Return how many packets the FIFO holds."""
    size: int = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
    return size // PACKET_BYTES


def _copies(fd: int, name: str) -> list[bytes]:
    """Return the packets that wait in *fd*, which keeps them."""
    from transports import linux  # noqa: PLC0415 - ctypes takes 10 ms, which senders need not pay

    with contextlib.ExitStack() as undo:
        ends = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK | os.O_DIRECT)
        for end in ends:
            undo.callback(os.close, end)
        room = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
        _size(ends[1], f"a copy of the mailbox {name}", room)
        packets: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            linux.tee(fd, ends[1])
            while True:  # each read is one packet
                packets.append(os.read(ends[0], PACKET_BYTES))
    return packets


def _bytes_in(fd: int) -> int:
    answer = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, "little")
