"""A process that is made ahead: it has done what does not depend on whom it will be, and waits for its birth.

Where many are to be born, and a supervisor had better not fork, several are made at once, and born as soon as they are there.

While it is unborn it is nobody's death when it dies: it is replaced, the later the more often that happens.
Its birth comes over a socket, with the descriptors that belong to it; from then on it is as any other incarnation.
It ends when the socket is closed, and with its parent.

Source: the spare servers of Apache's prefork, and Android's pool of unspecialised processes.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn, Protocol

import attrs

from actors.supervision import fork, handover, linux, mould, orders, reaper
from actors.supervision.alarms import Alarms
from actors.supervision.birth import Birth
from actors.supervision.line import Line

ALARM = "spare"
NAME = "actors: spare"  # what ``ps`` shows
UNBORN = frozenset({NAME, mould.NAME})  # names of processes that are no child's
ANSWER_SECONDS = (
    5.0  # until a mould that has not made what was ordered is taken for stuck
)
READY_SECONDS = 10.0  # likewise a spare process that is not ready
MAX_ORDERED = 4  # at once: it makes one after the other, and births are sent meanwhile
AT_ONCE_SECONDS = 0.1  # in which a birth that waits is sent to the process made for it
MIN_PAUSE, MAX_PAUSE = 0.1, 60.0  # seconds after one that was lost unborn
# When a pause is over, something that was ordered is overdue, and a dead one can be reaped.
_PAUSE, _OVERDUE, _REAP = ((ALARM, number) for number in range(3))


class Life(Protocol):
    """What a process does with its birth."""

    def begin(self) -> None:
        """Make what is for copies of this process."""

    def prepare(self, is_called: Callable[[], bool]) -> None:
        """Do what is the same for every actor, or as much of it as there is time for until this process *is_called*."""

    def end(self) -> None:
        """Leave nothing of what is for copies."""

    def __call__(self, birth: Birth) -> NoReturn:
        """Live."""
        ...


@attrs.define(eq=False)
class _Process:
    """The mould, or the spare.

    Attributes:
        pid: Its number.
        pidfd: Open until it is reaped, or born.
        line: Ours to it.
        is_ready: Whether it has said that it is.
        is_dead: Whether it is to be reaped.
    """

    pid: int
    pidfd: int
    line: Line
    is_ready: bool = False
    is_dead: bool = False


class Spare:
    """The spare process of one supervisor, and the mould that it is a copy of."""

    def __init__(self, alarms: Alarms, selector: selectors.EpollSelector) -> None:
        """Watch the processes in *selector*; alarms of the kind ``ALARM`` come back through ``on_alarm``."""
        self._alarms = alarms
        self._selector = selector
        self._is_wanted = self._is_dismissed = False
        self._mould: _Process | None = None
        self._begun: tuple[Line, socket.socket] | None = None  # of a mould to be forked
        self._ordered: deque[Line] = deque()  # to those that are being made
        self._unborn: deque[_Process] = deque()
        self._killed: list[_Process] = []  # until they are reaped
        self._pause = 0.0

    @property
    def is_due(self) -> bool:
        """Whether one is to be made when there is nothing else to do."""
        return (
            self._is_wanted
            and not self._unborn
            and not self._ordered
            and _PAUSE not in self._alarms
        )

    @property
    def is_in_the_making(self) -> bool:
        """Whether there is none, but has been ordered."""
        return bool(self._ordered) and not self._unborn

    def pids(self) -> Iterator[int]:
        """Yield the numbers of what is no child's process."""
        for process in self._processes():
            yield process.pid

    def _processes(self) -> Iterator[_Process]:
        if self._mould is not None:
            yield self._mould
        yield from self._unborn
        yield from self._killed

    def want(self) -> None:
        """Keep one from now on, unless it has been dismissed."""
        self._is_wanted = not self._is_dismissed

    def dismiss(self) -> None:
        """Keep none any more."""
        self._is_wanted, self._is_dismissed = False, True
        self._alarms.clear(_PAUSE)
        self._alarms.clear(_OVERDUE)
        self._drop_mould()
        self._drop(list(self._unborn))

    def _drop(self, unborn: Iterable[_Process]) -> None:
        """End some of the unborn."""
        for process in unborn:
            self._unborn.remove(process)
            self._killed.append(process)
            _kill(process)

    def _drop_mould(self) -> None:
        """End the mould, and wait for nothing more of it: what it has made before counts, what it makes now ends by itself."""
        self._on_made()
        if self._mould is None:
            return
        mould, self._mould = self._mould, None
        if mould.line in self._selector.get_map():
            self._selector.unregister(mould.line)
        while self._ordered:
            self._ordered.pop().close()
        self._killed.append(mould)
        _kill(mould)

    # Making the mould.

    @property
    def needs_mould(self) -> bool:
        """Whether the mould has to be forked first."""
        return self._mould is None

    def begin(self) -> int:
        """Return the descriptor by which the mould that is about to be forked gets its orders.

        Raises:
            OSError: There is none to be had.
        """
        self._begun = _, end = Line.pair()
        return end.fileno()

    def forked(self, pid: int) -> None:
        """Watch the new mould *pid*."""
        assert self._begun is not None  # noqa: S101 - begun before; for the checkers
        (line, end), self._begun = self._begun, None
        end.close()
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:  # nobody else can have reaped it, so the number is its own
            line.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.not_forked()
            return
        self._mould = process = _Process(pid, pidfd, line)
        self._watch(process)
        self._selector.register(line, selectors.EVENT_READ, self._on_made)

    def not_forked(self, _error: OSError | None = None) -> None:
        """There is no mould to be had."""
        if self._begun is not None:
            for end in self._begun:
                end.close()
            self._begun = None
        self._pause_now()

    # Making the spare.

    def order(self) -> None:
        """Have one made by the mould, which gets ready for whatever birth there will be."""
        assert self._mould is not None  # noqa: S101 - see ``needs_mould``; for the checkers
        self._order(self._mould, is_awaited=False)

    def order_for(self, births: int) -> bool:
        """Have one made for each of so many *births* that wait, a few at a time; return whether any is to be waited for."""
        if self._mould is None or not self._is_wanted:
            return False
        if not _is_running(self._mould):
            self._drop_mould()
            self._pause_now()
            return False
        most = min(births, MAX_ORDERED)
        while len(self._ordered) < most and _PAUSE not in self._alarms:
            self._order(self._mould, is_awaited=True)
        return bool(self._ordered)

    def _order(self, maker: _Process, *, is_awaited: bool) -> None:
        """Have one made by *maker*, the mould, or pause."""
        try:
            line, end = Line.pair()
        except OSError:
            self._pause_now()
            return
        with contextlib.closing(end):
            if mould.order(maker.line, end, is_awaited=is_awaited):
                self._ordered.append(line)
                self._expect()
                return
        line.close()
        self._drop_mould()
        self._pause_now()

    def _on_made(self) -> None:
        """The mould has answered."""
        if self._mould is None:  # its death was seen in the same turn
            return
        line = self._mould.line
        try:
            while (copy := mould.receive(line)) is not None:
                self._made(copy, self._ordered.popleft())
        except EOFError:
            if line in self._selector.get_map():
                self._selector.unregister(line)

    def _made(self, copy: mould.Copy, line: Line) -> None:
        if copy.pid:
            process = _Process(copy.pid, copy.pidfd, line)
            self._unborn.append(process)
            self._watch(process)
            self._expect()
            return
        line.close()
        if copy.code in mould.NEVER:
            self.dismiss()
        else:
            self._pause_now()

    def _expect(self) -> None:
        """Be told when what is to come next is overdue: a process that is made, or else one that is ready."""
        if not (self._ordered or self._unborn):
            self._alarms.clear(_OVERDUE)
            return
        seconds = ANSWER_SECONDS if self._ordered else READY_SECONDS
        self._alarms.set(_OVERDUE, time.monotonic() + seconds)

    def _pause_now(self) -> None:
        self._pause = min(MAX_PAUSE, max(MIN_PAUSE, 2 * self._pause))
        if self._is_wanted:
            self._alarms.set(_PAUSE, time.monotonic() + self._pause)

    def on_alarm(self, number: int) -> None:
        """Something is due, and *number* says what."""
        if (ALARM, number) == _OVERDUE:
            self._end_stuck()
        for process in list(self._processes()):
            if process.is_dead:
                self._on_death(process)

    def _end_stuck(self) -> None:
        if self._ordered:
            self._drop_mould()
            self._pause_now()
        elif self._unborn:
            first, *others = self._unborn  # those of births that were withdrawn
            if not _is_ready(first):
                others.append(first)
                self._pause_now()
            self._drop(others)

    # Deaths.

    def _watch(self, process: _Process) -> None:
        self._selector.register(
            process.pidfd, selectors.EVENT_READ, lambda: self._on_death(process)
        )

    def _on_death(self, process: _Process) -> None:
        if process is self._mould:
            self._drop_mould()
            self._pause_now()
        elif process in self._unborn:
            self._drop([process])
            self._pause_now()
        self._unwatch(process)
        process.is_dead = True
        try:
            # It has started nobody, but a copy that the mould has just made is in its session for a moment, and may be born already.
            death = reaper.reap(process.pid, process.pidfd, keeps_session=True)
        except ChildProcessError:  # reaped before we knew whose it was
            pass
        else:
            if death is None:  # a debugger, or strace, has to see it first
                self._alarms.set(_REAP, time.monotonic() + reaper.TRACED_SECONDS)
                return
        os.close(process.pidfd)
        process.line.close()
        self._killed.remove(process)

    def _unwatch(self, process: _Process) -> None:
        for watched in (process.pidfd, process.line):
            if watched in self._selector.get_map():
                self._selector.unregister(watched)

    # Birth.

    def bear(self, birth: Birth) -> tuple[int, int] | None:
        """Let it be *birth*, and return its pid and pidfd; None when there is none that can.

        One that is not ready yet will be sooner than another that is forked now, and that would take the processor from it.
        """
        if birth.is_supervisor:
            return None
        while self._unborn:
            unborn = self._unborn[0]
            if _is_running(unborn) and _send(unborn.line, birth):
                self._unborn.popleft()
                self._unwatch(unborn)
                self._pause = 0.0
                self._alarms.clear(_PAUSE)
                self._expect()
                unborn.line.close()
                return unborn.pid, unborn.pidfd
            self._drop([unborn])
            self._pause_now()
        return None


