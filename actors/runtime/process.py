"""The life of an actor process, from the fork to the exit: start, run, stop, say goodbye.

It ends with its atexit handlers, joined threads, flushed streams and then ``os._exit``: finalising the interpreter would cost 20 ms,
and could run code of the supervisor that this process is a copy of.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import faulthandler
import functools
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs
import structlog

from actors import context, goodbye, signals, unread
from actors.actor import Actor
from actors.exits import ExitKind, ExitReason
from actors.ref import ActorRef
from actors.runtime import (
    _stack,
    clock,
    heartbeat,
    limits,
    offspring,
    requests,
    status,
    streams,
)
from actors.runtime.cell import Cell
from actors.runtime.client import Client
from actors.runtime.lanes import DamagedLaneError
from actors.runtime.loop import RingLoop
from actors.runtime.outgoing import mailbox_name
from actors.runtime.record import GOODBYE_BYTES, Record
from actors.runtime.start import Arguments, Shared, Start
from actors.runtime.timers import Tick, Timer
from actors.runtime.wear import Wear
from actors.sibling import unpacking
from actors.tracebacks import of_user
from actors.watches import Link, Watch
from actors.wire import parcel
from actors.wire.frame import Kind
from actors.wire.parcel import Opened
from transports import registry
from transports.errors import CorruptError
from transports.mailbox import Transport

if TYPE_CHECKING:  # above this layer
    from actors.system import ActorSystem

R = TypeVar("R")

REHEARSAL_SECONDS = 2.0  # for an answer that takes microseconds
FLUSH_SECONDS = 2.0  # how long an ending actor waits for room for what it has sent


class Process:
    """One actor in this process; the ``Context`` of its actor."""

    def __init__(self, start: Start, loop: RingLoop) -> None:
        self._start = start
        self._record = Record(start.goodbye_fd)
        self.loop = loop
        asyncio.set_event_loop(loop)
        self.client = Client(start.directory, start.number, start.incarnation)
        self.client.discard_answers()
        self.client.on_damaged_lane = self._end_deaf
        transport = registry.get(start.scheme)
        mailbox = transport.open(
            start.mailbox_fd, start.directory.fd, mailbox_name(start.number)
        )
        self._mailbox = mailbox
        self.cell = Cell(self.client, mailbox, self.loop, redelivers=start.redelivers)
        if start.shared is not None:
            self._share(transport, start.shared)
        self.cell.background = self._tasks = set[asyncio.Task[Any]]()
        self.client.waiting.drive(self.loop, self.cell)
        self._clock = clock.of(start.directory, start.number, self.loop)
        self._actor: Actor | None = None
        self.ref: ActorRef[Any]  # set before user code runs

    def _share(self, transport: Transport, shared: Shared) -> None:
        """Let the actor take from a mailbox that others take from as well."""
        held, name = shared.mailbox_fd, mailbox_name(shared.number)
        mailbox = transport.open(held, self._start.directory.fd, name, shared.seat)
        dir_fd = self._start.directory.fd
        page = status.StatusPage.open(dir_fd, shared.number)
        facts = {"number": shared.number, "inode": os.fstat(held).st_ino}
        self.cell.share(
            shared.number,
            mailbox,
            page.ledger(dir_fd, shared.number),
            lambda what: self.client.notify_root(what, facts),
        )

    @functools.cached_property
    def log(self) -> Any:  # noqa: ANN401 - structlog's own type
        """The logger; made when it is asked for, because most actors log nothing."""
        return structlog.get_logger().bind(
            actor=self._start.name, incarnation=self._start.incarnation
        )

    @property
    def system(self) -> ActorSystem:
        """The system, for spawning and looking up."""
        from actors.system import ActorSystem  # noqa: PLC0415 - above this layer; loaded already where we are forked

        return ActorSystem._joined(self.client)  # noqa: SLF001 - the runtime's own door

    @property
    def worker_index(self) -> int | None:
        """See ``Actor.worker_index``."""
        return self._start.arguments.worker_index

    # The life.

    def run(self) -> int:
        """Live; return the exit status."""
        os.register_at_fork(after_in_child=self._become_copy)
        self._catch_sigterm()
        try:
            instance = self._run_in_loop(self._begin())
        except BaseException as exc:  # noqa: BLE001 - the boundary between user code and the runtime
            inner = goodbye.from_exception(
                exc, during="__init__" if self._actor is None else "on_start"
            )
            self._say_goodbye(
                ExitReason(
                    ExitKind.FAILED_TO_START, child_id=self._start.name, inner=inner
                )
            )
            return 1
        if self._start.heartbeat is not None:
            heartbeat.start(self.client.status, self._start.heartbeat)
        if self.cell.reason is None:
            self.client.notify_root(
                "ready",
                {"number": self._start.number, "incarnation": self._start.incarnation},
            )
            self.cell.open(instance, self._wear())
            self._run_until_ended()
        return self._end()

    def _catch_sigterm(self) -> None:
        offspring.caught.add(signal.SIGTERM)
        # Makes a signal end the loop's sleep.
        self.loop.add_signal_handler(signal.SIGTERM, lambda: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def _become_copy(self) -> None:
        """This is a process that the actor's code has forked; see ``offspring``."""
        self.cell.is_copy = True
        self.loop.call_first(offspring.leave)
        faulthandler.disable()  # its stacks would be taken for the actor's

    def rehearse(self, method: bytes) -> None:
        """Come as far as an actor that takes messages, and answer one: *method*, of this actor by itself.

        Raises:
            AskTimeoutError: There was no answer in time.
        """
        self._catch_sigterm()
        self.cell.open(self._run_in_loop(self._begin()))
        number = self.client.number
        facts = {"number": number, "incarnation": self._start.incarnation}
        self._run_in_loop(self._ask(number, method))
        # In the place of the root, which is told when an actor is ready.
        self.client.outgoing.notify(number, Kind.REQUEST, requests.pack(facts))

    async def _ask(self, number: int, method: bytes) -> None:
        seconds = REHEARSAL_SECONDS
        await self.client.ask(number, "understudy", method, "answer", ((), {}), seconds)

    def leave_stage(self) -> None:
        """Let go of everything, after a rehearsal."""
        self._mailbox.close()
        with contextlib.suppress(BufferError):  # slots of the cell are in use
            self.client.close()
        self.loop.close()  # which catches no signal any more
        offspring.caught.clear()

    def _wear(self) -> Wear | None:
        limits, start = self._start.arguments.recycle, self._start
        if limits is None:
            return None
        facts = {"number": start.number, "incarnation": start.incarnation}
        words = self.client.status.words
        return Wear(
            limits,
            self.loop,
            lambda: words[status.HANDLED],
            lambda cause: self.client.notify_root("due", {**facts, "cause": cause}),
        )

    def _run_until_ended(self) -> None:
        is_stopped = False
        while not is_stopped:
            try:
                self.loop.run_forever()
                is_stopped = True
            except (SystemExit, KeyboardInterrupt) as exc:
                # asyncio lets these through where a background task raises them.
                self.cell.end(goodbye.from_exception(exc))
            except OSError:  # of epoll: somebody has closed it
                self._note_loss()
                raise

    async def _begin(self) -> Actor:
        start = self._start
        # Not before the rings are mapped, which take address space too.
        limits.apply(0, (0,), start.resources)
        with context.loading():
            cls, args, kwargs = self._decode(start.arguments)
        self.ref = ActorRef(
            self.client, str(start.directory.path), start.number, start.name, cls
        )
        context.install(self)
        self.client.waiting.in_hook = True
        try:
            instance: Actor = cls(*args, **kwargs)
            self._actor = instance
            result = instance.on_start()
        finally:
            self.client.waiting.in_hook = False
        if result is not None and inspect.isawaitable(result):
            await result
        return instance

    def _decode(self, arguments: Arguments) -> Any:  # noqa: ANN401 - what a user has sent
        data: bytes | Opened = arguments.data
        if arguments.is_parcel:
            data = parcel.receive(
                arguments.data,
                self.client.blobs,
                private=arguments.is_private,
                is_held=True,
            )
        path = str(self._start.directory.path)
        tree = {
            place: ActorRef[Any](self.client, path, number, name)
            for place, number, name in arguments.places
        }
        with unpacking(tree):
            return self.client.codec.loads(data)

    def _end(self) -> int:
        incarnation = {
            "number": self._start.number,
            "incarnation": self._start.incarnation,
        }
        self.client.notify_root("leaving", incarnation)  # from here its time is bounded
        reason = self.cell.reason
        assert reason is not None  # noqa: S101 - the loop ends for no other cause
        reason = self._run_on_stop(reason)
        self._flush()
        self._say_goodbye(reason)
        return 0 if reason.clean else 1

    def _run_on_stop(self, reason: ExitReason) -> ExitReason:
        try:
            told = reason
            # Whoever sent the SIGTERM has asked for it.
            if reason.kind is ExitKind.SHUTDOWN:
                told = attrs.evolve(reason, requested=True)
            self._run_in_loop(self._stop(told))
        except BaseException as exc:
            trace = type(exc), exc, of_user(exc)
            self.log.exception("on_stop_failed", exc_info=trace)
            if reason.clean:
                return goodbye.from_exception(exc, during="on_stop")
        return reason

    async def _stop(self, reason: ExitReason) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._actor is None:
            return
        self.client.waiting.in_hook = True
        try:
            result = self._actor.on_stop(reason)
        finally:
            self.client.waiting.in_hook = False
        if inspect.isawaitable(result):
            await result

    def _run_in_loop(self, coro: Coroutine[Any, Any, R]) -> R:
        """Run *coro* to its end, whoever stops the loop meanwhile."""
        task = self.loop.create_task(coro)
        task.add_done_callback(lambda _: self.loop.stop())
        while not task.done():
            self.loop.run_forever()
        return task.result()

    def _flush(self) -> None:
        """Give what was sent to full mailboxes a last chance."""
        deadline = self.loop.time() + FLUSH_SECONDS
        while self.client.outgoing.backlog and self.loop.time() < deadline:
            self.loop.call_later(0.001, self.loop.stop)
            self.loop.run_forever()
            self.client.outgoing.flush()

    def _say_goodbye(self, reason: ExitReason) -> None:
        self._record.write(reason)
        self._note_loss()

    def _note_loss(self) -> None:
        """Say where that is still possible that no record can be written."""
        if self._record.is_lost:
            self.client.status.words[status.LOST] = 1

    def _end_deaf(self, error: DamagedLaneError) -> NoReturn:
        """End at once: a handler that waits for an answer would wait in vain."""
        self._say_goodbye(_deaf(error))
        os._exit(1)

    def _on_sigterm(self, *_: object) -> None:
        self.cell.end(ExitReason(ExitKind.SHUTDOWN))
        self.loop.call_soon_threadsafe(self.client.refuse_in_vain)

    # What the actor may use: ``context.Context``.

    def stop(self) -> None:
        """See ``Actor.stop``."""
        self.cell.end(ExitReason(ExitKind.NORMAL))

    def after(
        self, delay: float, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Timer:
        """See ``Actor.after``."""
        return Timer(
            self._clock,
            self.cell.ticks,
            Tick(method, args, kwargs),
            delay,
            repeats=False,
        )

    def every(
        self, period: float, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Timer:
        """See ``Actor.every``."""
        return Timer(
            self._clock,
            self.cell.ticks,
            Tick(method, args, kwargs),
            period,
            repeats=True,
        )

    def watch(self, ref: ActorRef[Any], method: str, *, is_close: bool) -> Watch:
        """See ``Actor.watch``."""
        return self.cell.watches.add(ref, method, is_close=is_close)

    def link(self, ref: ActorRef[Any], method: str | None) -> Link:
        """See ``Actor.link``."""
        return self.cell.watches.link(ref, method)

    def on_signal(self, signum: int, method: str) -> None:
        """See ``Actor.on_signal``."""
        offspring.caught.add(signum)
        self.loop.add_signal_handler(
            signum, lambda: self.cell.ticks.append(Tick(method, (), {}))
        )

    def start_task(self, coro: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """See ``Actor.start_task``."""
        task = self.loop.create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            name = getattr(task.get_coro(), "__qualname__", "a background task")
            self.cell.end(goodbye.from_exception(error, during=name))


def run(start: Start, loop: RingLoop | None = None) -> NoReturn:
    """Be the actor of *start*, in *loop* if it has been made before; never returns.

    The process is fresh from the fork: one thread, no frames of the supervisor that could run on.
    """
    status = 1
    try:
        streams.join(start.directory.fd, start.number)
        os.lseek(start.goodbye_fd, GOODBYE_BYTES, os.SEEK_SET)
        _write_stacks_to(start.goodbye_fd)
        status = _live(start, loop or RingLoop())
        leave()
    except BaseException as exc:  # noqa: BLE001 - a bug of ours; it must not run into the supervisor's code
        with contextlib.suppress(BaseException):
            sys.excepthook(type(exc), exc, exc.__traceback__)
    finally:
        os._exit(status)


def _write_stacks_to(fd: int) -> None:
    """Write the stacks of this process to *fd* when it is asked for them, and when it dies."""
    faulthandler.enable(fd, all_threads=True)
    if _stack.install(fd, signals.STACK):
        return
    # A Python whose frames we cannot read, or a kernel that does not let us.  Each thread for itself: the frames of another may
    # change while they are read.
    faulthandler.register(signals.STACK, fd, all_threads=False)
    # The end of its processor time: where it was spent, and then what SIGXCPU does.
    faulthandler.register(signal.SIGXCPU, fd, all_threads=False, chain=True)


def _live(start: Start, loop: RingLoop) -> int:
    try:
        process = Process(start, loop)
    except DamagedLaneError as exc:
        Record(start.goodbye_fd).write(_deaf(exc))
        return 1
    except CorruptError as exc:
        reason = ExitReason(ExitKind.MAILBOX_CORRUPT, message=str(exc))
        Record(start.goodbye_fd).write(reason)
        return 1
    return process.run()


def _deaf(error: DamagedLaneError) -> ExitReason:
    """Return why an actor ends that cannot be answered any more."""
    return ExitReason(ExitKind.CONTROL_LOST, message=str(error))


def leave() -> None:
    """Do what a Python program does at its end, short of finalising the interpreter."""
    join_threads: Callable[[], None] = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001 - what the interpreter calls
    join_threads()
    atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter calls
    unread.report_all()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
