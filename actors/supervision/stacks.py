"""The Python stacks of a process that runs on: of one that hangs in C with the GIL held as well.

Each thread writes its own, one after the other, from a signal handler (``runtime/_stack.c``) that needs neither the GIL nor memory;
behind the goodbye record there is room for it.
A signal may come in the middle of a call, when the stack makes no sense for some instructions: then the thread says so, and is asked again.

Nothing tells when a thread has finished.
But a handler blocks its signal while it runs: once the signal is neither pending nor blocked, all has been written.
"""

from __future__ import annotations

import os
import time
from collections import deque

import attrs

from actors import signals
from actors.runtime import record
from actors.supervision import linux, reaper, threads
from actors.supervision.alarms import Alarms
from actors.supervision.child import ActorChild
from actors.supervision.request import Request

ALARM = "stacks"
LOOK_SECONDS = 0.0005  # between two looks whether all is written
MAX_LOOK_SECONDS = 0.05  # each time twice as long, up to this
THREAD_SECONDS = 1.0  # that one thread may take
READY_SECONDS = 5.0  # for a process that has only just been forked
MAX_TRIES = 20  # of one thread, when about one stack in two thousand makes no sense
MAX_THREADS = 100
MAX_BYTES = 256 * 1024  # of one answer
KEPT_BYTES = 2**20  # of a process's buffer, until it is used from its beginning again
CHANGED = "  <changed while it was read>\n"  # what ends a stack that makes no sense


@attrs.define(eq=False)
class Attempt:
    """A child whose threads write their stacks.

    Attributes:
        child: Who.
        incarnation: Which of its lives.
        requests: Who wants to see them.
        until: Until when the process must be ready for the signal, then each thread.
        wait: Seconds until the next look.
        waiting: The threads that are still to write; None: the process is not ready.
        current: The one that writes.
        tries: How often it has been asked in vain.
        parts: What has been written.
    """

    child: ActorChild
    incarnation: int
    requests: list[Request]
    until: float
    wait: float = LOOK_SECONDS
    waiting: deque[int] | None = None
    current: int | None = None
    tries: int = 0
    parts: list[str] = attrs.field(factory=list)


class Stacks:
    """Shows the stacks of one supervisor's children."""

    def __init__(self, alarms: Alarms) -> None:
        """Look at processes again when one of *alarms* is due."""
        self._alarms = alarms
        self._attempts: dict[int, Attempt] = {}

    def show(self, child: ActorChild, request: Request) -> None:
        """Let the process of *child* write its stacks."""
        attempt = self._attempts.get(child.number)
        if attempt is not None:
            attempt.requests.append(request)
            return
        until = time.monotonic() + READY_SECONDS
        attempt = Attempt(child, child.incarnation, [request], until)
        self._attempts[child.number] = attempt
        self.look(child.number)

    def look(self, number: int) -> None:
        """See how far the process of child *number* is."""
        attempt = self._attempts[number]
        child = attempt.child
        if child.incarnation != attempt.incarnation or child.pidfd < 0:
            del self._attempts[number]
            for request in attempt.requests:
                request.repeat()
        elif linux.has_ended(child.pidfd):
            self._look_later(attempt)  # until its death has been seen to
        elif threads.is_stopped(child.pid):
            self._end(attempt, "is stopped; thaw it first")
        elif attempt.waiting is None:
            self._begin(attempt)
        elif attempt.current is not None:
            self._see(attempt, attempt.current, attempt.waiting)
        else:
            self._next(attempt, attempt.waiting)

    def _begin(self, attempt: Attempt) -> None:
        pid = attempt.child.pid
        if threads.catches(pid, signals.STACK):
            attempt.waiting = deque(threads.of(pid)[:MAX_THREADS])
            self._next(attempt, attempt.waiting)
        elif time.monotonic() < attempt.until:
            self._look_later(attempt)
        else:
            self._end(attempt, "has given up the signal for its stacks")

    def _next(self, attempt: Attempt, waiting: deque[int]) -> None:
        """Let the next thread write."""
        pid = attempt.child.pid
        while waiting:
            tid = waiting.popleft()
            if threads.signal_state(pid, tid, signals.STACK).is_blocked:
                attempt.parts.append(_headed(pid, tid, "  it blocks the signal\n"))
                continue
            _take(attempt.child)  # what came too late for whoever wanted it
            try:
                linux.signal_thread(attempt.child.pidfd, pid, tid, signals.STACK)
            except ProcessLookupError:
                if linux.has_ended(attempt.child.pidfd):
                    self._look_later(attempt)
                    return
                continue
            except PermissionError:
                self._end(attempt, reaper.NOT_OURS)
                return
            attempt.current = tid
            attempt.wait = LOOK_SECONDS
            attempt.until = time.monotonic() + THREAD_SECONDS
            self._look_later(attempt)
            return
        self._end(attempt)

    def _see(self, attempt: Attempt, tid: int, waiting: deque[int]) -> None:
        """See whether the current thread has written."""
        child = attempt.child
        state = threads.signal_state(child.pid, tid, signals.STACK)
        has_taken = not (state.is_pending or state.is_blocked)
        # The main thread always has something to write; a process that dies takes signals and does nothing about them.
        is_over = has_taken and (tid != child.pid or _has_written(child))
        if not is_over and time.monotonic() < attempt.until:
            self._look_later(attempt)
            return
        silence = (
            "it hangs in the kernel"
            if not has_taken
            else "it handles the signal for its stacks itself"
            if tid == child.pid
            else "no Python"
        )
        text = _take(child) or f"  {silence}\n"
        if text.endswith(CHANGED) and attempt.tries < MAX_TRIES:
            attempt.tries += 1
            waiting.appendleft(tid)
        else:
            attempt.tries = 0
            attempt.parts.append(_headed(child.pid, tid, text))
        attempt.current = None
        self.look(child.number)

    def _look_later(self, attempt: Attempt) -> None:
        due = time.monotonic() + attempt.wait
        self._alarms.set((ALARM, attempt.child.number), due)
        attempt.wait = min(2 * attempt.wait, MAX_LOOK_SECONDS)

    def _end(self, attempt: Attempt, error: str | None = None) -> None:
        del self._attempts[attempt.child.number]
        if error is not None:
            error = attempt.child.about(error)
        text = "\n".join(attempt.parts)[:MAX_BYTES]
        for request in attempt.requests:
            request.settle(error, text=text)


def _headed(pid: int, tid: int, text: str) -> str:
    is_main = ", the main one" if tid == pid else ""
    return f"Thread {tid} ({threads.name_of(pid, tid)}{is_main}):\n{text}"


def _has_written(child: ActorChild) -> bool:
    return os.lseek(child.goodbye_fd, 0, os.SEEK_CUR) > child.dump_at


def _take(child: ActorChild) -> str:
    """Return what *child* has written behind its goodbye since the last time."""
    fd = child.goodbye_fd
    # The offset of the file is the process's as well: it was forked with it open.
    end = os.lseek(fd, 0, os.SEEK_CUR)
    size = min(end - child.dump_at, MAX_BYTES)
    text = os.pread(fd, max(0, size), child.dump_at).decode(errors="replace")
    child.dump_at = end
    if end > KEPT_BYTES:
        child.dump_at = record.GOODBYE_BYTES
        os.lseek(fd, child.dump_at, os.SEEK_SET)
        os.ftruncate(fd, child.dump_at)
    return text.removeprefix("Stack (most recent call first):\n")
