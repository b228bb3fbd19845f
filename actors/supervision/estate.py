"""What an actor owns outside its process: mailbox, lane, bell, status page; made before its first start, cleaned up at its end.

All of it survives the process.
Cleaning up is: answer, event, drop, for one message after the other.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Callable, Iterator, Sequence

import attrs

from actors.exits import ExitKind, ExitReason
from actors.options import Options
from actors.runtime import lanes, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import mailbox_name
from actors.supervision.settings import ChildOptions
from actors.wire import frame, parcel
from actors.wire.frame import Header, Kind
from actors.wire.parcel import MAX_MESSAGE_BYTES
from transports import registry
from transports._ring import Slot
from transports.blob import BlobStore
from transports.errors import CorruptError
from transports.ledger import Ledger
from transports.mailbox import SEATS, Mailbox, Transport

HOLDER_SEAT = SEATS - 1  # of the root, when it takes beside an actor


@attrs.define(eq=False)
class Estate:
    """The kernel objects of one actor."""

    number: int
    directory: RuntimeDirectory
    transport: Transport
    page: status.StatusPage
    mailbox_fd: int
    mailbox_bytes: int | None
    mailbox_payload_bytes: int
    ledger: Ledger = attrs.field(init=False)
    _inode: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Look at what waits outside of the mailbox, and which one it is."""
        self.ledger = self.page.ledger(self.directory.fd, self.number)
        self.ledger.bound = self.mailbox_payload_bytes
        self._inode = self._inode_by_name()

    def _inode_by_name(self) -> int:
        """Return what senders know the mailbox by: its file's inode, which is not that of a socket or queue behind it."""
        name = mailbox_name(self.number)
        return os.stat(name, dir_fd=self.directory.fd, follow_symlinks=False).st_ino

    @classmethod
    def create(
        cls,
        directory: RuntimeDirectory,
        number: int,
        options: Options | ChildOptions,
        slots: int,
        names: tuple[str, str] = ("", ""),
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> Estate:
        """Make everything, a lane only where there are slots; nothing is left behind when something cannot be made.

        Raises:
            NoSpaceError: Shared memory is too small.
            EndpointError: No such transport.
            OSError: Another limit of the system.
        """
        transport = registry.get(options.transport or "shm")
        with contextlib.ExitStack() as undo:
            limit = transport.inline_limit
            questions = lanes.credits_of(lanes.ACTOR_LANE_BYTES)
            fd = directory.create_file(
                status.file_name(number), status.size(slots, limit, questions)
            )
            undo.callback(os.unlink, status.file_name(number), dir_fd=directory.fd)
            try:
                page = status.StatusPage.format(
                    fd,
                    slots,
                    limit,
                    transport.scheme,
                    names,
                    max_message_bytes=max_message_bytes,
                )
            finally:
                os.close(fd)
            # The processes of its siblings would keep it alive, and each fork would cost more with each actor.
            page.map.madvise(mmap.MADV_DONTFORK)
            if slots:
                lanes.create(directory.fd, number, lanes.ACTOR_LANE_BYTES)
                undo.callback(lanes.unlink, directory.fd, number)
            if transport.keeps_elsewhere:
                directory.announce(transport.scheme, mailbox_name(number))
            held = _create_mailbox(
                transport,
                directory.fd,
                mailbox_name(number),
                options.mailbox_bytes,
                is_shared=not slots,
            )
            undo.pop_all()
        sizes = options.mailbox_bytes, options.mailbox_payload_bytes
        return cls(number, directory, transport, page, held, *sizes)

    def begin(self, incarnation: int) -> None:
        """Let the page say what it does at the beginning of an *incarnation*, whatever was written over it."""
        self.page.begin(incarnation)
        self.ledger.bound = self.mailbox_payload_bytes

    def replace_mailbox(self) -> int:
        """Put an empty mailbox in the place of a damaged one, which nobody will read any more, and return the inode of that.

        Raises:
            TransportError: None could be made.
            OSError: The same.
        """
        name, inode = mailbox_name(self.number), self._inode
        self.transport.unlink(self.directory.fd, name)
        held = _create_mailbox(
            self.transport,
            self.directory.fd,
            name,
            self.mailbox_bytes,
            is_shared=not self.page.slot_count,
        )
        os.dup2(held, self.mailbox_fd, inheritable=False)
        os.close(held)
        self._inode = self._inode_by_name()
        self.ledger.lose()
        return inode

    def replace_lane(self) -> None:
        """Put an empty lane in the place of one that may be damaged: what is in it is for an incarnation that has ended.

        Raises:
            TransportError: None could be made.
            OSError: The same.
        """
        lanes.replace(self.directory.fd, self.number, lanes.ACTOR_LANE_BYTES)

    def is_mailbox(self, inode: int) -> bool:
        """Return whether *inode* is the mailbox's, and not that of one before it."""
        return self._inode == inode

    def damage(self, inode: int) -> ExitReason | None:
        """Return why an actor that runs has to end where somebody has found mailbox *inode* damaged, or with 0 something else; None if it need not."""
        if self.is_mailbox(inode):
            return ExitReason(ExitKind.MAILBOX_CORRUPT)
        # Closed is only what nobody runs for.
        if not self.page.is_intact() or self.page.words[status.CLOSED]:
            text = "its status page was damaged"
            return ExitReason(ExitKind.CONTROL_LOST, message=text)
        return None

    def in_hand(self) -> Iterator[tuple[Header, int]]:
        """Yield the messages the dead incarnation had started, and empty their slots afterwards.

        With each comes how many of several calls that it stands for were begun.

        A message that was only taken stays where it is: the next incarnation handles it first.
        """
        for slot in self.page.slots():
            if slot.filled and slot.started:
                for header in self._header(slot.frame()):
                    yield header, slot.begun
                slot.clear()

    def taken(self) -> list[tuple[Slot, Header]]:
        """Return the messages and notices that the dead incarnation had taken, each in its slot, started or not."""
        found = []
        for slot in self.page.slots():
            with contextlib.suppress(frame.FrameError):
                header = frame.read(slot.frame() or b"")
                if header.kind in {Kind.TELL, Kind.ASK, Kind.NOTICE}:
                    found.append((slot, header))
        return found

    def was_sending_to(self) -> int | None:
        """Return the process whose bell a dead sender may not have rung."""
        value = self.page.words[status.SENDING]
        self.page.words[status.SENDING] = 0
        return value - 1 if value else None

    def settle(self, seat: int, slots: Sequence[Slot]) -> None:
        """Finish what the dead receiver with this *seat* and *slots* was doing.

        Raises:
            CorruptError: The mailbox makes no sense.
        """
        mailbox = self._open_mailbox(seat)
        try:
            mailbox.settle(*slots)
        finally:
            mailbox.close()

    def is_quiet(self) -> bool:
        """Return whether the actor has nothing in hand and nothing to do."""
        words = self.page.words
        if (
            words[status.BUSY]
            or words[status.OUTBOX]
            or any(slot.filled for slot in self.page.slots())
        ):
            return False
        return self._depth() == 0

    def handled(self) -> int:
        """Return how many messages this incarnation has finished."""
        return self.page.words[status.HANDLED]

    def _depth(self) -> int:
        with contextlib.suppress(CorruptError):  # nobody will read what is in it
            mailbox = self._open_mailbox()
            try:
                return mailbox.depth().frames
            finally:
                mailbox.close()
        return 0

    def _open_mailbox(self, seat: int = 0) -> Mailbox:
        return self.transport.open(
            self.mailbox_fd, self.directory.fd, mailbox_name(self.number), seat
        )

    def suspend(self, drop: Callable[[Header], None]) -> None:
        """Accept nothing any more; *drop* gets what was queued, oldest first."""
        # Before the drain: a sender that puts later finds it and knows.
        self.page.words[status.CLOSED] = 1
        self._drain(drop)

    def resume(self, drop: Callable[[Header], None]) -> None:
        """Accept messages again; *drop* gets what a sender has put in meanwhile.

        The mark goes first: a sender that found it had put its message before, so that it is dropped here and never handled.
        One that did not find it may lose its message here, as a dead letter like any other.
        """
        self.page.words[status.CLOSED] = 0
        self._drain(drop)

    def close(self, drop: Callable[[Header], None]) -> None:
        """End it: as ``suspend``, and nothing is left."""
        self.suspend(drop)
        self.transport.unlink(self.directory.fd, mailbox_name(self.number))
        os.close(self.mailbox_fd)
        lanes.unlink(self.directory.fd, self.number)
        self.ledger.close()
        for name in (status.file_name(self.number), status.outside_name(self.number)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self.directory.fd)

    def _drain(self, drop: Callable[[Header], None]) -> None:
        # What a damaged mailbox held cannot be told.
        with contextlib.suppress(CorruptError):
            mailbox = self._open_mailbox()
            try:
                self._empty_mailbox(mailbox, drop)
            finally:
                mailbox.close()
        for slot in self.page.slots():
            self._empty(slot, drop)

    def _empty_mailbox(self, mailbox: Mailbox, drop: Callable[[Header], None]) -> None:
        mailbox.settle(*self.page.slots())
        for slot in self.page.slots():
            self._empty(slot, drop)
        limit = self.transport.inline_limit
        scratch = Slot(mmap.mmap(-1, Slot.size(limit)), 0, limit)
        while mailbox.take(scratch) is not None:
            self._empty(scratch, drop)

    def _empty(self, slot: Slot, drop: Callable[[Header], None]) -> None:
        for header in self._header(slot.frame()):
            drop(header)
        slot.clear()

    def _header(self, data: bytes | None) -> Iterator[Header]:
        """Yield the header of a message that nobody will handle, without its blob."""
        try:
            header = frame.read(data or b"")
        except frame.FrameError:
            return
        self.drop_blob(data or b"", header)
        yield header

    def drop_blob(self, data: bytes, header: Header) -> None:
        """Remove the payload of the frame *data*, which nobody will look into."""
        if header.flags & frame.BLOB:
            blobs = BlobStore(self.directory.blob_fd, str(self.number))
            with contextlib.suppress(ValueError):  # not a parcel: nothing to remove
                self.release_payload(data, header)
                parcel.drop(data[header.body_at :], blobs)

    def release_payload(self, data: bytes, header: Header) -> None:
        """The payload of the frame *data* waits outside of the mailbox no more.

        Raises:
            ValueError: *data* names none.
        """
        payload = parcel.own(data[header.body_at :])
        if payload is not None:
            self.ledger.release(payload[0])

    # What is done to the mailbox of an actor that goes on.

    def take_out(self, *, has_process: bool, spares_tried: bool = False) -> list[bytes]:
        """Take what waits, oldest first, beside the actor's process, if it *has_process*.

        What is sent meanwhile stays, so that this ends; so does, if this *spares_tried*, what a process has died of and is tried again.

        Raises:
            CorruptError: The mailbox makes no sense.
        """
        until = time.monotonic_ns()
        taken: list[bytes] = []
        if not has_process:  # what the last one had taken and not started waits too
            taken += self._unstarted(spares_tried=spares_tried)
        mailbox = self._open_mailbox(HOLDER_SEAT)
        try:
            limit = self.transport.inline_limit
            scratch = Slot(mmap.mmap(-1, Slot.size(limit)), 0, limit)
            while (data := mailbox.take(scratch)) is not None:
                scratch.clear()
                taken.append(data)
                if len(data) >= frame.HEADER_BYTES and frame.sent_ns(data) > until:
                    break
        finally:
            mailbox.close()
        return taken

    def _unstarted(self, *, spares_tried: bool) -> Iterator[bytes]:
        self.settle(0, self.page.slots())
        for slot in self.page.slots():
            data = slot.frame()
            if data is not None and not (spares_tried and frame.attempt(data)):
                yield data
                slot.clear()


def _create_mailbox(
    transport: Transport,
    dir_fd: int,
    name: str,
    capacity: int | None,
    *,
    is_shared: bool,
) -> int:
    """As ``Transport.create``; senders may gather what goes to one receiver."""
    held = transport.create(dir_fd, name, capacity)
    # Of ``Gathering``, which takes long to ask for as a whole.
    gather = None if is_shared else getattr(transport, "gather", None)
    if gather is not None:
        try:
            gather(dir_fd, name)
        except BaseException:
            os.close(held)
            transport.unlink(dir_fd, name)
            raise
    return held
