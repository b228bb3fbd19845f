"""The way from this process to one mailbox or lane: the outlet, the closed mark, and what waits here for room.

Accepted means in the mailbox; what waits in the outbox is not accepted yet and is lost with this process.
Order is kept: while anything waits, whatever comes later waits behind it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from actors.pending import WAITING
from actors.runtime import lanes, status
from actors.wire import frame, parcel
from transports.errors import ClosedError, CorruptError
from transports.ledger import Ledger
from transports.mailbox import GatheringOutlet, Outlet, Put

if TYPE_CHECKING:
    from actors.pending import Pending

# Looked up once: each is used for every message.
_ACCEPTED, _FULL, _CLOSED = Put.ACCEPTED, Put.FULL, Put.CLOSED
_RECORD_BYTES = 16  # what stands before a frame
_now_ns = time.monotonic_ns
_FLAGS_AT, _BLOB, _CLOSED_WORD = frame.FLAGS_AT, frame.BLOB, status.CLOSED
# For one mailbox, or for the root supervisor; past it a send is refused with MailboxFullError.
# Answers are never refused: there are no more of them than their asker has asked for.
OUTBOX_BYTES = 16 * 2**20

Parts: TypeAlias = tuple[bytes, bytes, bytes]  # of a frame: header, method, body


class Letter:
    """A frame that waits for room.

    Attributes:
        parts: Of the frame.
        size: What it takes, in bytes: with a payload of its own, without memory that it only refers to.
        has_payload: Whether the frame only names what is sent.
        since_ns: Since when it waits.
        pending: Settled when it is accepted, or when its answer comes.
        is_question: Which of them.
    """

    __slots__ = (
        "has_payload",
        "is_question",
        "parts",
        "pending",
        "since_ns",
        "size",
    )

    def __init__(
        self,
        parts: Parts,
        pending: Pending[Any],
        is_question: bool,  # noqa: FBT001 - positional for speed
    ) -> None:
        header, method, body = parts
        self.parts = parts
        self.size = len(header) + len(method) + len(body)
        self.has_payload = bool(header[_FLAGS_AT] & _BLOB)
        if self.has_payload:
            self.size += parcel.size(body)
        self.since_ns = _now_ns()
        self.pending = pending
        self.is_question = is_question


class Route:
    """The way to one mailbox or lane."""

    __slots__ = (
        "_has_room",
        "_is_full_outside",
        "_ledger",
        "_outlet",
        "_put",
        "_put_first",
        "_put_some",
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
        ledger: Ledger | None = None,
    ) -> None:
        """Send to process *number*.

        Args:
            number: Whose mailbox or lane it is.
            outlet: The way there; None as long as the mailbox is damaged.
            limit: The largest frame.
            page: The receiver's status page; None for a lane.
            ledger: What waits outside of the mailbox; None for a lane.
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
        # Of the outlet: for what finds the outbox empty, for what was in it, and for several of those at once.
        self._put_first: Callable[..., Put]
        self._put: Callable[..., Put]
        self._put_some: Callable[[list[Parts]], tuple[Put, int]] | None
        self._has_room: Callable[[], bool] | None
        self.outbox: deque[Letter] = deque()
        self.outbox_bytes = 0
        self._connect(outlet)
        self._status = page
        self._ledger = ledger
        self._is_full_outside = False  # when something last waited for room

    def _connect(self, outlet: Outlet | None) -> None:
        self._outlet = outlet
        self._put_some = self._has_room = None
        if outlet is not None:
            self._put = self._put_first = outlet.put
        # To ask for the whole protocol takes as long as all the rest (CPython 3.11).
        if getattr(outlet, "gathers", False):
            gathering = cast("GatheringOutlet", outlet)
            self._put_first = gathering.put_unless_behind
            self._put_some = gathering.put_some
            self._has_room = gathering.has_room

    @property
    def page(self) -> status.StatusPage | None:
        """The receiver's status page; None for a lane."""
        return self._status

    def put(self, *parts: bytes) -> Put:
        """Offer a frame.

        The closed mark is read again after an accepted put: the cleaner sets it before it drains for the last time,
        so a frame that was put after that drain is found here and counts as refused.
        """
        if parts[0][_FLAGS_AT] & _BLOB:
            payload = self._claim(parts[-1])
            if payload is None:
                return _FULL
            if payload:
                return self._put_counted(payload, parts)
        if self._outlet is None:
            return _FULL
        try:
            result = (self._put if self.outbox else self._put_first)(*parts)
        except CorruptError:
            self.is_damaged = True
            # A lane gets no successor while its owner lives, who can be told nothing any more.
            return _CLOSED if self._status is None else _FULL
        page = self._status
        if result is _ACCEPTED and (page is None or not page.words[_CLOSED_WORD]):
            return result
        return self._judged(result)

    def _put_counted(self, payload: bytes, parts: tuple[bytes, ...]) -> Put:
        """Offer a frame whose *payload* is counted."""
        result = _FULL
        try:
            if self._outlet is not None:
                result = self._judged(self._put(*parts))
        except CorruptError:
            self.is_damaged = True
        finally:
            self._settle(payload, result)
        return result

    def _judged(self, result: Put) -> Put:
        """Return what became of what was put with this *result*."""
        if result is _FULL:
            self.is_full = True
        elif self._status is not None and self._status.words[_CLOSED_WORD]:
            return _CLOSED
        elif result is not _ACCEPTED:
            return self._closed(result)
        return result

    def may_have_room(self) -> bool:
        """Return whether it is worth the while to offer what waits."""
        return self._has_room is None or self._has_room()

    def first_letters(self) -> list[Letter]:
        """Return the letters that can be offered at once, of those that wait: without payloads to count, and still wanted."""
        letters: list[Letter] = []
        if self._put_some is None:
            return letters
        room = _RECORD_BYTES + self.limit
        for letter in self.outbox:
            room -= _RECORD_BYTES + letter.size
            if room < 0 or letter.has_payload or letter.pending.state != WAITING:
                break
            room &= ~7  # each record begins at a multiple of 8
            letters.append(letter)
        return letters

    def put_some(self, letters: list[Letter]) -> tuple[Put, int]:
        """Offer what ``first_letters`` has returned; as ``put``, and how many letters that was."""
        assert self._put_some is not None  # noqa: S101 - else there are no letters
        result, count = self._put_some([letter.parts for letter in letters])
        return self._judged(result), count

    def _claim(self, body: bytes) -> bytes | None:
        """Count the payload of a frame as one that waits outside of the mailbox.

        Returns:
            Its name; empty where there is nothing to count, and None where too much waits already.
        """
        own = None if self._ledger is None else parcel.own(body)
        if self._ledger is None or own is None:
            return b""
        self._is_full_outside = not self._ledger.claim(*own)
        self.is_full |= self._is_full_outside
        return None if self._is_full_outside else own[0]

    def _settle(self, payload: bytes, result: Put) -> None:
        """Go on counting *payload*, or do not: *result* is what became of its frame."""
        if self._ledger is not None:
            accepted = result is _ACCEPTED
            settle = self._ledger.confirm if accepted else self._ledger.release
            settle(payload)

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
        self._connect(outlet)
        self.inode = inode
        self.is_damaged = False

    def fileno(self) -> int | None:
        """Return a descriptor that becomes writable when there is room; None where nobody will say it.

        To be asked for after each put that found none.
        """
        if self._outlet is None or self.is_damaged or not self.is_full:
            return None
        if self._is_full_outside and self._ledger is not None:
            # Of a mailbox that has ended, nobody would remove what is made to wait.
            is_closed = self._status is None or self._status.words[_CLOSED_WORD]
            return None if is_closed else self._ledger.await_room()
        try:
            fd = self._outlet.fileno()
        except CorruptError:
            self.is_damaged = True
            return None
        except ClosedError:  # by another thread
            return None
        return None if fd is None or fd < 0 else fd

    def queue(self, letter: Letter, is_bounded: bool = True) -> bool:  # noqa: FBT001, FBT002 - positional for speed
        """Let *letter* wait for room; False when there is no place for it here either."""
        size = self.outbox_bytes + letter.size
        if (
            size > OUTBOX_BYTES
            and is_bounded
            and (self._status is not None or self.number == lanes.ROOT)
            and self.outbox  # one always fits
        ):
            return False
        self.outbox.append(letter)
        self.outbox_bytes = size
        return True

    def take_out(self, letters: list[Letter]) -> None:
        """Take *letters* out, which are the first."""
        drop = self.outbox.popleft
        for letter in letters:
            drop()
            self.outbox_bytes -= letter.size

    def pop(self) -> Letter:
        """Take the first letter out."""
        letter = self.outbox.popleft()
        self.outbox_bytes -= letter.size
        return letter

    def has_ended(self, dir_fd: int) -> bool:
        """Return whether the receiver has ended; *dir_fd* is the directory of the system."""
        if self._status is not None:
            return bool(self._status.words[status.CLOSED])
        return not lanes.exists(dir_fd, self.number)

    def close(self) -> None:
        """Let go of the outlet."""
        if self._outlet is not None:
            self._outlet.close()
        if self._ledger is not None:
            self._ledger.close()
        self._status = None
