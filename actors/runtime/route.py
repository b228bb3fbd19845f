"""The way from this process to one mailbox or lane: the outlet, the closed mark, and what waits here for room.

Accepted means in the mailbox; what waits in the outbox is not accepted yet and is lost with this process.
Order is kept: while anything waits, whatever comes later waits behind it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from actors.runtime import lanes, status
from actors.wire import frame, parcel
from transports.errors import ClosedError, CorruptError
from transports.mailbox import Outlet, Put

if TYPE_CHECKING:
    from actors.pending import Pending

# Looked up once: each is used for every message.
_ACCEPTED, _FULL, _CLOSED = Put.ACCEPTED, Put.FULL, Put.CLOSED
# For one mailbox, or for the root supervisor; past it a send is refused with MailboxFullError.
# Answers are never refused: there are no more of them than their asker has asked for.
OUTBOX_BYTES = 16 * 2**20


class Letter:
    """A frame that waits for room.

    Attributes:
        parts: Of the frame.
        size: What it takes, in bytes: with a payload of its own, without memory that it only refers to.
        since_ns: Since when it waits.
        pending: Settled when it is accepted, or when its answer comes.
        is_question: Which of them.
    """

    __slots__ = ("is_question", "parts", "pending", "since_ns", "size")

    def __init__(
        self, parts: tuple[bytes, ...], pending: Pending[Any], *, is_question: bool
    ) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))
        if parts[0][frame.FLAGS_AT] & frame.BLOB:
            self.size += parcel.size(parts[-1])
        self.since_ns = time.monotonic_ns()
        self.pending = pending
        self.is_question = is_question


class Route:
    """The way to one mailbox or lane."""

    __slots__ = (
        "_outlet",
        "_status",
        "asker",
        "inode",
        "is_damaged",
        "is_full",
        "is_told",
        "limit",
        "number",
        "outbox",
        "outbox_bytes",
        "reported",
    )

    def __init__(
        self,
        number: int,
        outlet: Outlet | None,
        limit: int,
        page: status.StatusPage | None,
    ) -> None:
        """Send to process *number*.

        Args:
            number: Whose mailbox or lane it is.
            outlet: The way there; None as long as the mailbox is damaged.
            limit: The largest frame.
            page: The receiver's status page; None for a lane.
        """
        self.number = number
        self.is_damaged = outlet is None
        # When something last waited for room, and not for a credit.
        self.is_full = False
        self.is_told = False  # that what waits has waited for long
        self.inode = 0  # of the mailbox, to tell it from its successor
        self.reported = 0  # the one that is known to be damaged
        # Of a lane, once its owner has asked us something: its status page.
        self.asker: status.StatusPage | None = None
        self.limit = limit
        self.outbox: deque[Letter] = deque()
        self.outbox_bytes = 0
        self._outlet = outlet
        self._status = page

    @property
    def page(self) -> status.StatusPage | None:
        """The receiver's status page; None for a lane."""
        return self._status

    def put(self, *parts: bytes) -> Put:
        """Offer a frame.

        The closed mark is read again after an accepted put: the cleaner sets it before it drains for the last time,
        so a frame that was put after that drain is found here and counts as refused.
        """
        if self._outlet is None:
            return Put.FULL
        try:
            result = self._outlet.put(*parts)
        except CorruptError:
            self.is_damaged = True
            return _FULL
        if result is _FULL:
            self.is_full = True
            return result
        if self._status is not None and self._status.words[status.CLOSED]:
            return _CLOSED
        return result if result is _ACCEPTED else self._closed(result)

    def _closed(self, result: Put) -> Put:
        if self._status is None:
            return _CLOSED
        # The receiver has not ended: it has another mailbox.
        self.is_damaged = True
        # What came late shares the fate of all that was in the old one. Sent again, it could be handled twice.
        return _ACCEPTED if result is Put.LATE else _FULL

    def repair(self, outlet: Outlet, inode: int) -> None:
        """Go on with the mailbox that has taken the place of a damaged one."""
        if self._outlet is not None:
            self._outlet.close()
        self._outlet = outlet
        self.inode = inode
        self.is_damaged = False

    def fileno(self) -> int | None:
        """Return a descriptor that becomes writable when there is room; None where nobody will say it.

        To be asked for after each put that found none.
        """
        if self._outlet is None or self.is_damaged or not self.is_full:
            return None
        try:
            fd = self._outlet.fileno()
        except CorruptError:
            self.is_damaged = True
            return None
        except ClosedError:  # by another thread
            return None
        return None if fd is None or fd < 0 else fd

    def queue(self, letter: Letter, *, is_bounded: bool = True) -> bool:
        """Let *letter* wait for room; False when there is no place for it here either."""
        is_bounded &= self._status is not None or self.number == lanes.ROOT
        is_full = self.outbox_bytes + letter.size > OUTBOX_BYTES
        if is_bounded and is_full and self.outbox:  # one always fits
            return False
        self.outbox.append(letter)
        self.outbox_bytes += letter.size
        return True

    def pop(self) -> Letter:
        """Take the first letter out."""
        letter = self.outbox.popleft()
        self.outbox_bytes -= letter.size
        return letter

    def has_ended(self, dir_fd: int) -> bool:
        """Return whether the receiver has ended; *dir_fd* is the directory of the system."""
        if self._status is not None:
            return bool(self._status.words[status.CLOSED])
        return not os.access(lanes.file_name(self.number), os.F_OK, dir_fd=dir_fd)

    def close(self) -> None:
        """Let go of the outlet."""
        if self._outlet is not None:
            self._outlet.close()
        self._status = None
