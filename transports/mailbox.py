"""The contract of a transport: what every mailbox promises, whatever it is made of.

A mailbox keeps the boundaries of frames, has any number of senders and receivers, and
outlives every process that uses it as long as somebody holds the descriptor that
``Transport.create`` returned.

It has room for so much, over all senders together, and none that is killed makes that less.

Each frame is taken by one of the receivers.  Taking moves it into a ``Slot``: memory of
the receiver that outlives it too.  So at whatever instruction a receiver is killed, each
frame is in the mailbox, in a slot, or in both (``Mailbox.settle`` sorts that out), and
never in neither; the other receivers go on.

This file only says what holds; the transports are in modules of their own.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    # Only checkers know _typeshed; _ring imports this module to know Put and Depth.
    from _typeshed import ReadableBuffer, WriteableBuffer

    from transports._ring import Slot


SEATS = 254
"""How many receivers a mailbox may have at a time."""


class Put(enum.IntEnum):
    """What became of a frame that was offered to a mailbox."""

    ACCEPTED = 0
    """It is in the mailbox and outlives its sender."""
    FULL = 1
    """There was no room just now; nothing was sent."""
    CLOSED = 2
    """The mailbox takes nothing more, ever; nothing was sent."""
    LATE = 3
    """It went in while the mailbox was being closed: perhaps nobody takes it any more."""


@attrs.frozen
class Depth:
    """How much waits in a mailbox.

    Attributes:
        frames: Frames waiting; of a ring, also those that are just being taken.
        exact: False: *frames* is a lower bound, because the kernel does not tell, or
            because senders were faster than the count.
        bytes: What the frames take of the capacity, headers included; None where the
            kernel does not tell.
        capacity_bytes: What the mailbox can hold; None where it is not counted in
            bytes.
        capacity_frames: The same where it is counted in frames; several small ones that
            were put at once count as one.
    """

    frames: int
    exact: bool
    bytes: int | None
    capacity_bytes: int | None
    capacity_frames: int | None = None


@attrs.frozen
class Waiting:
    """A frame that waits, seen without being taken.

    Attributes:
        size: Of the frame, in bytes.
        head: Its first bytes, as many as were asked for.
    """

    size: int
    head: bytes


@attrs.frozen
class Contents:
    """What was in a mailbox a moment ago.

    Attributes:
        depth: How much.
        frames: The oldest frames, oldest first; None where the kernel shows frames only
            to who takes them.
    """

    depth: Depth
    frames: tuple[Waiting, ...] | None


@attrs.frozen
class Note:
    """Where a sender says that a put is under way.

    While it is, the 8 bytes at *offset* hold *value*; they are 0 again once the
    receiver has been woken.  Whoever reaps a killed sender finds there which mailbox's
    bell it may owe a ring.  Only transports that wake the receiver in a step of their
    own write it; a kernel object that does both at once owes nothing.

    Attributes:
        buffer: Writable shared memory; one word serves all outlets of a process.
        offset: A multiple of 8.
        value: Not 0.
    """

    buffer: WriteableBuffer
    offset: int
    value: int


class Mailbox(Protocol):
    """The receiving end."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when a frame may be waiting.

        One frame wakes all receivers that wait with ``poll``, and one of those that wait
        with ``EPOLLEXCLUSIVE``: if that one ends, or stops, without having taken, the
        others have to be told to look in another way.

        A readable descriptor with nothing to take is possible; a waiting frame with a
        descriptor that stays silent is not, provided that after it became readable
        ``take`` is called until it returns None.
        """
        ...

    def take(self, slot: Slot, /) -> bytes | None:
        """Move the next frame into the empty *slot* and return a private copy of it.

        ``slot.source`` says which mailbox it came from: the inode of what ``create``
        returned.

        Returns:
            None when nothing waits.

        Raises:
            ValueError: *slot* still holds a frame, or is smaller than the transport's
                inline limit.
            CorruptError: The mailbox can never be read again.  Raised once; after
                that nothing waits.
            ClosedError: This end has been closed.
        """
        ...

    def settle(self, *slots: Slot) -> None:
        """Finish what the receiver that had this seat before was doing when it died.

        To be called after its death and before the first ``take``, with all of its
        slots.  Afterwards each frame that it had taken is in one of them and not in the
        mailbox.  The other receivers go on meanwhile.  Idempotent.

        Raises:
            CorruptError: As in ``take``.
            ClosedError: This end has been closed.
        """

    def depth(self) -> Depth:
        """Return how much waits.

        Raises:
            ClosedError: This end has been closed.
        """
        ...

    def close(self) -> None:
        """Let go of the mailbox, which goes on without this end.  Idempotent."""


class Outlet(Protocol):
    """A sending end."""

    def put(self, *parts: ReadableBuffer) -> Put:
        """Offer one frame, the concatenation of *parts* (at most 16).

        Never blocks; a ring waits at most 2 ms for another sender.

        Delivery:
            ``ACCEPTED`` frames of one outlet are taken in the order of their puts.
            What is ``LATE`` may have been taken, or be found by whoever closes the
            mailbox, or by nobody.

        Raises:
            FrameTooLargeError: The frame is larger than the inline limit.
            CorruptError: The mailbox's shared bytes make no sense.
            ClosedError: This end has been closed.
        """
        ...

    def fileno(self) -> int | None:
        """Return a descriptor that becomes writable when there is room, if there is one.

        To be asked for after each put that answered ``FULL``: asking begins the wait.
        Writable means that another put is worth it, not that it finds room.  A mailbox
        may let several frames go before it says so, but says so before it is empty.

        Returns:
            None where nobody will say it: look again after a while.
        """
        ...

    def close(self) -> None:
        """Let go of the mailbox.  Idempotent."""


@runtime_checkable
class GatheringOutlet(Outlet, Protocol):
    """What an outlet may do besides: offer several small frames at the price of one.

    Attributes:
        gathers: Whether its mailbox lets it; else it offers one at a time.
    """

    @property
    def gathers(self) -> bool: ...  # noqa: D102 - see the class

    def put_unless_behind(self, *parts: ReadableBuffer) -> Put:
        """As ``put``, but ``FULL`` also where the frame had better wait for more, and go with them: so much waits already."""
        ...

    def put_some(
        self, frames: Sequence[tuple[ReadableBuffer, ...]], /
    ) -> tuple[Put, int]:
        """Offer the first of *frames*, each a tuple of its parts, as many as go at once.

        Returns:
            What became of them, of all alike, and how many those were: at least one.

        Raises:
            ValueError: There is no frame.
            TransportError: As ``put``.
        """
        ...

    def has_room(self) -> bool:
        """Return whether it is worth the while to gather frames for an offer, which may fail all the same; not once closed."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """What a transport may do besides: let senders put several frames at once."""

    def gather(self, dir_fd: int, name: str) -> None:
        """Let outlets of the mailbox *name*, just created, put several frames at once.

        Not for one with several receivers: what came at once goes to one of them.
        What is in it when it has been unlinked can be taken by an end opened before.

        Raises:
            NoSpaceError: There is no room for what that takes.
        """
        ...


class Transport(Protocol):
    """A way to make mailboxes.

    Every name is a plain file name inside the directory *dir_fd*, which must be
    private to the user.  Names are all that processes need to share.

    Attributes:
        scheme: Its name in addresses and in ``transports.registry``.
        inline_limit: The largest frame, in bytes.
        default_capacity: Bound of a mailbox, in bytes.
        keeps_elsewhere: Whether a mailbox is more than files in its directory, so that
            ``unlink`` must be called also when the whole directory is removed.
    """

    @property
    def scheme(self) -> str: ...  # noqa: D102 - see the class

    @property
    def inline_limit(self) -> int: ...  # noqa: D102 - see the class

    @property
    def default_capacity(self) -> int: ...  # noqa: D102 - see the class

    @property
    def keeps_elsewhere(self) -> bool: ...  # noqa: D102 - see the class

    def create(self, dir_fd: int, name: str, capacity: int | None = None) -> int:
        """Make a mailbox and return the descriptor that keeps it alive.

        The descriptor is close-on-exec; its holder need not be the receiver.

        Args:
            dir_fd: The directory.
            name: The mailbox's name in it.
            capacity: Bytes it should hold; rounded up, ignored where the kernel
                decides.  None: ``default_capacity``.

        Raises:
            MailboxExistsError: The name is taken.
            NoSpaceError: There is no room for it; nothing is left behind.
            EndpointError: The name or the capacity cannot be used.
        """
        ...

    def open(self, held: int, dir_fd: int, name: str, seat: int = 0) -> Mailbox:
        """Return a receiving end.

        May be called again when an earlier receiver has died, also by the holder
        itself to see what is left.

        Args:
            held: What ``create`` returned, or a duplicate; stays the caller's.
            dir_fd: The directory; must stay open as long as the mailbox.
            name: The mailbox's name in it.
            seat: Of this receiver, below ``SEATS``.  No two that take at a time may
                have the same; whoever takes the place of a dead one has its seat.

        Raises:
            EndpointError: *held* is not a mailbox of this transport, or there is no
                such seat.
            CorruptError: It is one and makes no sense.
        """
        ...

    def connect(self, dir_fd: int, name: str, *, note: Note | None = None) -> Outlet:
        """Return a sending end.

        Raises:
            MailboxNotFoundError: It does not exist (any more).
            EndpointError: What stands there is not a mailbox of this user.
            CorruptError: It is one and makes no sense.
        """
        ...

    def inspect(
        self,
        dir_fd: int,
        name: str,
        *,
        held: int | None = None,
        head_bytes: int = 0,
        limit: int | None = None,
    ) -> Contents:
        """Look into a mailbox without taking anything, from any process of the user.

        For information: senders and the receiver go on meanwhile.

        Args:
            dir_fd: The directory.
            name: The mailbox's name in it.
            held: What ``create`` returned, or a duplicate: some kernel objects show
                their frames only to who holds them.
            head_bytes: How much of each frame to return.
            limit: How many frames to return at most; None for all.

        Raises:
            MailboxNotFoundError: It does not exist (any more).
            EndpointError: What stands there is not a mailbox of this user.
            CorruptError: It is one and makes no sense.
            LimitError: A limit of the machine leaves no room for the copy of a pipe.
        """
        ...

    def unlink(self, dir_fd: int, name: str) -> None:
        """Remove the mailbox's name and let later puts answer ``CLOSED``.  Idempotent.

        What is in the mailbox can still be taken through the held descriptor.
        """
