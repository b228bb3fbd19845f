"""Who works for an executor, and which calls wait; a thread of its own decides everything.

Calls wait here, not in mailboxes, and a worker has one at a time: so a call that waits can be taken back, and to end a call that runs is
to end its process, which has no other.
A process that is being ended gets no more calls, whatever the one it had has come to meanwhile.

A worker is never restarted: it is replaced.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from actors import interrupts, planting
from actors.errors import (
    ActorCrashedError,
    ActorError,
    ActorStoppedError,
    CallTimeoutError,
    ExecutorBrokenError,
    ForkedHandleError,
    SpawnError,
)
from actors.executor import starts
from actors.executor.call import Call
from actors.executor.deadlines import Deadlines
from actors.executor.ending import Ending
from actors.executor.failures import Failures
from actors.executor.inbox import Inbox
from actors.executor.member import NOTHING, Member, State, outcome
from actors.executor.settings import Settings
from actors.executor.worker import Worker
from actors.pending import FAILED, Pending
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.supervision.settings import split

_CALL = Worker.call.__name__.encode()


class Foreman:
    """The workers and the calls of one executor.

    Attributes:
        broken: What every call fails with from now on.
        ending: How far it is on the way to its end.
        is_over: Whether it does nothing any more.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        close: Callable[[], None],
        on_over: Callable[[Foreman], None],
    ) -> None:
        """Employ workers.

        Args:
            client: Of the system that they live in.
            settings: What they are.
            close: Is called when nothing is left to do.
            on_over: Is told when the thread is about to end.
        """
        self.broken: Exception | None = None
        self.ending = Ending.NOT_AT_ALL
        self._client = client
        self._settings = settings
        self._options = split(settings.options)
        self._close = close
        self._on_over = on_over
        self._inbox = Inbox(client)
        self._queue: deque[Call[Any]] = deque()
        self._members: list[Member] = []
        self._idle: list[Member] = []  # the last to become idle works next: it is warm
        self._hands: dict[Call[Any], Member] = {}
        self._most = 0  # workers there were at once: so many are kept
        self._deadlines = Deadlines()
        self._failures = Failures()
        self._retry_at: float | None = None
        self.is_over = False
        self._has_ended = False
        self._at_work = threading.Lock()  # held until then
        self._at_work.acquire()
        self._thread = threading.Thread(
            target=self._run, name="actors.Executor", daemon=True
        )
        self._thread.start()

    # For any thread.

    def submit(self, call: Call[Any]) -> None:
        """Have *call* executed."""
        self._post(self._on_submit, call)

    def check_fork(self) -> None:
        """Refuse to do anything in a process that was forked from the executor's.

        Raises:
            ForkedHandleError: This is one.
        """
        if self._is_copy():
            msg = "the executor belongs to the process that this one was forked from: make one here"
            raise ForkedHandleError(msg)

    def _is_copy(self) -> bool:
        return isinstance(self._client.ended_with, ForkedHandleError)

    def check_use(self, *, is_waiting: bool) -> None:
        """Refuse to let a call be used where nobody would ever settle it.

        Raises:
            ForkedHandleError: As ``check_fork``.
            RuntimeError: Somebody *is_waiting* in a call-back of a future: the thread that runs it is the one that settles all of them.
        """
        self.check_fork()
        if is_waiting and self._thread is threading.current_thread():
            msg = "a call-back of a future would wait for ever here: the thread that runs it settles all calls of the executor"
            raise RuntimeError(msg)

    def describe(self) -> str:
        """Return in few words how far it is."""
        if self.broken is not None:
            return "broken"
        if self.ending is not Ending.NOT_AT_ALL:
            return "shut down"
        return f"{len(self._members)} of {self._settings.max_workers} workers"

    def cancel(self, call: Call[Any]) -> None:
        """End *call*, which somebody has cancelled, if it runs."""
        self._post(self._on_cancel, call)

    def end(self, how: Ending) -> None:
        """Take no more calls, and end."""
        self.ending = max(self.ending, how)
        self._post(self._on_end)
        self._inbox.wake()

    def _post(self, act: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 - as *act* takes them
        self._inbox.post(act, *args)
        if self.is_over:  # the thread may not see it any more
            self._inbox.work()

    def join(self, timeout: float = math.inf) -> None:
        """Wait until all is over, or for *timeout* seconds; a call-back of a future, which cannot, does not, nor a forked process."""
        if self._thread is threading.current_thread():
            return
        end = time.monotonic() + timeout
        # Not the thread, which counts as ended once Ctrl-C has interrupted its join (CPython up to 3.12), nor an event, whose lock a
        # signal may leave held.
        while not self._has_ended and not self._is_copy():
            left = end - time.monotonic()
            if left <= 0:
                return
            if self._at_work.acquire(timeout=min(left, interrupts.STEP_SECONDS)):
                self._at_work.release()

    # The thread.

    def _run(self) -> None:
        try:
            self._employ()
        finally:
            self._has_ended = True
            self._at_work.release()

    def _employ(self) -> None:
        try:
            while not self._is_done():
                self._inbox.wait(self._next_due())
                self._inbox.work()
                self._expire()
                self._staff()
        except BaseException as exc:  # noqa: BLE001 - whatever it is, whoever waits must get it
            self._fail(exc)
        finally:
            self.is_over = True
            self._inbox.work()
            # That the system has ended by itself is what every call has been told.
            with contextlib.suppress(ActorError):
                self._close()
            self._on_over(self)

    def _is_done(self) -> bool:
        """Return whether nobody works or waits any more; who still starts is left to the system, or ends when it is ready."""
        return (
            self.ending is not Ending.NOT_AT_ALL
            and not self._queue
            and not self._inbox
            and all(member.state is State.STARTING for member in self._members)
        )

    def _next_due(self) -> float | None:
        dues = (self._deadlines.next_due, self._retry_at)
        return min((due for due in dues if due is not None), default=None)

    def _fail(self, error: BaseException) -> None:
        """Nothing can be done any more: tell everybody."""
        self.broken = error if isinstance(error, Exception) else ActorError(repr(error))
        # What has come before counts; whatever is wrong with the rest, this error was first.
        with contextlib.suppress(Exception):
            self._inbox.work()
        calls = [*self._hands, *self._queue]
        self._hands.clear()
        self._queue.clear()
        self._members.clear()
        for call in calls:
            call.settle(self.refusal())

    def refusal(self) -> Exception:
        """Return what a call fails with that nobody will execute."""
        if self.broken is None:
            return RuntimeError("cannot schedule new futures after shutdown")
        error = type(self.broken)(*self.broken.args)
        error.__cause__ = self.broken.__cause__
        return error

    # What is posted.

    def _on_submit(self, call: Call[Any]) -> None:
        if self.is_over or self.broken is not None:
            call.settle(self.refusal())
            return
        if call.timeout is not None:
            due = time.monotonic() + call.timeout
            still_open = len(self._queue) + len(self._hands)
            self._deadlines.add(call, due, still_open)
        self._queue.append(call)
        if self._idle:
            self._staff()

    def _on_cancel(self, call: Call[Any]) -> None:
        member = self._hands.get(call)
        if member is not None:
            self._kill(member)

    def _on_end(self) -> None:
        if self.ending >= Ending.AFTER_RUNNING:
            waiting = list(self._queue)
            self._queue.clear()
            for call in waiting:
                call.cancel()
        if self.ending is Ending.AT_ONCE:
            for call in list(self._hands):
                call.cancel()

    def _expire(self) -> None:
        now = time.monotonic()
        for call in self._deadlines.overdue(now):
            member = self._hands.get(call)
            where = f"it waited for a worker, of which there are {len(self._members)}"
            if member is not None:
                where = f"it had run for {now - call.started:.1f} s"
                self._kill(member)
            assert call.timeout is not None  # noqa: S101 - else it would not be here; for the checkers
            call.settle(CallTimeoutError(call.label, call.timeout, where))
        if self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None

    # Work.

    def _staff(self) -> None:
        """Give calls to those who are idle, and see that there are enough of them."""
        while self._idle and (call := self._next_call()) is not None:
            self._give(self._idle.pop(), call)
        if self.ending is not Ending.NOT_AT_ALL and not self._queue:
            while self._idle:
                self._retire(self._idle.pop())
        elif self._retry_at is None and self.broken is None:
            starting = sum(each.state is State.STARTING for each in self._members)
            wanted = max(len(self._members) + len(self._queue) - starting, self._most)
            while len(self._members) < min(wanted, self._settings.max_workers):
                self._start()

    def _next_call(self) -> Call[Any] | None:
        while self._queue:
            call = self._queue.popleft()
            if not call.is_over:
                return call
        return None

    def _give(self, member: Member, call: Call[Any]) -> None:
        body = call.body
        if call.is_over:  # asked after its body was read, which it loses then
            self._idle.append(member)
            return
        assert member.ref is not None  # noqa: S101 - it is ready; for the checkers
        number, name = member.ref._number, member.ref.name  # noqa: SLF001 - the body is encoded already
        try:
            pending = self._client.ask(number, name, _CALL, call.label, body, None)
        except Exception as exc:  # noqa: BLE001 - too large, no room for it, a system that has ended: whoever made the call is told
            self._idle.append(member)
            call.settle(exc)
            return
        call.started = time.monotonic()
        member.state = State.BUSY
        member.call = call
        member.calls += 1
        self._hands[call] = member
        self._follow(member, pending)

    def _follow(self, member: Member, pending: Pending[Any]) -> None:
        member.pending = pending
        pending.when_settled(lambda: self._post(self._on_settled, member, pending))

    def _on_settled(self, member: Member, pending: Pending[Any]) -> None:
        """Something that *member* did has come to an end."""
        if member.state is State.STARTING:
            self._on_started(member, pending)
            return
        value, error = outcome(pending)
        # Told twice, or it is being ended, and had this in hand.
        if member.pending is not pending:
            return
        member.pending = NOTHING
        if member.state is State.BUSY:
            self._on_answer(member, value, error)
        else:
            self._members.remove(member)

    def _on_answer(
        self, member: Member, value: object, error: BaseException | None
    ) -> None:
        call, member.call = member.call, None
        assert call is not None  # noqa: S101 - it is busy; for the checkers
        del self._hands[call]
        # What the function has raised has its own traceback as the cause.
        died = isinstance(error, ActorCrashedError | ActorStoppedError)
        if died and error is not None and error.__cause__ is None:
            self._members.remove(member)
        elif member.calls == self._settings.max_tasks_per_child:
            self._retire(member)
        else:
            member.state = State.IDLE
            self._idle.append(member)
        if isinstance(error, ActorStoppedError) and error.__cause__ is None:
            self._queue.appendleft(call)  # it died before it took the call
            return
        self._staff()  # before the call-backs of the future, which are anybody's
        call.settle(error, value)

    # Workers.

    def _start(self) -> None:
        pending = planting.spawn(
            self._client,
            self._options,
            Worker,
            (self._settings.initializer, self._settings.initargs),
            {},
            label="executor",
        )
        member = Member(pending)
        self._members.append(member)
        self._most = max(self._most, len(self._members))
        self._follow(member, pending)

    def _on_started(self, member: Member, pending: Pending[ActorRef[Worker]]) -> None:
        if self.is_over:  # nobody has any work for it
            ref, error = outcome(pending)
            if error is None:
                with contextlib.suppress(ActorError):
                    _ = ref.kill()
            return
        if pending.state == FAILED:
            self._members.remove(member)
            self._on_failed_start(pending)
            return
        member.ref = pending.result()
        member.pending = NOTHING
        self._failures.clear()
        member.state = State.IDLE
        self._idle.append(member)

    def _on_failed_start(self, pending: Pending[ActorRef[Worker]]) -> None:
        error = pending.value
        if not isinstance(error, SpawnError):
            raise error
        failures = self._failures
        failures.add(pending)
        delay = starts.delay_after(error.reason, failures.count, len(self._members))
        if delay is not None:
            self._retry_at = time.monotonic() + delay
            if any(each.state is not State.STARTING for each in self._members):
                failures.log()
            return
        failures.tell()
        self.broken = ExecutorBrokenError(error.reason)
        self.broken.__cause__ = error
        waiting = list(self._queue)
        self._queue.clear()
        for call in waiting:
            call.settle(self.refusal())

    def _kill(self, member: Member) -> None:
        """End the process of *member*, which is busy, and with it its call."""
        assert member.ref is not None  # noqa: S101 - it is ready; for the checkers
        if member.call is not None:
            del self._hands[member.call]
            member.call = None
        member.state = State.ENDING
        self._follow(member, member.ref.kill())

    def _retire(self, member: Member) -> None:
        """Let *member*, which has nothing to do, end in order."""
        assert member.ref is not None  # noqa: S101 - it is ready; for the checkers
        member.state = State.ENDING
        _ = member.ref.stop()
        self._follow(member, member.ref.ended())