def _kill(process: _Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)


def _is_ready(unborn: _Process) -> bool:
    if not unborn.is_ready:
        with contextlib.suppress(EOFError):
            unborn.is_ready = unborn.line.receive() is not None
    return unborn.is_ready


def _is_running(process: _Process) -> bool:
    """Return whether it has neither ended nor been stopped."""
    what = os.WEXITED | os.WSTOPPED | os.WNOWAIT | os.WNOHANG
    try:
        return os.waitid(os.P_PIDFD, process.pidfd, what) is None
    except ChildProcessError:
        return False


def _send(line: Line, birth: Birth) -> bool:
    """Send *birth*; return whether somebody was there to get it."""
    try:
        with handover.packed(birth) as (data, descriptors):
            return line.try_send(data, descriptors)
    except OSError:
        return False


def copies(end: int, life: Life) -> NoReturn:
    """Be the mould of spare processes, which gets its orders by the descriptor *end*; never returns."""
    life.begin()

    def body(own: int, is_awaited: bool) -> NoReturn:  # noqa: FBT001 - a call-back
        _be(own, life, is_awaited=is_awaited)

    mould.be(end, body, life.end)


def _be(end: int, life: Life, *, is_awaited: bool) -> NoReturn:
    """Wait for a birth, and live it; if it *is_awaited*, it comes at once, or has found another process."""
    linux.set_process_name(NAME)
    line = Line.waiting(end)
    if not (is_awaited and line.has_arrived_within(AT_ONCE_SECONDS)):
        life.prepare(lambda: line.has_arrived_within(0))
    birth = None
    with contextlib.suppress(EOFError):  # whoever keeps us has ended, or needs none
        line.send(b"ready")
        if (received := line.receive()) is not None:
            data, descriptors = received
            birth = handover.unpacked(orders.from_bytes(data)[1], descriptors)
    line.close()
    if birth is not None:
        fork.label(birth)
        life(birth)
    os._exit(0)
