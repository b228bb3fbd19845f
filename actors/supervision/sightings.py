"""What the hands of all supervisors see: processes that there are now, that could not be, and that are no more."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from actors.exits import ExitKind, ExitReason
from actors.runtime import status
from actors.supervision.agenda import Agenda
from actors.supervision.autopsy import Autopsy
from actors.supervision.census import Census
from actors.supervision.child import ActorChild, Companion, SupervisorChild
from actors.supervision.deaths import Deaths
from actors.supervision.endings import Endings
from actors.supervision.events import Events
from actors.supervision.group import Phase
from actors.supervision.hands import Ended
from actors.supervision.pulse import Pulse
from transports.errors import limit_behind


class Sightings:
    """Takes the reports about the children of one system; one about an incarnation that is over says nothing."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one supervisor
        self,
        census: Census,
        agenda: Agenda,
        autopsy: Autopsy,
        deaths: Deaths,
        endings: Endings,
        events: Events,
        pulse: Pulse,
        on_ready: Callable[[int, int], None],
    ) -> None:
        """Put what is to be decided on *agenda*; *on_ready* hears again of an incarnation that was ready too early."""
        self._census = census
        self._agenda = agenda
        self._autopsy = autopsy
        self._deaths = deaths
        self._endings = endings
        self._events = events
        self._pulse = pulse
        self._on_ready = on_ready

    def forked(self, number: int, incarnation: int, pid: int, pidfd: int) -> None:
        """See ``hands.Reports``."""
        child = self._census.incarnation(number, incarnation)
        if child is None:
            return
        child.pid, child.pidfd = pid, pidfd
        self._endings.limit_start(child)
        self._events.publish("child_starting", child)
        if isinstance(child, SupervisorChild):
            child.close_line_end()
            self._pulse.watch(child)
            self._agenda.add(child.below)
            if isinstance(child, Companion):
                self._introduce(child)
            return
        if isinstance(child, ActorChild):
            child.estate.page.words[status.PID] = pid
        is_stopping = child.member is not None and child.member.phase is Phase.STOPPING
        if is_stopping or child.cause is not None:
            self._endings.kill(child, "not_ready")
        elif child.is_early:
            self._on_ready(number, incarnation)

    def _introduce(self, companion: Companion) -> None:
        """Let *companion* start those who wait for it, and show where they are to be found."""
        companion.lend_hands()
        for kid in companion.spawned.values():
            self._agenda.add(kid.branch)
        companion.actor.estate.page.words[status.COMPANION] = companion.pid

    def not_forked(self, number: int, incarnation: int, code: int) -> None:
        """See ``hands.Reports``."""
        child = self._census.incarnation(number, incarnation)
        if child is None:
            return
        limit = limit_behind(OSError(code, os.strerror(code)), "a process")
        reason = ExitReason(
            ExitKind.SPAWN_ERROR,
            incarnation=incarnation,
            errno=code,
            message=None if limit is None else str(limit),
        )
        self._deaths.never_was(child, reason)

    def stray(self, number: int, incarnation: int, pid: int, name: str) -> None:
        """See ``hands.Reports``."""
        child = self._census.incarnation(number, incarnation)
        if child is None:
            return
        self._events.publish("stray", child, stray=pid)
        if isinstance(child, ActorChild):  # of a supervisor they are its actors
            self._events.info("stray", child, pid=pid, name=name)

    def spared(self, number: int, incarnation: int, pid: int) -> None:
        """See ``hands.Reports``."""
        child = self._census.incarnation(number, incarnation)
        if child is not None:
            self._events.publish("unkillable", child, stray=pid)
            self._events.warn("unkillable", child, pid=pid, reason="no permission")

    def reaped(
        self,
        number: int,
        incarnation: int,
        wait_status: int,
        uptime: float,
        max_rss_bytes: int,
        cpu_seconds: float,
    ) -> None:
        """See ``hands.Reports``."""
        child = self._census.incarnation(number, incarnation)
        if child is None:
            return
        child.pidfd = -1
        self._endings.reaped(child)
        if isinstance(child, ActorChild):
            child.estate.page.thaw()
        used = max_rss_bytes, cpu_seconds
        child.reason = self._autopsy.examine(child, wait_status, uptime, *used)

    def died(self, ended: Sequence[Ended]) -> None:
        """See ``hands.Reports``."""
        for number, incarnation in ended:
            child = self._census.incarnation(number, incarnation)
            if child is not None:
                self._deaths.enter(child)
