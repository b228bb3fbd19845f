"""Stopping a process where it does no harm: not while it sends.

A process that is stopped in the middle of a put holds the lock of somebody else's mailbox; its status page says when it is in one.
So it is stopped, looked at, and, if the moment was a bad one, continued and stopped again a little later.
"""

from __future__ import annotations

import signal
import time

import attrs

from actors.runtime import status
from actors.supervision import reaper, threads
from actors.supervision.alarms import Alarms
from actors.supervision.child import ActorChild
from actors.supervision.request import Request

ALARM = "freezing"
LOOK_SECONDS = 0.0005  # until it is looked at whether a process has stopped
MAX_LOOK_SECONDS = 0.05  # each time twice as long, up to this
GIVE_UP_SECONDS = 5.0  # a process that has not stopped by then hangs in the kernel


@attrs.define(eq=False)
class Attempt:
    """A child that is being stopped."""

    child: ActorChild
    incarnation: int
    until: float
    requests: list[Request] = attrs.field(factory=list)  # that it stays so
    wait: float = LOOK_SECONDS
    is_running: bool = False  # on purpose, to get out of what it was sending


class Freezing:
    """Freezes and thaws the processes of one supervisor's children."""

    def __init__(self, alarms: Alarms) -> None:
        """Look at processes again when one of *alarms* is due."""
        self._alarms = alarms
        self._attempts: dict[int, Attempt] = {}

    def freeze(self, child: ActorChild, request: Request) -> None:
        """Stop the process of *child*, which is ready."""
        if child.estate.page.is_frozen():
            request.settle()
            return
        attempt = self._attempts.get(child.number)
        if attempt is None:
            if not reaper.may_signal(child.pidfd, signal.SIGSTOP):
                request.settle(child.about(reaper.NOT_OURS))
                return
            until = time.monotonic() + GIVE_UP_SECONDS
            attempt = Attempt(child, child.incarnation, until)
            self._attempts[child.number] = attempt
            self._look_later(attempt)
        attempt.requests.append(request)

    def thaw(self, child: ActorChild, request: Request) -> None:
        """Let the process of *child* run."""
        if not reaper.may_signal(child.pidfd, signal.SIGCONT):
            request.settle(child.about(reaper.NOT_OURS))
            return
        child.estate.page.thaw()
        attempt = self._attempts.get(child.number)
        if attempt is not None:  # frozen, for no time at all
            self._end(attempt)
        request.settle()

    def look(self, number: int) -> None:
        """See how far the process of child *number* is."""
        attempt = self._attempts.get(number)
        if attempt is None:
            return
        child = attempt.child
        is_gone = child.incarnation != attempt.incarnation or child.pidfd < 0
        if is_gone or not child.is_running:
            self._abandon(attempt)
        elif attempt.is_running:
            attempt.is_running = False
            reaper.may_signal(child.pidfd, signal.SIGSTOP)
            self._look_later(attempt)
        elif not threads.is_stopped(child.pid):
            reaper.may_signal(child.pidfd, signal.SIGSTOP)  # others may continue it
            self._look_later(attempt)
        elif child.estate.page.words[status.SENDING]:
            attempt.is_running = True
            reaper.may_signal(child.pidfd, signal.SIGCONT)
            self._look_later(attempt)
        else:
            self._stopped(attempt)

    def _stopped(self, attempt: Attempt) -> None:
        attempt.child.estate.page.freeze()
        self._end(attempt)

    def _look_later(self, attempt: Attempt) -> None:
        now = time.monotonic()
        if now >= attempt.until:
            reaper.may_signal(attempt.child.pidfd, signal.SIGCONT)
            text = f"could not be stopped within {GIVE_UP_SECONDS:g} s"
            self._end(attempt, attempt.child.about(text))
            return
        self._alarms.set((ALARM, attempt.child.number), now + attempt.wait)
        attempt.wait = min(2 * attempt.wait, MAX_LOOK_SECONDS)

    def _abandon(self, attempt: Attempt) -> None:
        """It has ended, or is ending: what is wanted is the next one."""
        if attempt.child.pidfd >= 0:
            reaper.may_signal(attempt.child.pidfd, signal.SIGCONT)
        del self._attempts[attempt.child.number]
        for request in attempt.requests:
            request.repeat()

    def _end(self, attempt: Attempt, error: str | None = None) -> None:
        del self._attempts[attempt.child.number]
        self._alarms.clear((ALARM, attempt.child.number))
        for request in attempt.requests:
            request.settle(error)
