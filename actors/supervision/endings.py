"""Ending processes: asking them to, killing them, and the time that each step may take."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from actors.exits import ExitKind, ExitReason
from actors.supervision import reaper
from actors.supervision.alarms import Alarms
from actors.supervision.child import ActorChild, Child
from actors.supervision.events import Events
from actors.supervision.settings import BRUTAL_KILL

ABORT_GRACE = 3.0  # seconds from SIGABRT, which makes it dump its stacks, to SIGKILL
LINGER_SECONDS = 5.0  # for the end of one that is never asked to end
DEADLINES = ("init", "abort", "shutdown", "unkillable")


class Endings:
    """Ends the processes of the children of one system."""

    def __init__(
        self,
        events: Events,
        alarms: Alarms,
        on_unkillable: Callable[[Child], None],
    ) -> None:
        """Keep deadlines in *alarms*; *on_unkillable* gets a child whose process SIGKILL has not ended."""
        self._events = events
        self._alarms = alarms
        self._on_unkillable = on_unkillable

    def ask(self, child: Child) -> None:
        """End the process of *child* as its settings say: SIGTERM, and SIGKILL when its time is up."""
        if child.options.shutdown == BRUTAL_KILL:
            self.kill(child, "brutal_kill")
            return
        if child.ready_at is None:  # it has nothing to clean up yet
            self.kill(child, "not_ready")
            return
        reaper.may_signal(child.pidfd, signal.SIGTERM)
        # A stopped process acts on nothing else.
        reaper.may_signal(child.pidfd, signal.SIGCONT)
        if isinstance(child, ActorChild):
            child.estate.page.thaw()
        self.limit(child)

    def limit(self, child: Child) -> None:
        """Let the process of *child*, which is about to end, take no longer than it may."""
        limit = child.options.shutdown
        seconds = LINGER_SECONDS if limit == BRUTAL_KILL else float(limit)
        self._alarms.set(("shutdown", child.number), time.monotonic() + seconds)

    def kill(self, child: Child, cause: str) -> None:
        """SIGKILL, for *cause*; what else is in its session dies when it is reaped."""
        if child.pidfd < 0:
            return
        child.cause = child.cause or ExitReason(ExitKind.KILLED, cause=cause)
        reaper.may_signal(child.pidfd, signal.SIGKILL)
        self._limit_rest(child)

    def reaped(self, child: Child) -> None:
        """The process of *child* has ended, and what it has left is being killed."""
        self.forget(child)
        self._limit_rest(child)

    def _limit_rest(self, child: Child) -> None:
        due = time.monotonic() + _grace(child)
        self._alarms.set(("unkillable", child.number), due)

    def limit_start(self, child: Child) -> None:
        """Let the process of *child*, which is there now, be ready in time."""
        due = time.monotonic() + child.options.init_timeout
        self._alarms.set(("init", child.number), due)

    def started(self, child: Child) -> None:
        """The process of *child* is ready."""
        self._alarms.clear(("init", child.number))

    def forget(self, child: Child) -> None:
        """There is no process to be ended any more."""
        for kind in DEADLINES:
            self._alarms.clear((kind, child.number))

    def on_deadline(self, kind: str, child: Child) -> None:
        """One of ``DEADLINES`` has come for *child*, whose process is there, or what it has left."""
        if kind == "init":
            limit = child.options.init_timeout
            child.cause = ExitReason(ExitKind.INIT_TIMEOUT, period=limit)
            reaper.may_signal(child.pidfd, signal.SIGABRT)
            reaper.may_signal(child.pidfd, signal.SIGCONT)
            self._alarms.set(("abort", child.number), time.monotonic() + ABORT_GRACE)
        elif kind == "abort":
            self.kill(child, "abort")  # the cause is recorded already
        elif kind == "shutdown":
            self.kill(child, "shutdown_timeout")
        elif kind == "unkillable":
            self._events.publish("unkillable", child)
            seconds = _grace(child)
            self._events.warn("unkillable", child, pid=child.pid, seconds=seconds)
            self.give_up_on(child)

    def give_up_on(self, child: Child) -> None:
        """Have nobody wait any more for the end of *child*."""
        child.is_unkillable = True
        self._on_unkillable(child)


def _grace(child: Child) -> float:
    """Return how long the process of *child* may be there after SIGKILL."""
    return child.branch.group.options.kill_grace
