"""How a process waits for answers: in a coroutine, in a thread, or in several of both.

One rule: *whoever is going to sleep arms the lane first*.
The pump lock says who looks at the lane.
A loop that is not ours may sleep at any time, so with one attached the lane is armed whenever the pump lock is free; a blocked thread
arms it just before it sleeps.
Our own loop (``loop.py``) drives the lane by itself: its thread never needs the lock, and other threads leave the lane to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import select
import threading
import time
import weakref
from collections.abc import Callable, Generator
from typing import Any, Protocol

from actors import interrupts
from actors.pending import WAITING, Pending
from actors.runtime.lanes import Lane
from actors.runtime.loop import RingLoop, Source
from actors.runtime.loopside import LoopSide, running_loop
from actors.runtime.outgoing import Outgoing
from actors.runtime.questions import Questions
from actors.runtime.rooms import LOOK_AGAIN_SECONDS
from actors.runtime.spin import Spin
from transports._ring import Reader, Slot, arm, disarm, look
from transports.errors import ClosedError
from transports.mailbox import Mailbox

# A foreign loop gets a turn at least this often while answers come at once.
BREATH_NS = 500_000
MAX_SLEEP_SECONDS = 24 * 3600.0  # poll refuses more than 24 days
HANDOVER_SECONDS = 0.005  # then whoever has the pump lock is woken
# A thread that queues behind another looks again this often, whatever happens.
SECOND_LOOK_SECONDS = 0.1
PAUSE_SECONDS = 0.001  # until a thread tries again to look itself
_now_ns = time.monotonic_ns  # looked up once: it is used for every answer


class Inlet(Protocol):
    """Takes in what has arrived."""

    def drain(self) -> bool:
        """Settle what has arrived; True when anything had."""
        ...

    def lose_root(self) -> None:
        """The root supervisor has died."""


class Waiting:
    """The waiting places of one process."""

    def __init__(
        self, lane: Lane, inlet: Inlet, questions: Questions, outgoing: Outgoing
    ) -> None:
        """Wait for what *inlet* takes out of *lane*."""
        self.root_pidfd: int | None = None
        # The slot of a plain handler that runs, or that a hook does: these may block although a loop runs in their thread.
        self.hand: Slot | None = None
        self.in_hook = False
        # Our own loop, once it looks after the lane, and its thread.
        self._driver = 0
        self._driving: weakref.ref[RingLoop] | None = None
        self._lane = lane
        self._readers: tuple[Reader, ...] = (lane.reader,)
        self._inlet = inlet
        self._questions = questions
        self._outgoing = outgoing
        self._pump = threading.RLock()  # so that its owner can be told; taken once
        self._pumping = 0  # the thread that has the lock
        self._registering = threading.RLock()  # signal handlers may re-enter
        self._sleepers: list[threading.Event] = []
        self._sides: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopSide] = (
            weakref.WeakKeyDictionary()
        )
        # The loop that was told last that something waits for room.
        self._room_loop: Callable[[], asyncio.AbstractEventLoop | None] = lambda: None
        self._has_loops = False  # whether there ever was one: asking the dictionary costs more than arming
        self._spin = Spin()
        self._breath_ns = 0
        self._blocked: list[Pending[Any]] = []  # what threads wait for
        self._is_over = False  # closed, or the copy of a fork
        _places.add(self)

    def drive(self, loop: RingLoop, source: Source) -> None:
        """Leave the lane to our own *loop*, which runs in this thread and drains *source*."""
        self._driver = threading.get_ident()
        self._driving = weakref.ref(loop)
        while not self._owns_pump() and not self._pump.acquire(
            timeout=HANDOVER_SECONDS
        ):
            self._lane.reader.ring()  # somebody may sleep with it, and has to leave
        self._pump.release()
        loop.rings.watch(source, self._lane.reader)
        self._side(loop)

    def _driver_thread(self) -> int:
        """Return the thread of our own loop, 0 without one."""
        if self._driving is not None:
            loop = self._driving()
            if loop is None or loop.is_closed():
                self._driver = 0
                self._driving = None
        return self._driver

    # In a coroutine.

    def suspend(self, pending: Pending[Any]) -> Generator[Any, Any, None]:
        """Look for a moment, then let the loop run until *pending* is settled."""
        if not self._driver_thread():
            self._look_once(pending)
        if pending.state != WAITING:
            if self.is_breath_due():
                yield
            return
        while pending.state == WAITING:
            if self._questions.withdrawn:
                self._questions.keep(pending)
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            waker = functools.partial(_wake_future, loop, future)
            self._add_waker(pending, waker)
            if pending.state != WAITING:  # settled by another thread in between
                return
            due, own = self._questions.next_deadline_ns, pending.deadline_ns
            if own and not 0 < due <= own:  # as in ``_sleep``
                due = self._questions.next_deadline_ns = own
            self._side(loop).wait_until(due)
            try:
                yield from future
            finally:
                self._breath_ns = time.monotonic_ns()
                _remove_waker(pending, waker)

    def _add_waker(self, pending: Pending[Any], waker: Callable[[], object]) -> None:
        """Call *waker* when *pending* is settled; whoever settles it meanwhile may miss it, so its state is read afterwards."""
        # Else one of two threads that begin to wait at once is forgotten.
        with self._registering:
            if pending.wakers is None:
                pending.wakers = []
            pending.wakers.append(waker)

    # The source of our own loop, in a program that has no cell.

    def drain(self) -> bool:
        """Settle what has arrived; see ``loop.Source``."""
        return self._inlet.drain()

    def readers(self) -> tuple[Reader, ...]:
        """Return the lane; see ``loop.Source``."""
        return self._readers

    def crowd(self) -> Mailbox | None:
        """Return None: this process shares nothing; see ``loop.Source``."""
        return None

    def awaits_kernel(self) -> bool:
        """Return whether anything waits for room; see ``loop.Source``."""
        return bool(self._outgoing.backlog)

    def called(self) -> None:
        """Do nothing; see ``loop.Source``."""

    def is_breath_due(self) -> bool:
        """Return whether the loop has had no turn for too long, to somebody who gives it one then."""
        now = _now_ns()
        if now - self._breath_ns <= BREATH_NS:
            return False
        self._breath_ns = now
        return True

    def _is_pumping_allowed(self) -> bool:
        """Return whether this thread may look at the lane, given the pump lock."""
        return self._driver_thread() in (0, threading.get_ident())

    def _owns_pump(self) -> bool:
        """Return whether this thread has the pump lock, also where it does not know.

        Ctrl-C may come right after it was acquired, or before it is released.
        """
        return self._pump._is_owned()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001 - threading.Condition asks for it too

    def _take_pump(self) -> bool:
        """Take the pump lock if it is free and our own loop does not run in another thread."""
        thread = threading.get_ident()
        if self._pumping == thread:  # further up the stack, below a signal handler
            return False
        is_taken = False
        try:
            if self._owns_pump() or self._pump.acquire(blocking=False):
                self._pumping = thread
                # A signal handler that waited may have taken the lock for left behind, and have released it.
                # With it in hand a loop that wants to drive waits until we let go.
                is_taken = self._owns_pump() and self._is_pumping_allowed()
        finally:  # Ctrl-C: as in ``_let_go``
            if not is_taken and self._pumping == thread:
                self._pumping = 0
            if not is_taken and self._owns_pump():
                self._release_pump()
        return is_taken

    def _release_pump(self) -> None:
        """Release the lock, which a signal handler that waited may have taken for left behind, and have released."""
        try:  # noqa: SIM105 - suppress() costs a microsecond of every answer
            self._pump.release()
        except RuntimeError:
            pass

    def glance(self) -> None:
        """Take in what has arrived, and do what is due, without waiting."""
        if self._take_pump():
            try:
                disarm(self._readers)
                self._inlet.drain()
            finally:
                self._let_go()
            self._expire()

    def _look_once(self, pending: Pending[Any]) -> None:
        if not self._take_pump():
            return
        try:
            disarm(self._readers)
            if not self._inlet.drain() and pending.state == WAITING:
                self._look()
            # What waits for room goes on as fast as the receiver does.
            breath_ns = time.monotonic_ns() + BREATH_NS
            while (
                self._outgoing.backlog
                and pending.state == WAITING
                and time.monotonic_ns() < breath_ns
                and self._look()
            ):
                pass
        finally:
            self._let_go()

    def _look(self) -> bool:
        """Look for what arrives, and for room where something waits for it; True when there was either."""
        budget = self._spin.budget_ns()
        if not budget:
            return False
        room = self._outgoing.room() if self._outgoing.backlog else None
        if room is None:
            found = look(self._readers, budget)
        else:
            found = look(self._readers, budget, room, select.POLLOUT)
        if not found:
            self._spin.miss()
            return False
        self._spin.hit()
        if room is not None:
            self._outgoing.flush()
            self._inlet.drain()
            return True
        return self._inlet.drain()

    def _let_go(self) -> None:
        """Release the pump lock, with the lane armed for whoever sleeps without holding it."""
        try:
            while (
                (self._has_loops or self._sleepers)
                and not self._driver
                and arm(self._readers)
            ):
                self._inlet.drain()
        finally:  # Ctrl-C may come at any time, and without the lock nobody could wait any more
            self._pumping = 0
            self._release_pump()
        if self._sleepers:
            with contextlib.suppress(IndexError):  # it woke by itself in between
                self._sleepers[0].set()

    def _side(self, loop: asyncio.AbstractEventLoop) -> LoopSide:
        side = self._sides.get(loop)
        if side is None:
            if isinstance(loop, RingLoop) and not self._driver_thread():
                self.drive(loop, self)
                return self._sides[loop]
            root = (
                None
                if self.root_pidfd is None
                else (self.root_pidfd, self._inlet.lose_root)
            )
            drives = self._driving is not None and self._driving() is loop
            self._has_loops = True
            # Others get the bell also while our own loop drives, because it may end before they do.
            bell = None if drives else (self._lane.reader.fileno(), self._on_bell)
            side = self._sides[loop] = LoopSide(
                loop, self._outgoing, self._expire, bell, root
            )
            if self._take_pump():  # else whoever has it arms when it lets go
                self._let_go()
        return side

    def _on_bell(self) -> None:
        if self._is_over:  # the parent's bell, or one that the loop is about to forget
            return
        # Whoever has the lock may sleep on the same bell: hushing it here would leave that one asleep.
        # Until it has hushed the bell itself, we are called again.
        if self._take_pump():
            try:
                self._lane.reader.hush()
                disarm(self._readers)
                self._inlet.drain()
            finally:
                self._let_go()

    def _expire(self) -> int:
        """Fail what is overdue; return the next deadline."""
        if self._questions.next_deadline_ns:
            self._questions.expire(
                [letter.pending for letter in self._outgoing.waiting()]
            )
            self._outgoing.flush()  # credits came back
        return self._questions.next_deadline_ns

    def watch_rooms(self, is_new: bool = True) -> None:  # noqa: FBT001, FBT002 - positional for speed
        """Something waits for room: let every loop look after it; those that do already, unless the receiver *is_new* among the full ones."""
        loop = running_loop()
        if not is_new and (loop is None or self._room_loop() is loop):
            return
        for side in list(self._sides.values()):
            side.watch_rooms_soon()
        if loop is not None:
            self._room_loop = weakref.ref(loop)
            self._side(loop).watch_rooms_soon()

    def watch_deadlines(self) -> None:
        """Something is to be done later: let every loop look after it."""
        due_ns = self._questions.next_deadline_ns
        for side in list(self._sides.values()):
            side.wait_until_soon(due_ns)
        loop = running_loop()
        if loop is not None:
            self._side(loop).wait_until_soon(due_ns)

    # In a thread.

    def block(self, pending: Pending[Any], timeout: float | None) -> None:
        """Block until *pending* is settled or *timeout* seconds have passed.

        Raises:
            RuntimeError: An event loop runs in this thread and would stand still.
        """
        refuse_in_loop("result()", "await the Pending instead")
        end = math.inf if timeout is None else time.monotonic() + timeout
        self._blocked.append(pending)
        try:
            if self._questions.withdrawn:
                self._questions.keep(pending)
            self._block(pending, end)
        finally:
            self._blocked.remove(pending)

    def _block(self, pending: Pending[Any], end: float) -> None:
        thread = threading.get_ident()
        while pending.state == WAITING and time.monotonic() < end:
            if not self._take_pump():
                if self._pumping == thread:
                    msg = "a signal handler that has interrupted result() cannot call it: it would wait for itself"
                    raise RuntimeError(msg)
                self._queue_up(pending, end)
                continue
            try:
                disarm(self._readers)
                self._pump_until(pending, end)
            finally:
                try:
                    self._let_go()
                finally:
                    if self._pumping == thread:  # Ctrl-C came as that was called
                        self._pumping = 0
                        self._release_pump()

    def _queue_up(self, pending: Pending[Any], end: float) -> None:
        """Sleep until whoever looks at the lane settles *pending*, or stops looking."""
        event = threading.Event()
        self._add_waker(pending, event.set)
        self._sleepers.append(event)
        try:
            if pending.state == WAITING:
                # Nobody looks where somebody has just stopped, or was stopped by Ctrl-C and has the lock all the same.
                is_seen_to = self._driver or self._pumping
                seconds = SECOND_LOOK_SECONDS if is_seen_to else PAUSE_SECONDS
                event.wait(min(end - time.monotonic(), seconds))
        finally:  # Ctrl-C: whoever lets go next would wake somebody who has left
            self._sleepers.remove(event)
            _remove_waker(pending, event.set)
        self._expire()

    def _pump_until(self, pending: Pending[Any], end: float) -> None:
        self._outgoing.flush()
        self._inlet.drain()
        while (
            pending.state == WAITING
            and time.monotonic() < end
            and self._is_pumping_allowed()
        ):
            if self._look():
                # Answers, or room, may come faster than we would sleep.
                if 0 < self._questions.next_deadline_ns <= time.monotonic_ns():
                    self._expire()
                continue
            if arm(self._readers):
                self._inlet.drain()
                continue
            # Closed by another thread while this one looked: what is waited for has failed by now.
            with contextlib.suppress(ClosedError):
                self._sleep(pending, end)
            self._inlet.drain()
            self._expire()

    def _sleep(self, pending: Pending[Any], end: float) -> None:
        """Sleep until the bell rings, the root dies, a full mailbox has room, or something is due."""
        now = time.monotonic()
        due, own = self._questions.next_deadline_ns, pending.deadline_ns
        # Another thread that saw to what was overdue may have looked before *pending* was entered, or be looking now.
        if own / 1e9 > now and not 0 < due <= own:
            due = self._questions.next_deadline_ns = own
        if due:
            end = min(end, due / 1e9)
        poll = select.poll()
        poll.register(self._lane.reader.fileno(), select.POLLIN)
        if self.root_pidfd is not None:
            poll.register(self.root_pidfd, select.POLLIN)
        for route in list(self._outgoing.backlog.values()):
            end = min(end, now + LOOK_AGAIN_SECONDS)
            room = route.fileno()
            if room is not None:
                poll.register(room, select.POLLOUT)
        ready = _poll(poll, min(end, now + MAX_SLEEP_SECONDS))
        disarm(self._readers)
        self._lane.reader.hush()
        self._outgoing.flush()
        if any(fd == self.root_pidfd for fd, _ in ready):
            self._inlet.lose_root()

    def has_waiter(self, pending: Pending[Any]) -> bool:
        """Return whether a coroutine or a thread waits for *pending*."""
        return bool(pending.wakers) or pending in self._blocked

    def rouse(self) -> None:
        """Let the thread that sleeps over the lane, if one does, look again at what it waits for."""
        with contextlib.suppress(ClosedError):  # then nobody sleeps
            self._lane.reader.ring()

    def wake_all(self) -> None:
        """Let blocked threads look again."""
        for sleeper in list(self._sleepers):
            sleeper.set()

    def disown(self) -> None:
        """Touch nothing any more, in a process forked from the one it belongs to.

        What a loop of the parent watches is left there: epoll sets are shared, so taking it out would silence the parent.
        """
        self._is_over = True
        self._sides.clear()

    def close(self) -> None:
        """Take everything out of the loops."""
        self._is_over = True
        for loop in list(self._sides):
            if isinstance(loop, RingLoop) and not loop.is_closed():
                loop.rings.unwatch(self)
        for side in list(self._sides.values()):
            side.detach()
        self._sides.clear()


# Of all the systems that this process is part of: a handler may wait for any of them.
_places: weakref.WeakSet[Waiting] = weakref.WeakSet()


def refuse_in_loop(call: str, instead: str) -> None:
    """Refuse to block a thread in which a loop runs, unless a plain handler does, whose loop may stand still.

    Raises:
        RuntimeError: It would; the text says what to do *instead* of this *call*.
    """
    if running_loop() is not None and not any(
        place.hand is not None or place.in_hook for place in _places
    ):
        msg = f"{call} would block the running event loop: {instead}"
        raise RuntimeError(msg)


def _poll(poll: select.poll, end: float) -> list[tuple[int, int]]:
    """Return what is ready until *end*, a monotonic time."""
    step = interrupts.longest_sleep()
    while True:
        left = end - time.monotonic()
        ready = poll.poll(max(0, math.ceil(min(left, step) * 1000)))
        if ready or left <= step:
            return ready


def _remove_waker(pending: Pending[Any], waker: Callable[[], object]) -> None:
    wakers = pending.wakers
    if wakers is not None:
        with contextlib.suppress(ValueError):  # settled in between
            wakers.remove(waker)


def _wake_future(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    if running_loop() is loop:
        _set(future)
    else:
        # The loop was closed: nobody waits there any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_set, future)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
