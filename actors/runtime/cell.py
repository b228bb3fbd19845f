"""The runtime around one actor: take, start, run, reply, done.

A message is moved into a slot of shared memory, marked started before any user code (unpickling included) sees it, and its slot is
emptied after the reply is committed.
So whatever instant the process dies at, its supervisor finds in the slots exactly the messages that were in hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from types import CoroutineType
from typing import Any

from actors import goodbye, messages
from actors.actor import Actor, handler_names, is_public, method_names
from actors.errors import (
    DecodeError,
    MailboxFullError,
    MessageTooLargeError,
    NotSerializableError,
)
from actors.exits import ExitKind, ExitReason
from actors.handlers import on_error_of
from actors.options import OnError
from actors.pending import Pending
from actors.runtime import failures, offspring, reports, services, status
from actors.runtime.client import Client
from actors.runtime.loopside import running_loop
from actors.runtime.pauses import is_overdue
from actors.runtime.runner import Job, Runner
from actors.runtime.timers import Tick
from actors.runtime.waits import Place
from actors.runtime.watches import Watches
from actors.runtime.wear import Wear
from actors.runtime.withdrawn import is_marked
from actors.wire import _header, failure, frame, parcel
from actors.wire.frame import Kind
from actors.wire.parcel import Opened
from transports import blob
from transports._ring import Reader, Slot
from transports.errors import CorruptError, TransportError
from transports.kernel import KernelMailbox
from transports.ledger import Ledger
from transports.mailbox import Mailbox

BATCH = 64  # messages handled before the loop gets a turn
LOCAL = 0  # the kind of what the actor sends itself: timers and signals
# Looked up once: each is used for every message.
_ASK = int(Kind.ASK)
_STOP = int(Kind.STOP)
_NOTICE = int(Kind.NOTICE)
_REPLY = int(Kind.REPLY)
_BLOB = frame.BLOB
_VERSION = frame.VERSION
_HANDLED = status.HANDLED
_WITHDRAWN = status.WITHDRAWN
_now_ns = time.monotonic_ns
_apart = _header.message


class Cell:
    """The messages of one actor process."""

    _shared: Mailbox | None = None  # that others take from as well
    is_copy = False  # in a process that the actor has forked
    _is_unwatched = False  # a mailbox that is no ring has no slot to be taken to
    _is_called = False  # it is we who were woken for what is in it

    def __init__(
        self,
        client: Client,
        mailbox: Mailbox,
        loop: asyncio.AbstractEventLoop,
        *,
        redelivers: bool = False,
    ) -> None:
        """Take from *mailbox* what an earlier incarnation had not started first.

        Args:
            client: Of this process.
            mailbox: The actor's.
            loop: Of this process.
            redelivers: What it dies of goes to the next incarnation, with its payload.
        """
        self.ticks: deque[Tick] = deque()
        self.reason: ExitReason | None = None  # set once the actor is going to end
        self._client = client
        self._mailbox = mailbox
        ring = _ring_of(mailbox)
        self._take = mailbox.take if ring is None else ring.take
        self._loads: Callable[[bytes | Opened], Any] = client.codec.loads
        self._encode = client.codec.encode
        self._answer = client.outgoing.answer
        self._lanes = client.outgoing.lanes
        self._page = client.status
        self._words = client.status.words
        self._waiting = client.waiting
        self._loop = loop
        self._handlers: dict[bytes, Callable[..., Any]] = {}
        self._actor: Actor | None = None  # until it is ready
        self.watches = Watches(client)
        self._free: list[Slot] = []
        self._inherited: list[Slot] = []
        self._idle: list[Runner] = []
        self._barriers = services.Barriers()
        self._wear: Wear | None = None
        self._running = 0
        self._is_open = False
        self._may_write = False  # to the buffers of its messages
        self._redelivers = redelivers
        self._kept: dict[Slot, bytes] = {}  # bodies whose blobs are dropped when done
        self._name = ""
        self._lane_only: tuple[Reader, ...] = (client.lane.reader,)
        self._readers = self._lane_only if ring is None else (*self._lane_only, ring)
        self._is_ring = isinstance(mailbox, Reader)
        self.runners: dict[asyncio.Task[None], Runner] = {}
        # Tasks of ``start_task``: they wait for themselves and for no handler.
        self.background: set[asyncio.Task[Any]] = set()
        # What waits outside of the mailboxes that it takes from, by their numbers.
        self._ledgers = {
            client.number: client.status.ledger(client.directory.fd, client.number)
        }
        self._places: dict[Slot, int] = {}
        self._inherit(client.status.slots())
        self._thread = threading.get_ident()
        client.show_waits(self._place)

    def _inherit(self, slots: Sequence[Slot]) -> None:
        self._mailbox.settle(*slots)
        for place, slot in enumerate(slots):
            self._places[slot] = place
            slot.prefault()
            if slot.filled and not slot.started:
                self._inherited.append(slot)
            else:  # what was started has been reported by the supervisor
                slot.clear()
                self._free.append(slot)
        # The oldest comes last, where it is taken from.
        self._inherited.sort(key=lambda slot: slot.seq, reverse=True)

    def share(
        self,
        number: int,
        mailbox: Mailbox,
        ledger: Ledger,
        tell: Callable[[str], None],
    ) -> None:
        """Take from *mailbox* too, which others take from as well.

        Args:
            number: Of it.
            mailbox: Not the actor's own.
            ledger: What waits outside of it.
            tell: Tells the root that it is ``damaged``, or that it is to ``rouse`` the others.
        """
        self._shared, self._tell_root = mailbox, tell
        self._ledgers[number] = ledger
        if isinstance(mailbox, Reader):
            self._readers = (*self._readers, mailbox)

    def open(self, actor: Actor, wear: Wear | None = None) -> None:
        """Take messages from now on: the actor is ready; *wear* says when its process is to be replaced."""
        self._wear = wear
        cls = type(actor)
        self._name = cls.__name__
        self._actor = actor
        self._may_write = cls.writable_buffers
        names = method_names(cls)
        self._policies: dict[str, OnError | None] = {
            name: on_error_of(cls, name) for name in names
        }
        own = {name.encode(): getattr(actor, name) for name in filter(is_public, names)}
        self._handlers = own | self._services(own)
        self._is_open = True
        self._words[status.READY] = 1
        if not self._is_ring:
            self._watch_mailbox()

    def _services(
        self, own: dict[bytes, Callable[..., Any]]
    ) -> dict[bytes, Callable[..., Any]]:
        """Return what it answers besides the messages of its class, by name."""
        self._policies |= {
            name + services.EACH: policy for name, policy in self._policies.items()
        }
        return {
            services.BARRIER.encode(): self._barrier,
            **services.over_items(
                own,
                self._client.codec.try_dumps,
                lambda: self._waiting.hand,
                lambda name: self._policies[name] == "crash",
            ),
        }

    def _barrier(self) -> Coroutine[Any, Any, None] | None:
        """Be answered when all that is in hand now is done."""
        busy = [each for each in self.runners.values() if each not in self._idle]
        return self._barriers.wait(busy)

    # What the loop calls.

    def readers(self) -> tuple[Reader, ...]:
        """Return the rings that may be taken from now: the mailbox only while a slot is free."""
        return (
            self._readers
            if self._is_open and self._free and self.reason is None
            else self._lane_only
        )

    def crowd(self) -> Mailbox | None:
        """Return the mailbox that others take from as well, as long as we would take from it."""
        is_free = self._is_open and self._free and self.reason is None
        return self._shared if is_free else None

    def awaits_kernel(self) -> bool:
        """Return whether descriptors are worth a look before a sleep; see ``loop.Source``."""
        return not self._is_ring or bool(self._client.outgoing.backlog)

    def called(self) -> None:
        """We have been woken for what is in the shared mailbox, and perhaps nobody else has; see ``loop.Source``."""
        crowd = self.crowd()
        if crowd is not None:
            self._is_called = True
            if isinstance(crowd, Reader):
                crowd.hush()

    def drain(self) -> bool:
        """Handle answers, then up to ``BATCH`` messages; True when there were any."""
        answered = self._client.drain()
        if not self._is_open:
            return answered
        count = 0
        batch = BATCH if self._wear is None else self._wear.left(BATCH)
        while (
            count < batch
            and (self._free or self._inherited)
            and self.reason is None
            and self._step()
        ):
            count += 1
        if self._wear is not None and count:
            self._wear.worked()
        return answered or count > 0

    def _on_readable(self) -> None:
        """A mailbox that is no ring has something, or had before the last ``drain``."""
        # Level-triggered: it would call again and again until a slot is free, or for as long as what is in hand takes at the end.
        if not self._free or self.reason is not None:
            self._loop.remove_reader(self._mailbox.fileno())
            self._is_unwatched = True
        self.drain()

    def _step(self) -> bool:
        if (self._is_called or self._inherited or self.ticks) and self._step_aside():
            return True
        slot = self._free.pop()
        data = self._next(slot)
        if data is None:
            self._free.append(slot)
            return False
        self._handle(slot, data)
        return True

    def _step_aside(self) -> bool:
        """Do what comes before what else waits in the mailboxes; False where there is nothing like that any more."""
        if self._is_called and self._free:
            # Before all else, which may last: the others may be asleep.
            self._is_called = False
            slot = self._free.pop()
            data = self._next_shared(slot)
            if data is not None:
                self._handle(slot, data)
                return True
            self._free.append(slot)
        if self._inherited:  # already in a slot, so it needs no free one
            slot = self._inherited.pop()
            data = slot.frame()
            if data is not None:
                self._handle(slot, data)
                return True
            self._free.append(slot)
        elif self.ticks:
            self._run_tick(self.ticks.popleft())
            return True
        return False

    def _next(self, slot: Slot) -> bytes | None:
        try:
            data = self._take(slot)
        except CorruptError as exc:
            self.end(ExitReason(ExitKind.MAILBOX_CORRUPT, message=str(exc)))
            return None
        return data if data is not None else self._next_shared(slot)

    def _next_shared(self, slot: Slot) -> bytes | None:
        if self._shared is None:
            return None
        try:
            return self._shared.take(slot)
        except CorruptError:
            self._shared = None
            self._tell_root("damaged")  # which starts us again, with another one
            return None

    # One message.

    def _handle(self, slot: Slot, data: bytes) -> None:
        slot.start()
        try:
            version, kind, flags, lane, corr, sent, deadline, name, body = _apart(data)
        except ValueError:
            self._refuse_bytes(slot, f"{len(data)} bytes")
            return
        job = (slot, kind, name, lane, corr)
        if version != _VERSION or kind > _ASK or kind == LOCAL:
            self._handle_other(version, job, flags, body)
            return
        if kind == _ASK:
            asker = self._lanes.get(lane)
            page = asker.asker if asker is not None else None
            if page is None:
                page = self._page_of(lane)
            if page is not None and page.words[_WITHDRAWN] and is_marked(page, corr):
                self._drop_blob(flags, body)
                late = self._answer(lane, Kind.WITHDRAWN, corr, b"")
                self._done_after(late, slot, kind)
                return
        # After the mark was looked for: an asker takes it away once the deadline has passed.
        if (
            deadline
            and (now := _now_ns()) >= deadline
            and is_overdue(deadline, sent, now, (self._page, self._page_of(lane)))
        ):
            self._drop_blob(flags, body)
            self._refuse(job, "expired", "its deadline had passed")
            return
        try:
            # Nothing here holds on to what a parcel came in, which may be large.
            args, kwargs = self._loads(
                self._open(slot, body) if flags & _BLOB else body
            )
            handler = self._handlers[name]
        except KeyError:
            known = ", ".join(handler_names(type(self._actor))) or "none"
            text = f"{self._name} has no handler {_text(name)!r}; it has: {known}"
            self._refuse(job, "unhandled", text)
            return
        except (DecodeError, TransportError, OSError, ValueError, TypeError) as exc:
            text = f"{self._name}.{_text(name)}: the message could not be read: {exc}"
            self._refuse(job, "unhandled", text)
            return
        self._run(job, handler, args, kwargs)

    def _handle_other(self, version: int, job: Job, flags: int, body: bytes) -> None:
        """Handle what is neither a tell nor an ask."""
        slot, kind, name, _, watch = job
        if version != _VERSION:  # nothing else in it means anything
            self._refuse_bytes(slot, f"a frame of version {version}")
            return
        if kind == _STOP:  # stays in its slot: whatever the way out is, it is final
            self.end(ExitReason(ExitKind.NORMAL, requested=True))
            return
        try:
            if kind != _NOTICE:
                self._refuse_bytes(slot, f"a frame of kind {kind}")
                return
            if flags & _BLOB:
                self._release(body)
                body = bytes(parcel.receive(body, self._client.blobs).data)
            notice = self.watches.read(watch, body)
        except (OSError, ValueError) as exc:
            text = f"{self._name}.{_text(name)}: a notice could not be read: {exc}"
            self._refuse(job, "unhandled", text)
            return
        if notice is None:
            self._done(slot, kind)
            return
        # By name, as a tick: private methods are no messages, but may hear of others.
        self._run(job, getattr(self._actor, _text(name)), (notice,), {})

    def _open(self, slot: Slot, body: bytes) -> Opened:
        self._release(body)
        if self._redelivers:
            self._kept[slot] = body
        return parcel.receive(
            body,
            self._client.blobs,
            private=self._may_write,
            keep=self._redelivers,
        )

    def _page_of(self, lane: int) -> status.StatusPage | None:
        """Return the status page of an asker that is new, or has ended."""
        asker = self._client.outgoing.asker(lane)
        return None if asker is None else asker.asker

    def _drop_blob(self, flags: int, body: bytes) -> None:
        if flags & _BLOB:
            with contextlib.suppress(ValueError):  # no parcel: nothing to remove
                self._release(body)
                parcel.drop(body, self._client.blobs)

    def _release(self, body: bytes) -> None:
        """The payload that *body* names waits outside of a mailbox no more."""
        payload = parcel.own(body)
        if payload is not None:
            ledger = self._ledgers.get(blob.receiver_of(payload[0]))
            if ledger is not None:
                ledger.release(payload[0])

    def _run(
        self,
        job: Job,
        handler: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        waiting = self._waiting
        waiting.hand = job[0]
        try:
            result = handler(*args, **kwargs)
        except BaseException as exc:  # noqa: BLE001 - the boundary between user code and the runtime
            if self.is_copy:
                offspring.leave(exc)
            waiting.hand = None
            if failures.did_not_fit(exc):
                self._refuse(job, "unhandled", messages.why_unfit(self._name, exc))
            else:
                self.failed(job, exc)
            return
        if self.is_copy:
            offspring.leave()
        waiting.hand = None
        if type(result) is CoroutineType:
            self._running += 1
            runner = self._idle.pop() if self._idle else Runner(self, self._loop)
            runner.give(job, result)
            return
        self.finished(job, result)

    def finished(self, job: Job, result: object) -> None:
        """Commit the reply of a handler that has returned, and empty its slot."""
        slot, kind, name, lane, corr = job
        if kind == _ASK:
            try:
                late = self._answer(lane, _REPLY, corr, self._encode(result))
            except (
                NotSerializableError,
                MessageTooLargeError,
                TransportError,
            ) as exc:
                error = failures.unsent(exc, f"{self._name}.{_text(name)}")
                late = self._answer_error(job, error)
            if late is not None:
                self._done_after(late, slot, kind)
                return
        self._done(slot, kind)

    def failed(self, job: Job, error: BaseException) -> None:
        """Tell the asker what a handler has raised, and decide what else it means."""
        slot, kind, name, _, _ = job
        method = f"{self._name}.{_text(name)}"
        hint = None if self._may_write else messages.why_read_only(self._name, error)
        if hint:
            error.add_note(hint)
        late = self._answer_error(job, error) if kind == _ASK else None
        if isinstance(error, SystemExit):
            self._done_after(late, slot, kind)
            self.end(goodbye.from_system_exit(error, during=method))
        elif failures.is_fatal(
            error, self._policies.get(_text(name)), is_ask=kind == _ASK
        ):
            # A tell stays in its slot as evidence: nobody else was told.
            if kind == _ASK:
                self._done_after(late, slot, kind)
            self.end(goodbye.from_exception(error, during=method))
        else:
            if kind != _ASK:
                facts = {"method": method, **reports.of_exception(error)}
                self._notify("handler_failed", facts)
            self._done_after(late, slot, kind)

    def _refuse(self, job: Job, cause: str, text: str) -> None:
        """Settle a message that no handler will see."""
        slot, kind, name, lane, corr = job
        late = None
        if kind == _ASK and cause != "expired":  # its asker has seen to that itself
            body = reports.to_bytes({"text": text})
            late = self._answer(lane, Kind.UNHANDLED, corr, body)
        if kind != _ASK or cause == "expired":
            facts = {"method": _text(name), "cause": cause, "text": text}
            self._notify("dead_letter", facts)
        self._done_after(late, slot, kind)

    def _refuse_bytes(self, slot: Slot, what: str) -> None:
        text = f"{self._name}: {what} cannot be read as a message"
        self._refuse((slot, Kind.TELL, b"", 0, 0), "unhandled", text)

    def _answer_error(self, job: Job, error: BaseException) -> Pending[None] | None:
        _, _, _, lane, corr = job
        body = failure.pack(error, self._client.codec.try_dumps)
        return self._answer(lane, Kind.ERROR, corr, body)

    def _done_after(self, late: Pending[None] | None, slot: Slot, kind: int) -> None:
        """Empty the slot of a message once its answer, which finds no room at the moment, is accepted.

        Until then it is in hand: should the process be killed, its asker is told.
        """
        if late is None:
            self._done(slot, kind)
        else:
            late.when_settled(functools.partial(self._done, slot, kind))

    def _notify(self, operation: str, facts: dict[str, Any]) -> None:
        # Where not even this finds room, there are thousands before it that say the same.
        with contextlib.suppress(MailboxFullError):
            self._client.notify_root(
                operation, {"number": self._client.number, **facts}
            )

    def _done(self, slot: Slot, kind: int) -> None:
        words = self._words
        slot.clear()
        if self._kept and slot in self._kept:
            parcel.drop(self._kept.pop(slot), self._client.blobs)
        if kind == LOCAL:
            words[status.BUSY] -= 1
        else:
            words[_HANDLED] += 1
        self._free.append(slot)
        if self._is_unwatched:
            self._watch_mailbox()

    def _watch_mailbox(self) -> None:
        """Let the loop tell when a mailbox that is no ring has something."""
        if self._is_open and self.reason is None:
            self._is_unwatched = False
            self._loop.add_reader(self._mailbox.fileno(), self._on_readable)

    def _place(self) -> Place | None:
        """Return the handler that runs now; see ``waits.Place``."""
        if threading.get_ident() != self._thread:
            return None
        if self._waiting.hand is not None:
            return self._places[self._waiting.hand], True
        task = asyncio.current_task() if running_loop() is self._loop else None
        if task is None or task in self.background:
            return None
        runner = self.runners.get(task)
        if runner is not None:
            return self._places[runner.slot], True
        if len(self._places) == 1 and self._running:  # whose else should it be
            return 0, False
        return None

    # What the actor sends itself.

    def _run_tick(self, tick: Tick) -> None:
        tick.is_queued = False
        if tick.is_cancelled:
            return
        slot = self._free.pop()  # holds a place among the messages in hand; stays empty
        name = tick.method.encode()
        slot.start()  # for those who look how long it takes
        self._words[status.BUSY] += 1
        job = (slot, LOCAL, name, 0, 0)
        # By name, so that a subclass's method counts; private ones are no messages, but may be ticks.
        method = getattr(self._actor, tick.method)
        self._run(job, method, tick.args, tick.kwargs)

    # Ending.

    def end(self, reason: ExitReason) -> None:
        """Take no further message; the loop ends when nothing is in hand any more, or at once after a crash."""
        if self.reason is None:
            self.reason = reason
            if self._is_called:
                self._tell_root("rouse")
        if not self._running or not self.reason.clean:
            self._loop.stop()

    def step_done(self, runner: Runner) -> None:
        """A runner has finished its message."""
        self._running -= 1
        self._idle.append(runner)
        if self._barriers:
            self._barriers.passed(runner)
        if self.reason is not None and not self._running:
            self._loop.stop()


def _ring_of(mailbox: Mailbox) -> Reader | None:
    """Return the ring that messages are taken from: the mailbox, or where those of the kernel wait that came at once."""
    if isinstance(mailbox, KernelMailbox):
        return mailbox.landing
    return mailbox if isinstance(mailbox, Reader) else None


def _text(name: bytes) -> str:
    return name.decode(errors="replace")
