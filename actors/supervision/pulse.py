"""Finding out supervisors that hang: stopped, or stuck where no supervisor should be.

One that has said nothing for an interval is asked to say something.
It answers from its loop, not from a thread, so an answer means that it works; with no answer in time it is ended, and its parent's
settings say what follows, as after any crash.
Whether a deadline has passed is looked at after everything that has come is read, and never held against it that we were late ourselves.

Source: the watchdog of systemd (``WatchdogSec``).
"""

from __future__ import annotations

import signal
import time

import attrs

from actors.exits import ExitKind, ExitReason
from actors.options import Heartbeat
from actors.supervision import reaper, threads
from actors.supervision.alarms import Alarms
from actors.supervision.child import SupervisorChild
from actors.supervision.endings import ABORT_GRACE
from actors.supervision.events import Events

ALARM = "pulse"


@attrs.define(eq=False)
class Patient:
    """One process of a supervisor.

    Attributes:
        incarnation: Which.
        due: When it is looked at next.
        asked_at: Since when it owes an answer; None where it owes none.
    """

    incarnation: int
    due: float
    asked_at: float | None = None


class Pulse:
    """Feels the pulse of the supervisors of one system."""

    def __init__(self, events: Events, alarms: Alarms) -> None:
        """Look when one of *alarms* is due."""
        self._events = events
        self._alarms = alarms
        self._patients: dict[int, Patient] = {}

    def watch(self, child: SupervisorChild) -> None:
        """There is a process of *child*: look after it from now on, if its settings say so."""
        heartbeat = child.options.heartbeat
        if heartbeat is not None:
            self._patients[child.number] = patient = Patient(child.incarnation, 0.0)
            self._look_in(child, patient, heartbeat.interval)

    def forget(self, child: SupervisorChild) -> None:
        """The process of *child* has ended."""
        self._patients.pop(child.number, None)
        self._alarms.clear((ALARM, child.number))

    def look(self, child: SupervisorChild) -> None:
        """See whether *child* has said anything."""
        patient, heartbeat = self._patients.get(child.number), child.options.heartbeat
        if patient is None or heartbeat is None or child.remote is None:
            return
        if child.pidfd < 0 or child.incarnation != patient.incarnation:
            return
        child.remote.receive()
        now = time.monotonic()
        heard_at = child.remote.heard_at
        if patient.asked_at is None or heard_at > patient.asked_at:
            patient.asked_at = None
            left = heard_at + heartbeat.interval - now
            if left <= 0:
                patient.asked_at = now
                child.remote.ping()
            self._look_in(child, patient, left if left > 0 else heartbeat.interval)
            return
        late = now - patient.due
        if threads.is_traced(child.pid):
            patient.asked_at = now
        elif late > heartbeat.interval:  # we have stood still ourselves
            patient.asked_at += late
        if now - patient.asked_at < heartbeat.timeout:
            left = patient.asked_at + heartbeat.timeout - now
            self._look_in(child, patient, min(left, heartbeat.interval))
        else:
            self._condemn(child, now - heard_at, heartbeat)

    def _look_in(
        self, child: SupervisorChild, patient: Patient, seconds: float
    ) -> None:
        patient.due = time.monotonic() + seconds
        self._alarms.set((ALARM, child.number), patient.due)

    def _condemn(
        self, child: SupervisorChild, silence: float, heartbeat: Heartbeat
    ) -> None:
        del self._patients[child.number]
        was_stopped = threads.is_stopped(child.pid)
        limit = f"{heartbeat.timeout:g} s"
        child.cause = child.cause or ExitReason(
            ExitKind.HEARTBEAT_LOST,
            silent_for=silence,
            stopped=was_stopped,
            message=f"for more than {limit}{', stopped' if was_stopped else ''}",
        )
        self._events.publish("watchdog", child, stage="abort", seconds=silence)
        reaper.may_signal(child.pidfd, signal.SIGABRT)
        reaper.may_signal(child.pidfd, signal.SIGCONT)
        self._alarms.set(("abort", child.number), time.monotonic() + ABORT_GRACE)
