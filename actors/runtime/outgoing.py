"""What this process sends: the routes to others, and the outboxes of those that are full.

Nothing here blocks.
A frame is accepted, waits in a bounded outbox for room, or is refused at once.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from actors.errors import MailboxFullError, MessageTooLargeError
from actors.pending import WAITING, Pending
from actors.runtime import lanes, reports, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.questions import Questions
from actors.runtime.route import Letter, Parts, Route
from actors.wire import _header as wire
from actors.wire import frame, parcel
from actors.wire.frame import Kind
from actors.wire.parcel import Parcel
from transports import registry
from transports.blob import BlobStore
from transports.errors import (
    CorruptError,
    EndpointError,
    MailboxNotFoundError,
    NoSpaceError,
)
from transports.mailbox import Note, Put

# Looked up once: each is used for every message.
_header = wire.make
_HEADER_BYTES = frame.HEADER_BYTES
_PICKLE = int(frame.Codec.PICKLE)
_ASK = int(Kind.ASK)
_ACCEPTED = Put.ACCEPTED
_OUTBOX = status.OUTBOX
# Of what waits: whatever is written over the word, one more fits into it.
_COUNT_BITS = 2**32 - 1
_now_ns = time.monotonic_ns
_RECORD_BYTES = 16  # what the ring puts before a frame
FLUSH_EVERY = 8  # messages that wait for one receiver, which has taken some meanwhile
LOOK_AFTER = 16  # ways that are opened: so many of the ended may keep their memory
LONG_NS = 5_000_000_000  # whoever has waited so long for room tells the supervisor


def mailbox_name(number: int) -> str:
    """Return the file name of process *number*'s mailbox."""
    return f"{number}.mail"


class GoneError(Exception):
    """The receiver has ended for good; turned into ActorStoppedError with its reason before a user sees it."""


