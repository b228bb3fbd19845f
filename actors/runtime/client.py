"""This process as a member of a system: the one object through which it sends, asks and is answered.

One per process and system.
It knows frames and bodies, not actors; nothing here runs user code except while decoding an answer.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Sequence
from typing import Any

from actors.errors import (
    DecodeError,
    ForkedHandleError,
    SystemClosedError,
    SystemFailedError,
)
from actors.pending import Pending
from actors.runtime import clients, lanes, requests, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.ending import Ending
from actors.runtime.evidence import Evidence
from actors.runtime.lanes import ROOT
from actors.runtime.losses import ROOT_DEAF, lane_lost
from actors.runtime.outgoing import GoneError, Outgoing
from actors.runtime.questions import Questions
from actors.runtime.route import Route
from actors.runtime.subscription import Subscription
from actors.runtime.undelivered import STOP, Undelivered, sent_ns
from actors.runtime.waiting import Waiting, refuse_in_loop
from actors.runtime.waits import Place, Waits
from actors.runtime.withdrawn import Withdrawn
from actors.wire import _header as header
from actors.wire import frame, parcel, reasons
from actors.wire.code import CodeStore
from actors.wire.codec import Codec
from actors.wire.frame import Kind
from actors.wire.parcel import Parcel
from transports.blob import BlobStore
from transports.mailbox import Put

MAIN = 1  # process number of the program that started the system
# Looked up once: each is used for every message.
_TELL = int(Kind.TELL)
_ASK = int(Kind.ASK)
_REPLY = int(Kind.REPLY)
_PICKLE = int(frame.Codec.PICKLE)
_ACCEPTED = Put.ACCEPTED
_NOTICES = frozenset({Kind.EVENT, Kind.FAILED, Kind.LOST})


class Client:
    """The end of a system in this process."""

    def __init__(
        self, directory: RuntimeDirectory, number: int, incarnation: int = 1
    ) -> None:
        """Join as process *number*, whose lane and status page exist."""
        self.directory = directory
        self.number = number
        self.is_finishing = False
        self.status = status.StatusPage.open(directory.fd, number)
        self.lane = lanes.Lane(directory.fd, number)
        self.lane.reader.fileno()  # opens the bell now: a system that has ended has no files
        self.codec = Codec(CodeStore(directory.code_fd))
        self.blobs = BlobStore(directory.blob_fd, f"{number}.{incarnation}")
        self.questions = Questions(
            self.lane.credits, incarnation, self.codec.loads, Withdrawn(self.status)
        )
        self.outgoing = Outgoing(
            directory, number, self.status, self.questions, self.blobs
        )
        self.waiting = Waiting(self.lane, self, self.questions, self.outgoing)
        self.is_breath_due = self.waiting.is_breath_due  # see ``pending.Source``
        self.ending = Ending(self.questions, self.outgoing, self.waiting)
        self.evidence = Evidence(directory, number, self.status, self.outgoing.routes)
        self.questions.where = self.evidence.where
        self.questions.paused_ns = self.evidence.paused_ns
        self.waits: Waits | None = None  # of an actor
        # Tells that the end of the system cost, by actor.
        self.dropped: dict[str, int] = {}
        # Shared: most tells are accepted at once, and nothing in it can change.
        self._accepted: Pending[None] = Pending(self)
        self._accepted.resolve(None)
        self.subscription = Subscription(self)
        self._undelivered = Undelivered(self, self.outgoing, self.questions)
        self.outgoing.on_backlog = self.waiting.watch_rooms
        self.questions.on_later = self.waiting.watch_deadlines
        self.outgoing.on_damaged = lambda number, inode: self.notify_root(
            "damaged", {"number": number, "inode": inode}
        )
        self.outgoing.on_unasked = self._fail_request
        # No answer comes any more: nobody has to wait for one.
        self.on_damaged_lane: Callable[[lanes.DamagedLaneError], object] = lambda _: (
            self.ending.fail_all(lane_lost())
        )
        clients.enter(self)

    @property
    def ended_with(self) -> Exception | None:
        """Why nothing can be asked any more; None as long as it can."""
        return self.ending.error

    def check(self) -> None:
        """Refuse what nobody can be asked any more; see ``Ending.check``."""
        self.ending.check()

    # Sending.

    def tell(
        self,
        number: int,
        name: str,
        method: bytes,
        label: str,
        arguments: tuple[Any, Any],
        timeout: float | None,
    ) -> Pending[None]:
        """Send a message that nobody answers; settled once the mailbox has accepted it.

        Raises:
            MailboxFullError: Neither mailbox nor outbox has room.
            NotSerializableError: The arguments cannot travel.
            MessageTooLargeError: They are larger than the system takes.
            NoSpaceError: They are large, and shared memory has no room for them.
        """
        body = self.codec.encode(arguments)
        outgoing = self.outgoing
        parts: tuple[bytes, ...] = ()
        try:
            route = outgoing.routes.get(number) or self._route(number)
            parts = outgoing.pack(route, _TELL, method, body)
            if not route.outbox and route.put(*parts) is _ACCEPTED:
                return self._accepted
            pending: Pending[None] = Pending(self)
            self.questions.describe(pending, number, name, label, timeout)
            outgoing.post(route, parts, pending, is_question=False)
            if self.ending.error is not None:
                self.ending.catch(pending)
        except GoneError:
            return self._undelivered.report(number, name, label, sent_ns(parts))
        return pending

    def ask(
        self,
        number: int,
        name: str,
        method: bytes,
        label: str,
        arguments: tuple[Any, Any] | bytes | Parcel,
        timeout: float | None,
    ) -> Pending[Any]:
        """Send a question; settled by its answer, its deadline or the end of the actor.

        Args:
            number: Of the actor.
            name: The same, for people.
            method: What is to be called.
            label: The same, for people.
            arguments: Its arguments, or what ``encode`` has made of them.
            timeout: Seconds until its deadline; None for none.

        Raises:
            MailboxFullError: Neither mailbox nor outbox has room.
            NotSerializableError: The arguments cannot travel.
            MessageTooLargeError: They are larger than the system takes.
            NoSpaceError: They are large, and shared memory has no room for them.
        """
        body = (
            self.codec.encode(arguments) if isinstance(arguments, tuple) else arguments
        )
        pending: Pending[Any] = Pending(self)
        due_ns = self.questions.describe(pending, number, name, label, timeout)
        try:
            outgoing = self.outgoing
            route = outgoing.routes.get(number) or self._route(number)
            if not outgoing.ask(route, pending, method, body, due_ns):
                self._question(route, pending, _ASK, method, body)
            elif self.ending.error is not None:
                self.ending.catch(pending)
        except GoneError:
            self._undelivered.give_up(pending, number, None)
        return pending

    def resend(
        self, number: int, name: str, messages: Sequence[tuple[bytes, bytes | Parcel]]
    ) -> Pending[int]:
        """Tell messages that were encoded before, at least one; settled with their count once the mailbox has accepted them.

        Raises:
            MessageTooLargeError: One is larger than the system takes.
            NoSpaceError: One is large, and shared memory has no room for it.
        """
        pending: Pending[int] = Pending(self)
        label = ""
        parts: tuple[bytes, ...] = ()
        try:
            for method, body in messages:
                label = method.decode()
                route = self._route(number)
                parts = self.outgoing.pack(route, _TELL, method, body)
                pending = Pending(self)
                pending.convert = lambda _: len(messages)
                self.questions.describe(pending, number, name, label, None)
                self.outgoing.post(
                    route, parts, pending, is_question=False, is_bounded=False
                )
            self.ending.catch(pending)
        except GoneError:
            return self._undelivered.report(number, name, label, sent_ns(parts))
        return pending  # the last: they are accepted in order

    def barrier(self, number: int, name: str, service: str) -> Pending[None]:
        """Ask for a *service* without arguments and deadline, behind all that was sent before; it waits for room for as long as it takes."""
        pending: Pending[None] = Pending(self)
        self.questions.describe(pending, number, name, service, None)
        body = self.codec.encode(((), {}))
        try:
            route, method = self._route(number), service.encode()
            self._question(route, pending, _ASK, method, body, is_bounded=False)
        except GoneError:
            self._undelivered.give_up(pending, number, None)
        return pending

    def stop(self, number: int, name: str, *, is_bounded: bool = True) -> Pending[None]:
        """Queue a stop behind what the mailbox holds; unless it *is_bounded*, it waits for room for as long as it takes.

        Raises:
            MailboxFullError: Neither mailbox nor outbox has room.
        """
        pending: Pending[None] = Pending(self)
        self.questions.describe(pending, ROOT, name, STOP, None)
        with contextlib.suppress(GoneError):
            route = self._route(number)
            parts = self.outgoing.pack(route, Kind.STOP, b"", b"")
            self.outgoing.post(
                route, parts, pending, is_question=False, is_bounded=is_bounded
            )
            self.ending.catch(pending)
            return pending
        return self._accepted  # it has ended, which is what was asked for

    def request(
        self,
        operation: str,
        facts: dict[str, Any],
        payload: bytes | Parcel = b"",
        convert: Callable[[Any], Any] | None = None,
        about: str = "the root supervisor",
    ) -> Pending[Any]:
        """Ask the root supervisor for something *about* somebody; it reads *facts* (JSON) and never looks into *payload*.

        Raises:
            MailboxFullError: Neither its lane nor the outbox has room.
            MessageTooLargeError: The payload is larger than the system takes.
            NoSpaceError: It is large, and shared memory has no room for it.
        """
        self.ending.check()
        if isinstance(payload, Parcel):
            body = self.outgoing.parcel_for(ROOT, payload)
            try:
                facts = {**facts, "is_parcel": True}
                return self.request(operation, facts, body, convert, about)
            except BaseException:
                parcel.drop(body, self.blobs)
                raise
        pending: Pending[Any] = Pending(self)
        pending.convert = convert
        self.questions.describe(pending, ROOT, about, operation, None)
        body = requests.pack(facts, payload)
        try:
            self._question(
                self.outgoing.lane(ROOT),
                pending,
                Kind.REQUEST,
                operation.encode(),
                body,
                frame.Codec.JSON,
            )
        except GoneError:
            self._fail_request(pending)
        return pending

    def _fail_request(self, pending: Pending[Any]) -> None:
        self.questions.leave(pending.corr)
        pending.fail(self._unreachable())

    def _unreachable(self) -> Exception:
        """Return why the root supervisor takes no request."""
        if lanes.exists(self.directory.fd, ROOT):
            return SystemFailedError(ROOT_DEAF)
        self.waiting.glance()  # it may have said why
        return self.ending.lost()

    def share(self, obj: object) -> object:
        """Return *obj* with its buffers in shared memory.

        Raises:
            TypeError: It has none.
            NotSerializableError: It cannot travel.
            NoSpaceError: Shared memory has no room for it.
        """
        self.ending.check()
        split = self.codec.split(obj)
        if not split.buffers:
            msg = (
                f"share({type(obj).__name__}): it holds nothing that can lie in shared memory: "
                "numpy arrays can if they are contiguous, and other objects with buffers (pickle protocol 5)"
            )
            raise TypeError(msg)
        return self.codec.loads(parcel.share(split, self.blobs))

    def notify_root(self, operation: str, facts: dict[str, Any]) -> None:
        """Tell the root supervisor something that it does not answer."""
        # Without a root there is nobody left to tell.
        with contextlib.suppress(GoneError):
            self.outgoing.notify(
                ROOT, Kind.REQUEST, requests.pack(facts), operation.encode()
            )

    def _route(self, number: int) -> Route:
        self.ending.check()
        return self.outgoing.route(number)

    def _question(  # noqa: PLR0913 - what makes one frame another than the next
        self,
        route: Route,
        pending: Pending[Any],
        kind: int,
        method: bytes,
        body: bytes | Parcel,
        codec: int = _PICKLE,
        *,
        is_bounded: bool = True,
    ) -> None:
        corr = self.questions.number(pending)
        outgoing = self.outgoing
        parts = outgoing.pack(
            route, kind, method, body, codec, corr, self.number, pending.deadline_ns
        )
        outgoing.post(route, parts, pending, is_question=True, is_bounded=is_bounded)
        if self.ending.error is not None:
            self.ending.catch(pending)

    # Receiving and waiting.

    def drain(self) -> bool:
        """Settle what has arrived in the lane; True when anything had."""
        take, settle = self.lane.take, self.questions.settle
        try:
            data = take()
            if data is None:
                return False
            while data is not None:
                try:
                    kind, flags, corr, body = header.answer(data)
                except ValueError as exc:
                    self._complain(exc)
                else:
                    if kind == _REPLY and not flags:  # what most of it is
                        settle(corr, kind, body)
                    else:
                        self._receive(kind, flags, corr, body)
                data = take()
        except lanes.DamagedLaneError as exc:
            self.on_damaged_lane(exc)
        self.outgoing.flush()  # credits came back
        return True

    def discard_answers(self) -> None:
        """Throw away what an earlier incarnation has been sent."""
        while (data := self.lane.take()) is not None:
            with contextlib.suppress(ValueError):  # somebody has sent what is no answer
                _, flags, _, body = header.answer(data)
                if flags & frame.BLOB:
                    parcel.drop(body, self.blobs)

    def _receive(self, kind: int, flags: int, corr: int, body: bytes) -> None:
        if flags & frame.BLOB:
            try:
                opened = parcel.receive(body, self.blobs)
            except (OSError, ValueError) as exc:
                self.questions.fail(corr, DecodeError(f"the answer is lost: {exc}"))
                return
            if kind == Kind.REPLY:
                self.questions.settle(corr, kind, opened)
                return
            body = bytes(opened.data)
        if kind not in _NOTICES:
            self.questions.settle(corr, kind, body)
            return
        try:
            self._hear(kind, json.loads(body))
        except (ValueError, LookupError, TypeError) as exc:
            self._complain(exc)

    def _hear(self, kind: int, facts: dict[str, Any]) -> None:
        """Take note of what the root supervisor tells unasked."""
        if kind == Kind.EVENT:
            self.subscription.receive(facts)
        elif kind == Kind.FAILED:
            reason = reasons.from_json(facts["reason"])
            self.ending.loss = lambda: SystemFailedError(reason)
        else:
            self.questions.lose(facts["inode"])

    def _complain(self, error: Exception) -> None:
        """Say that somebody sends us bytes that are no answer."""
        self.notify_root("answer_unreadable", {"error": repr(error)})

    def suspend(self, pending: Pending[Any]) -> Generator[Any, Any, None]:
        """See ``pending.Source``."""
        if self.ending.is_copy_of(pending):
            return _at_once()
        if self.waits is None:
            return self.waiting.suspend(pending)
        if self.status.words[status.HOLDS_UP]:
            self.waits.refuse(pending)
        return self._suspend_handler(pending, self.waits)

    def _suspend_handler(
        self, pending: Pending[Any], waits: Waits
    ) -> Generator[Any, Any, None]:
        at = waits.begin(pending)
        try:
            yield from self.waiting.suspend(pending)
        finally:
            if at is not None:
                waits.end(at)

    def block(self, pending: Pending[Any], timeout: float | None) -> None:
        """See ``pending.Source``."""
        if self.ending.is_copy_of(pending):
            return
        if self.waits is None:
            self.waiting.block(pending, timeout)
            return
        refuse_in_loop("result()", "await the Pending instead")
        self.waits.refuse(pending)
        at = self.waits.begin(pending, has_timeout=timeout is not None)
        try:
            self.waiting.block(pending, timeout)
        finally:
            if at is not None:
                self.waits.end(at)

    def refuse_in_vain(self) -> None:
        """Fail what siblings were asked that wait for this process to end before they are started again."""
        if self.waits is not None:
            self.waits.refuse_all()

    def show_waits(self, place: Callable[[], Place | None]) -> None:
        """Show in the status page what handlers wait for; *place* says which one runs."""
        self.waits = Waits(
            self.status,
            self.evidence,
            place,
            self.drain,
            (self.outgoing, self.questions),
        )

    def withdraw(self, pending: Pending[Any]) -> None:
        """See ``pending.Source``."""
        is_message = getattr(pending, "number", ROOT) != ROOT
        if is_message and not pending.done() and not self.waiting.has_waiter(pending):
            self.outgoing.withdraw(pending)

    # Ending.

    def finish(self, drain: float) -> Pending[Any]:
        """Ask the root to end the system, giving actors *drain* seconds to finish what is queued."""

        def close(facts: dict[str, Any]) -> None:
            self.ending.loss = lambda: SystemClosedError("the system was closed")
            self.dropped = facts["dropped"]

        self.is_finishing = True
        # Not before its answer: a root that dies without one has failed.
        return self.request("close", {"drain": drain}, convert=close)

    def lose_root(self) -> None:
        """The root supervisor has died: nothing that is open will ever be answered."""
        self.drain()
        self.ending.fail_all(self.ending.loss())

    def close(self) -> None:
        """Let go of everything."""
        clients.leave(self)
        self.ending.fail_all(SystemClosedError("the system was closed"))
        self.waiting.close()
        self.outgoing.close()
        self.lane.close()
        self.blobs.close()
        self.status.close()

    def disown(self) -> None:
        """Make this copy useless, in a process forked from the client's own."""
        name = self.directory.name.partition(".")[0]
        self.ending.disown(
            ForkedHandleError(
                "this handle belongs to the process that this one was forked from; attach to the system after the fork, "
                f"with ActorSystem.attach({name!r}), and look the actor up there"
            )
        )


def _at_once() -> Generator[Any, Any, None]:
    """Wait for nothing."""
    yield from ()
