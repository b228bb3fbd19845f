"""Mailboxes that are rings in mapped files: the fastest transport of one host.

Responsible for the names, sizes, creation and removal of the files, and for the bells.
What happens inside a ring is in ``ring.h``.

Files:
    ``17.mail`` is a ring, ``17.bell`` the FIFO that wakes its receiver, ``17.room`` the
    one that wakes senders.  A process has one of each for all of its rings: ``17.mail``
    and ``17.lane`` share them.  A ring whose name ends otherwise has its own.

Waiting:
    A receiver that only waits for ``fileno`` is rung for every frame.  One that looks
    at its rings first (``look``) says itself when it sleeps: from its first ``arm`` or
    ``disarm`` on, senders ring only between the two.

    A sender that finds no room writes a byte to ``17.room``, which makes it full, and
    waits until it is writable; the receiver reads it empty when half of the ring is
    free.  Nobody has it open before.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import struct
from collections.abc import Iterator

from transports import _ring
from transports.errors import (
    CorruptError,
    EndpointError,
    MailboxNotFoundError,
    TransportError,
    space_for,
    translated,
)
from transports.files import (
    BASE_FLAGS,
    PRIVATE,
    check_name,
    open_checked,
    shrink,
    verify,
)
from transports.mailbox import SEATS, Contents, Depth, Note, Waiting
from transports.record import HEADER

SHARING_ENDINGS = (".mail", ".lane")
BELLS = (".bell", ".room")
MAX_RETRIES = 3  # of a count that senders or the receiver spoilt meanwhile

_RING = "a regular file"
_BELL = "a FIFO"
_UNFINISHED = ".new"
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | BASE_FLAGS
_WORD = struct.Struct("=Q")


class ShmTransport:
    """See the module."""

    scheme = "shm"
    inline_limit = _ring.FRAME_LIMIT
    default_capacity = 256 * 1024
    keeps_elsewhere = False

    def create(self, dir_fd: int, name: str, capacity: int | None = None) -> int:
        """See ``Transport``; the capacity becomes the next power of two."""
        check_name(name)
        size = _rounded(self.default_capacity if capacity is None else capacity)
        needed = _ring.HEADER_BYTES + size
        with (
            translated(f"cannot create {name}"),
            space_for(f"the mailbox {name}", needed, dir_fd),
        ):
            # By its name only once it is a ring: whoever looks earlier would call it
            # damaged.
            unfinished = name + _UNFINISHED
            fd = os.open(unfinished, _NEW, PRIVATE, dir_fd=dir_fd)
            made: list[str] = []
            try:
                # Not ftruncate: a write to a hole of a full tmpfs is a SIGBUS.
                os.posix_fallocate(fd, 0, needed)
                verify(fd, _RING, name)
                _ring.format_ring(fd, size)
                for bell in BELLS:
                    made += _create_bell(dir_fd, name, bell)
                os.link(unfinished, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            except BaseException:
                os.close(fd)
                for bell in made:
                    _remove(dir_fd, bell)
                raise
            finally:
                _remove(dir_fd, unfinished)
        return fd

    def open(self, held: int, dir_fd: int, name: str, seat: int = 0) -> _ring.Reader:
        """See ``Transport``."""
        return open_reader(held, dir_fd, name, seat)

    def connect(
        self, dir_fd: int, name: str, *, note: Note | None = None
    ) -> _ring.Writer:
        """See ``Transport``."""
        fd = open_checked(dir_fd, name, os.O_RDWR, _RING)
        try:
            bell = open_bell(dir_fd, name)
            room = functools.partial(_open_room, dir_fd, name)
            try:
                with translated(f"cannot map {name}"):
                    if note is None:
                        return _ring.Writer(fd, bell, room)
                    return _ring.Writer(
                        fd, bell, room, note.buffer, note.offset, note.value
                    )
            except BaseException:
                os.close(bell)
                raise
        finally:
            os.close(fd)

    def inspect(
        self,
        dir_fd: int,
        name: str,
        *,
        held: int | None = None,
        head_bytes: int = 0,
        limit: int | None = None,
    ) -> Contents:
        """See ``Transport``; the file is read, so nobody needs to hold it."""
        fd = open_checked(dir_fd, name, os.O_RDONLY, _RING) if held is None else held
        try:
            size = capacity(fd)
            head, records = _records(fd, size)
        finally:
            if held is None:
                os.close(fd)
        frames = itertools.islice(_walk(head, records, head_bytes), limit)
        return Contents(_depth_of(head, records, size), tuple(frames))

    def unlink(self, dir_fd: int, name: str) -> None:
        """See ``Transport``; the bells go with the last ring that shares them."""
        check_name(name)
        try:
            fd = open_checked(dir_fd, name, os.O_RDWR, _RING)
        except MailboxNotFoundError:
            pass
        else:
            try:
                # A file too short to have a header, left by a creation that failed,
                # has no senders either; mapping it would succeed and storing kill.
                if os.fstat(fd).st_size >= _ring.HEADER_BYTES:
                    _ring.mark_closed(fd)
            finally:
                os.close(fd)
            _remove(dir_fd, name)
            _wake_senders(dir_fd, name)
        if not any(_exists(dir_fd, sibling) for sibling in _sharing(name)):
            for bell in BELLS:
                _remove(dir_fd, _bell_name(name, bell))


TRANSPORT = ShmTransport()


def open_reader(held: int, dir_fd: int, name: str, seat: int = 0) -> _ring.Reader:
    """Return a receiving end of a ring; see ``Transport.open``."""
    verify(held, _RING, name)
    if not 0 <= seat < SEATS:
        msg = f"seat={seat}: a mailbox has the seats 0 to {SEATS - 1}"
        raise EndpointError(msg)
    with translated(f"cannot map {name}"):
        return _ring.Reader(
            held,
            functools.partial(open_bell, dir_fd, name),
            functools.partial(_open_room, dir_fd, name),
            seat,
        )


def ring_bell(dir_fd: int, name: str) -> None:
    """Wake the receiver of the ring *name*.

    For whoever reaps a sender that was killed with its note set.  Ringing in vain
    costs the receiver a look.

    Raises:
        MailboxNotFoundError: It does not exist any more.
    """
    bell = open_bell(dir_fd, name)
    try:
        with contextlib.suppress(BlockingIOError):  # it holds a page of rings already
            os.write(bell, b"\0")
    finally:
        os.close(bell)


def capacity(held: int) -> int:
    """Return the bytes of records the ring can hold.

    Raises:
        CorruptError: *held* is not a ring.
    """
    size = os.fstat(held).st_size - _ring.HEADER_BYTES
    if size <= 0:
        msg = f"a file of {size + _ring.HEADER_BYTES} bytes is not a ring"
        raise CorruptError(msg)
    return size


def depth(held: int) -> Depth:
    """Return how much waits in a ring, without mapping it.

    For information: what makes no sense is not an error here but a count of 0 that is
    not exact.

    Raises:
        CorruptError: *held* is not a ring.
    """
    size = capacity(held)
    result = _depth_once(held, size)
    retries = 0
    while not result.exact and retries < MAX_RETRIES:
        result = _depth_once(held, size)
        retries += 1
    return result


def waiting_in(held: int, head_bytes: int) -> list[Waiting]:
    """Return the frames that wait in a ring, without mapping it.

    Raises:
        CorruptError: *held* is not a ring.
    """
    head, records = _records(held, capacity(held))
    return list(_walk(head, records, head_bytes))


def recoveries(held: int) -> int:
    """Return how many senders died while they wrote to the ring."""
    return int.from_bytes(os.pread(held, 4, _ring.RECOVERIES_OFFSET), "little")


def _walk(head: int, records: bytes, head_bytes: int) -> Iterator[Waiting]:
    """Yield the frames that begin at position *head*; what makes no sense ends them."""
    at = 0
    while at + HEADER.size <= len(records):
        mark, length, seq = HEADER.unpack_from(records, at)
        begin = at + HEADER.size
        if (
            mark != _ring.RECORD_MARK
            or seq & ~_ring.RECORD_TAKEN != head + at
            or begin + length > len(records)
        ):
            return
        if not seq & _ring.RECORD_TAKEN:
            yield Waiting(length, records[begin : begin + min(length, head_bytes)])
        at = (begin + length + 7) & ~7


def _depth_once(held: int, size: int) -> Depth:
    return _depth_of(*_records(held, size), size)


def _depth_of(head: int, records: bytes, size: int) -> Depth:
    if head < 0:
        return Depth(0, exact=False, bytes=None, capacity_bytes=size)
    frames, is_whole = _ring.count_frames(records, head)
    return Depth(frames, is_whole, len(records), size)


def _records(held: int, size: int) -> tuple[int, bytes]:
    """Return the position of the first record and the bytes of all; -1 and nothing where the positions make no sense."""
    # One read for both positions: little can happen between them, but it can.
    header = os.pread(held, _ring.HEADER_BYTES, 0)
    (head,) = _WORD.unpack_from(header, _ring.HEAD_OFFSET)
    (tail,) = _WORD.unpack_from(header, _ring.TAIL_OFFSET)
    used = tail - head
    if not 0 <= used <= size:
        return -1, b""
    start = head % size
    first = min(used, size - start)
    records = os.pread(held, first, _ring.HEADER_BYTES + start)
    return head, records + os.pread(held, used - first, _ring.HEADER_BYTES)


def _rounded(wanted: int) -> int:
    if not 0 < wanted <= _ring.MAX_CAPACITY:
        msg = f"the capacity of a ring is 1 to {_ring.MAX_CAPACITY} bytes, not {wanted}"
        raise EndpointError(msg)
    return max(1 << (wanted - 1).bit_length(), _ring.HEADER_BYTES)


def _stem(name: str) -> str | None:
    """Return what comes before the ending of a ring that shares its bell; None for one that does not."""
    stem, dot, ending = name.rpartition(".")
    return stem if stem and dot + ending in SHARING_ENDINGS else None


def _sharing(name: str) -> list[str]:
    """Return the names of all rings that would use the bell of *name*."""
    stem = _stem(name)
    return [name] if stem is None else [stem + other for other in SHARING_ENDINGS]


def _bell_name(name: str, bell: str = ".bell") -> str:
    return (_stem(name) or name) + bell


def _exists(dir_fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove(dir_fd: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return


def _create_bell(dir_fd: int, name: str, bell: str) -> list[str]:
    """Return the names of the files it has made."""
    made = _bell_name(name, bell)
    try:
        os.mkfifo(made, PRIVATE, dir_fd=dir_fd)
    except FileExistsError:
        # the other ring's: is it really a bell?
        os.close(open_bell(dir_fd, name, bell))
        return []
    return [made]


def open_bell(dir_fd: int, name: str, bell: str = ".bell") -> int:
    """Return a descriptor of a bell of the ring *name*.

    Raises:
        MailboxNotFoundError: It does not exist any more.
    """
    # For reading too, on both ends: a FIFO without a reader cannot be opened for
    # writing (ENXIO), and a write to it would be a SIGPIPE.
    flags = os.O_RDWR | os.O_NONBLOCK
    fd = open_checked(dir_fd, _bell_name(name, bell), flags, _BELL)
    try:
        # A user has 16 384 pipe pages; a bell needs one, the default is 16.
        shrink(fd)
    except OSError as exc:
        if exc.errno not in {errno.EBUSY, errno.EPERM}:  # fewer pages are a favour
            os.close(fd)
            msg = f"cannot shrink the bell of {name}: {exc.strerror}"
            raise TransportError(msg) from exc
    return fd


def _open_room(dir_fd: int, name: str) -> int | None:
    """Return None where it cannot be opened: its ring is gone, or this process has too many open files."""
    try:
        return open_bell(dir_fd, name, ".room")
    except (TransportError, OSError):
        return None


def _wake_senders(dir_fd: int, name: str) -> None:
    """Let those that wait for room find out that the ring has been closed."""
    room = _open_room(dir_fd, name)
    if room is not None:
        with contextlib.suppress(BlockingIOError):
            os.read(room, 4096)
        os.close(room)