class Outgoing:
    """The routes of one process."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        number: int,
        page: status.StatusPage,
        questions: Questions,
        blobs: BlobStore,
    ) -> None:
        """Send in the name of process *number*, whose status page is *page*."""
        self.routes: dict[int, Route] = {}
        self.lanes: dict[int, Route] = {}
        self._opened, self._left = 0, 0  # since, and by, the last look for the ended
        # Routes with something in their outbox, by identity.
        self.backlog: dict[int, Route] = {}
        # Called with whether the receiver had room before.
        self.on_backlog: Callable[[bool], None] = lambda _: None
        self.on_undelivered: Callable[[int, Letter], None] = lambda *_: None
        # A request that has waited for room in the lane of a root supervisor that takes none any more.
        self.on_unasked: Callable[[Pending[Any]], None] = lambda _: None
        self.on_damaged: Callable[[int, int], None] = lambda *_: None
        self.on_expired: Callable[[int, Letter], None] = lambda *_: None
        self.on_full: Callable[[Route], None] = lambda *_: None
        self._directory = directory
        self._number = number
        self._blobs = blobs
        self.max_message_bytes = page.words[status.MAX_MESSAGE]
        self._status = page
        self._words = page.words
        self._questions = questions
        # Around outboxes only; signal handlers may re-enter.
        self._lock = threading.RLock()
        self._is_flushing = False

    def route(self, number: int) -> Route:
        """Return the way to the mailbox of process *number*.

        Raises:
            GoneError: It has ended for good.
            EndpointError: There is no such transport as its mailbox's in this process.
        """
        known = self.routes.get(number)
        if known is not None:
            return known
        self._make_way()
        try:
            page = status.StatusPage.open(self._directory.fd, number)
        except FileNotFoundError as exc:
            raise GoneError from exc
        except CorruptError as exc:
            self.on_damaged(number, 0)
            raise GoneError from exc
        try:
            limit = registry.get(page.scheme).inline_limit
        except EndpointError:  # it is not installed here, or the page was written over
            page.close()
            self.on_damaged(number, 0)
            raise
        ledger = page.ledger(self._directory.fd, number)
        route = Route(number, None, limit, page, ledger)
        self._connect(route, page)
        self.routes[number] = route
        return route

    def _connect(self, route: Route, page: status.StatusPage) -> None:
        """Open the way to a mailbox; it stays closed as long as the mailbox is damaged or being replaced."""
        name = mailbox_name(route.number)
        inode = self._inode(name)
        try:
            outlet = registry.get(page.scheme).connect(
                self._directory.fd, name, note=self._note(route.number)
            )
        except MailboxNotFoundError as exc:
            if page.words[status.CLOSED]:
                raise GoneError from exc
        except CorruptError:
            self._report(route, inode)
        else:
            if inode == self._inode(name):
                route.repair(outlet, inode)
            else:  # replaced meanwhile: which one it is cannot be told
                outlet.close()

    def _inode(self, name: str) -> int:
        """Return the inode of a mailbox; 0 where there is none."""
        try:
            return os.stat(
                name, dir_fd=self._directory.fd, follow_symlinks=False
            ).st_ino
        except FileNotFoundError:
            return 0

    def _report(self, route: Route, inode: int) -> None:
        """Tell once that the mailbox with this *inode* is damaged, so that it gets a successor."""
        if route.reported != inode:
            route.reported = inode
            self.on_damaged(route.number, inode)

    def lane(self, number: int) -> Route:
        """Return the way to the lane of process *number*.

        Raises:
            GoneError: It has ended.
        """
        known = self.lanes.get(number)
        if known is not None:
            return known
        self._make_way()
        try:
            outlet = lanes.connect(self._directory.fd, number, self._note(number))
        except (FileNotFoundError, MailboxNotFoundError) as exc:
            raise GoneError from exc
        except CorruptError as exc:
            self._ring(number)
            raise GoneError from exc
        # What goes to the root are requests, which are not answers and so are not bound by a credit's size.
        limit = (
            registry.get("shm").inline_limit
            if number == ROOT
            else lanes.CREDIT_BYTES - _RECORD_BYTES
        )
        route = self.lanes[number] = Route(number, outlet, limit, None)
        return route

    def _ring(self, number: int) -> None:
        """Have process *number*, unless it has ended, look at its lane: if that is damaged, nobody else would tell it."""
        lanes.ring_bell(self._directory.fd, number)

    def _make_way(self) -> None:
        """Look for those who have ended once as many ways are opened as were left by the last look, or ``LOOK_AFTER``."""
        self._opened += 1
        if self._opened > min(self._left, LOOK_AFTER):
            self.drop_ended()

    def drop_ended(self) -> None:
        """Let go of the ways to those who have ended, and of their memory.

        They are not closed, because another thread may be using one.
        """
        for table in (self.routes, self.lanes):
            for number, route in list(table.items()):
                if not route.outbox and route.has_ended(self._directory.fd):
                    table.pop(number, None)
        self._opened, self._left = 0, len(self.routes) + len(self.lanes)

    def _note(self, number: int) -> Note:
        return Note(self._status.map, status.SENDING * 8, number + 1)

    def pack(  # noqa: PLR0913, PLR0917 - what differs between the frames we send
        self,
        route: Route,
        kind: int,
        method: bytes,
        body: bytes | Parcel,
        codec: int = _PICKLE,
        corr: int = 0,
        lane: int = 0,
        deadline_ns: int = 0,
    ) -> Parts:
        """Return a frame for *route* in parts; what is too large for it becomes a blob.

        Raises:
            MessageTooLargeError: The system takes none of this size.
            NoSpaceError: Shared memory has no room for the blob.
        """
        flags, length = 0, len(method)
        if isinstance(body, Parcel) or _HEADER_BYTES + length + len(body) > route.limit:
            large = body if isinstance(body, Parcel) else Parcel((body,))
            body = self.parcel_for(route.number, large)
            flags = frame.BLOB
        header = _header(
            kind, flags, codec, length, self._number, lane, corr, deadline_ns
        )
        return header, method, body

    def parcel_for(self, number: int, large: Parcel) -> bytes:
        """Bring *large* on its way to process *number*; see ``parcel.send``."""
        return parcel.send(large, self._blobs, str(number), self.max_message_bytes)

    def answer(
        self,
        lane: int,
        kind: int,
        corr: int,
        body: bytes | Parcel,
        codec: int = _PICKLE,
        *,
        is_second: bool = False,
    ) -> Pending[None] | None:
        """Answer question *corr* of process *lane*; an asker that has ended needs no answer.

        Returns what is settled once the answer is accepted, or nobody needs it any more; None where that is so at once.

        An answer that is too large, or finds no room in shared memory, becomes one that says so.
        """
        try:
            route = self.lanes.get(lane) or self.lane(lane)
            parts: Parts
            try:
                if type(body) is bytes and _HEADER_BYTES + len(body) <= route.limit:
                    header = _header(kind, 0, codec, 0, self._number, 0, corr, 0)
                    parts = header, b"", body
                else:
                    parts = self.pack(route, kind, b"", body, codec, corr)
            except (MessageTooLargeError, NoSpaceError, OSError) as exc:
                if kind == Kind.REPLY:  # the actor makes an error of it
                    raise
                # What says so needs no room.
                text = reports.to_bytes(
                    {"error": "lost", "text": f"the answer is lost: {exc}"[:400]}
                )
                parts = self.pack(
                    route, Kind.REFUSAL, b"", text, frame.Codec.JSON, corr
                )
            if route.outbox or route.put(*parts) is not _ACCEPTED:
                late: Pending[None] = Pending()
                self.post(route, parts, late, is_question=False)
                return late
        except GoneError:
            self.forget_lane(lane)
            if not is_second:  # the lane that we knew may have been replaced
                return self.answer(lane, kind, corr, body, codec, is_second=True)
        return None

    def notify(self, lane: int, kind: int, body: bytes, method: bytes = b"") -> None:
        """Send a notice to process *lane*.

        Raises:
            GoneError: It has ended.
            MailboxFullError: There is no room to wait in either.
        """
        route = self.lane(lane)
        parts = self.pack(route, kind, method, body, frame.Codec.JSON)
        pending: Pending[None] = Pending()
        pending.target = f"process {lane}"
        self.post(route, parts, pending, is_question=False)

    def notify_last(self, lane: int, kind: int, body: bytes) -> None:
        """Send a notice that must not be a file, because there will be no files when it is read.

        So it may be larger than what an answer has room for; it takes that from the notices that are not sent any more.

        Raises:
            GoneError: Process *lane* has ended.
            MailboxFullError: There is no room to wait in either.
        """
        header = _header(kind, 0, frame.Codec.JSON, 0, self._number, 0, 0, 0)
        self.post(self.lane(lane), (header, b"", body), Pending(), is_question=False)

    def post(
        self,
        route: Route,
        parts: Parts,
        pending: Pending[Any],
        *,
        is_question: bool,
        is_bounded: bool = True,
    ) -> None:
        """Send a frame, or let it wait for room; without end if it is not bounded.

        Raises:
            GoneError: The receiver has ended.
            MailboxFullError: There is no room to wait in either.
        """
        try:
            if not route.outbox and self._offer(route, parts, pending, is_question):
                return
            self._queue(route, Letter(parts, pending, is_question), is_bounded)
        except (GoneError, MailboxFullError):
            self._discard(parts)
            raise

    def ask(
        self,
        route: Route,
        pending: Pending[Any],
        method: bytes,
        body: bytes | Parcel,
        due_ns: int,
    ) -> bool:
        """Send a question that is small, and finds room and a credit, as almost all do; False where it is to be packed and posted.

        Raises:
            GoneError: The receiver has ended.
        """
        questions, number, length = self._questions, self._number, len(method)
        if (
            type(body) is not bytes
            or route.outbox
            or _HEADER_BYTES + length + len(body) > route.limit
            or len(questions.open) >= questions.plenty
        ):
            return False
        pending.corr = corr = questions.new_id()
        pending.inode = route.inode
        questions.open[corr] = pending  # before it is sent, as in _offer
        header = _header(_ASK, 0, _PICKLE, length, number, number, corr, due_ns)
        result = route.put(header, method, body)
        if result is _ACCEPTED:
            return True
        if result is Put.CLOSED:  # as in _offer
            raise GoneError
        questions.leave(corr)
        return False

    def put_back(self, number: int, data: bytes) -> None:
        """Send a frame again that was taken out of the mailbox of process *number*, and is not to be lost.

        Raises:
            GoneError: It has ended.
        """
        route, pending = self.route(number), Pending[None]()
        at = frame.read(data).body_at
        parts = data[:at], b"", data[at:]
        self.post(route, parts, pending, is_question=False, is_bounded=False)

    def holds(self, number: int) -> bool:
        """Return whether anything waits here for room in the mailbox of process *number*."""
        route = self.routes.get(number)
        return route is not None and bool(route.outbox)

    def take_back(self, number: int) -> list[bytes]:
        """Return the frames that wait here for room in the mailbox of process *number*, oldest first, and send them no more."""
        route = self.routes.get(number)
        if route is None:
            return []
        with self._lock:
            letters = [route.pop() for _ in range(len(route.outbox))]
            self.backlog.pop(id(route), None)
            self._count()
        return [b"".join(letter.parts) for letter in letters]

    def _discard(self, parts: Parts) -> None:
        """Remove the payload of a frame that was not accepted."""
        if parts[0][frame.FLAGS_AT] & frame.BLOB:
            parcel.drop(parts[-1], self._blobs)

    def _offer(
        self,
        route: Route,
        parts: Parts,
        pending: Pending[Any],
        is_question: bool,  # noqa: FBT001 - positional for speed
    ) -> bool:
        if is_question:
            # Entered before it is sent: another thread may drain the answer before put returns.
            pending.inode = route.inode
            if not self._questions.enter(pending):
                route.is_full = False
                return False
        result = route.put(*parts)
        if result is _ACCEPTED:
            if not is_question:
                pending.resolve(None)
            return True
        # It may have been accepted before: the question stays open.
        if result is Put.CLOSED:
            if route.page is None:
                self._ring(route.number)
            raise GoneError
        if is_question:
            self._questions.leave(pending.corr)
        return False

    def _queue(self, route: Route, letter: Letter, is_bounded: bool) -> None:  # noqa: FBT001 - positional for speed
        with self._lock:
            if not route.queue(letter, is_bounded):
                msg = (
                    f"{letter.pending.target}: {len(route.outbox)} messages ({route.outbox_bytes} bytes) wait here for room "
                    "in its mailbox already; this one was not sent"
                )
                raise MailboxFullError(msg)
            is_new = id(route) not in self.backlog
            if is_new:
                self.backlog[id(route)] = route
            self._words[_OUTBOX] = (self._words[_OUTBOX] + 1) & _COUNT_BITS
        self.on_backlog(is_new)
        if not len(route.outbox) % FLUSH_EVERY and route.may_have_room():
            self.flush()

    def asker(self, number: int) -> Route | None:
        """Return the way to the lane of *number*, with the status page that tells what it has withdrawn; None if it has ended."""
        try:
            route = self.lanes.get(number) or self.lane(number)
            if route.asker is None:
                route.asker = status.StatusPage.open(self._directory.fd, number)
        except (GoneError, FileNotFoundError, CorruptError):
            return None
        return route

    def withdraw(self, pending: Pending[Any]) -> None:
        """Let the message of *pending* not be handled, if nobody has taken it yet."""
        with self._lock:  # so that it does not leave the outbox meanwhile
            if pending.corr in self._questions.open:
                self._questions.withdraw(pending)
            else:
                pending.fail(asyncio.CancelledError("withdrawn before it was sent"))

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        if not self.backlog:
            return
        with self._lock:
            if self._is_flushing:  # a signal handler of this thread: twice would send the first letter twice
                return
            self._is_flushing = True
            try:
                for key, route in list(self.backlog.items()):
                    self._flush(route)
                    if not route.outbox:
                        route.is_told = False
                        self.backlog.pop(key, None)  # gone already if its receiver is
                    elif route.is_full and not route.is_told:
                        self._tell_if_long(route)
            finally:
                self._is_flushing = False
            self._count()

    def _flush(self, route: Route) -> None:
        try:
            if route.is_damaged and route.page is not None:
                self._report(route, route.inode)
                self._connect(route, route.page)
            while route.outbox:
                letter = route.outbox[0]
                if letter.pending.state != WAITING:  # its deadline has passed
                    self._discard(letter.parts)
                    self.on_expired(route.number, route.pop())
                elif letters := route.first_letters():
                    if not self._offer_some(route, letters):
                        return
                elif self._offer(
                    route, letter.parts, letter.pending, letter.is_question
                ):
                    route.pop()
                else:
                    return
        except GoneError:
            self._give_back(route)

    def _offer_some(self, route: Route, letters: list[Letter]) -> bool:
        """Offer the first letters of an outbox at once, and take out those that were accepted; False if none was."""
        entered = [letter for letter in letters if letter.is_question]
        for letter in entered:
            # As in _offer.
            letter.pending.inode = route.inode
            if not self._questions.enter(letter.pending):
                route.is_full = False
                del entered[entered.index(letter) :]
                del letters[letters.index(letter) :]
        result, count = route.put_some(letters) if letters else (Put.FULL, 0)
        if result is Put.CLOSED:
            raise GoneError
        accepted = count if result is _ACCEPTED else 0
        gone = letters[:accepted]
        # All of them first: what is left there when Ctrl-C comes is sent again.
        route.take_out(gone)
        for letter in gone:
            if not letter.is_question:
                letter.pending.resolve(None)
        for letter in letters[accepted:]:
            if letter.is_question:
                self._questions.leave(letter.pending.corr)
        return bool(accepted)

    def _tell_if_long(self, route: Route) -> None:
        """Say once that a message has waited for long; lanes are nobody's business."""
        waited = _now_ns() - route.outbox[0].since_ns
        if waited > LONG_NS and route.page is not None:
            route.is_told = True
            self.on_full(route)

    def _give_back(self, route: Route) -> None:
        """Report what cannot be delivered any more; answers and notices interest nobody then."""
        letters = [route.pop() for _ in range(len(route.outbox))]
        is_mailbox = self.routes.get(route.number) is route
        forget = self.forget if is_mailbox else self.forget_lane
        forget(route.number)
        for letter in letters:
            self._discard(letter.parts)
            if is_mailbox:
                self.on_undelivered(route.number, letter)
            elif letter.is_question:
                self.on_unasked(letter.pending)
            else:
                letter.pending.resolve(None)

    def _count(self) -> None:
        self._status.words[status.OUTBOX] = sum(
            len(route.outbox) for route in self.backlog.values()
        )

    def waiting(self) -> Iterator[Letter]:
        """Yield what waits for room."""
        with self._lock:
            for route in self.backlog.values():
                yield from route.outbox

    def room(self) -> int | None:
        """Return a descriptor that becomes writable when one of those that wait may have room; None where nobody will say it."""
        with self._lock:
            for route in self.backlog.values():
                return route.fileno()
        return None

    def forget(self, number: int) -> None:
        """Let go of the ways to a process that has ended."""
        with self._lock:
            route = self.routes.pop(number, None)
            if route is not None:
                self.backlog.pop(id(route), None)
                route.close()
        self.forget_lane(number)

    def forget_lane(self, number: int) -> None:
        """Let go of the way to the lane of process *number*, and of what waits for room there: nobody needs it."""
        with self._lock:
            route = self.lanes.pop(number, None)
            if route is not None:
                self.backlog.pop(id(route), None)
                route.close()
                for letter in route.outbox:
                    letter.pending.resolve(None)

    def disown(self) -> list[Pending[Any]]:
        """Forget everything, in a process forked from the one it belongs to; return what was waiting for room."""
        # Without the lock: the fork may have copied it as another thread held it.
        waiting = [
            letter.pending for route in self.backlog.values() for letter in route.outbox
        ]
        for table in (self.routes, self.lanes, self.backlog):
            table.clear()
        return waiting

    def close(self) -> None:
        """Let go of everything."""
        for number in {*self.routes, *self.lanes}:
            self.forget(number)
