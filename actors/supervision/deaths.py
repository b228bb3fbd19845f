"""The deaths of children: what each leaves is settled, and a decision about it is asked for.

Nothing is decided here; the death of a supervisor, with which all below it have died, is decided about as one.
"""

from __future__ import annotations

import os
import random
import time

import attrs

from actors.exits import ExitKind, ExitReason
from actors.supervision import administration, linux
from actors.supervision.agenda import Agenda
from actors.supervision.alarms import Alarms
from actors.supervision.census import Census
from actors.supervision.child import ActorChild, Child, Companion, SupervisorChild
from actors.supervision.departures import Departures
from actors.supervision.endings import Endings
from actors.supervision.events import Events
from actors.supervision.kin import Kin
from actors.supervision.outputs import Outputs
from actors.supervision.pulse import Pulse
from actors.supervision.settling import Settling
from actors.supervision.sharing import Sharing
from actors.supervision.strategy import Death
from actors.wire import reasons


class Deaths:
    """Enters the deaths in one system."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one supervisor
        self,
        census: Census,
        agenda: Agenda,
        alarms: Alarms,
        settling: Settling,
        sharing: Sharing,
        outputs: Outputs,
        events: Events,
        endings: Endings,
        kin: Kin,
        pulse: Pulse,
        departures: Departures,
    ) -> None:
        """Put what is to be decided on *agenda*."""
        self._census = census
        self._agenda = agenda
        self._alarms = alarms
        self._settling = settling
        self._sharing = sharing
        self._outputs = outputs
        self._events = events
        self._endings = endings
        self._kin = kin
        self._pulse = pulse
        self._departures = departures

    def enter(self, child: Child) -> None:
        """Nothing of the incarnation is left."""
        reason = self._census.reason_of(child.number)
        if isinstance(child, SupervisorChild):
            reason = self._fall(child, reason)
        self._forget_process(child)
        self._settle_and_ask(child, reason)

    def never_was(self, child: Child, reason: ExitReason) -> None:
        """There was an order to fork *child*, and there is no process."""
        self._forget_process(child)
        if isinstance(child, SupervisorChild):
            self._lose_all(child, reason)
        self._settle_and_ask(child, reason)

    # Supervisors.

    def _fall(self, child: SupervisorChild, reason: ExitReason) -> ExitReason:
        """Enter the end of a supervisor, with which all below it have ended; return the reason."""
        if child.remote is not None:
            child.remote.receive()  # what it has seen happened before
        below = child.below
        over = below.group.leaving
        if below.has_left and over is not None and reason.exit_code == 0:
            reason = attrs.evolve(
                over,
                incarnation=reason.incarnation,
                pid=reason.pid,
                uptime=reason.uptime,
            )
        lost = ExitReason(ExitKind.SUPERVISOR_DIED, child_id=child.label, inner=reason)
        self._lose_all(child, lost)
        return reason

    def _lose_all(self, child: SupervisorChild, reason: ExitReason) -> None:
        """Enter the deaths of all below a supervisor that has no process, and let it begin afresh."""
        below = child.below
        for kid in child.everybody():
            for death in kid.branch.deaths:  # nobody decides about those any more
                if death.key == kid.number:
                    self._kin.lost(kid, death.reason)
            self._lose_companion(kid, reason)
            if kid.is_alive:
                self._lose(kid, reason)
            elif not kid.incarnation:
                kid.reason = reason  # for who waits for its start
            if kid.number not in below.static:
                self._departures.end(kid)
        self._renew(child)

    def _lose_companion(self, child: Child, reason: ExitReason) -> None:
        """Enter the death of the companion of *child*, if it has one: both had the same supervisor."""
        if not isinstance(child, ActorChild) or child.companion is None:
            return
        companion = child.companion
        companion.part()
        if child.last is not None:
            self._kin.lost(child, child.last.reason)
            child.last = None
        if companion.is_alive:
            self._lose(companion, reason)
        self._departures.end(companion)

    def _lose(self, child: Child, reason: ExitReason) -> None:
        """Enter the death of one that has died with its supervisor."""
        reason = attrs.evolve(reason, incarnation=child.incarnation, pid=child.pid)
        if isinstance(child, SupervisorChild):
            self._fall(child, reason)
        self._forget_process(child)
        self._settle(child, reason)
        self._kin.lost(child, reason)

    def _renew(self, child: SupervisorChild) -> None:
        if child.remote is not None:
            child.remote.close()
        child.remote = None
        child.below.renew()
        self._agenda.drop(child.below)
        self._alarms.clear(("due", child.number))

    # What one leaves.

    def _forget_process(self, child: Child) -> None:
        child.is_alive = False
        child.pidfd = -1
        if child.goodbye_fd >= 0:
            os.close(child.goodbye_fd)
            child.goodbye_fd = -1
        if isinstance(child, SupervisorChild):
            child.close_line_end()
            self._pulse.forget(child)
        self._endings.forget(child)

    def _settle(self, child: Child, reason: ExitReason) -> bool:
        """Settle what the dead one had in hand; return whether somebody wanted it to end for good."""
        with linux.file_reserve():
            return self._settled(child, reason)

    def _settled(self, child: Child, reason: ExitReason) -> bool:
        self._outputs.finish(child.number)
        is_final = False
        if isinstance(child, ActorChild):
            self._sharing.died(child)
            self._sharing.forget_opener(child.number)
            reason, is_final = self._settling.died(child, reason)
        child.reason = reason
        self._events.publish(
            "child_exit", child, reason=reasons.to_json(reason), text=str(reason)
        )
        self._kin.exited(child, reason)
        if isinstance(child, ActorChild) and reason.kind is ExitKind.MAILBOX_CORRUPT:
            self._settling.replace_mailbox(child)
        elif isinstance(child, ActorChild) and reason.kind is ExitKind.CONTROL_LOST:
            self._settling.replace_lane(child)
        return is_final

    def _settle_and_ask(self, child: Child, reason: ExitReason) -> None:
        """Settle what the incarnation had in hand, and have it decided about."""
        is_final = self._settle(child, reason)
        assert child.reason is not None  # noqa: S101 - set just now; for the checkers
        lived = None if child.ready_at is None else time.monotonic() - child.ready_at
        death = Death(
            child.number,
            child.reason,
            lived,
            luck=random.random(),  # noqa: S311 - it only spreads restarts
            is_ignored=lived is None and child.reason.kind is ExitKind.NORMAL,
            is_final=is_final,
        )
        if isinstance(child, ActorChild) and child.companion is not None:
            child.last = death
            self._stop(child.companion)
            if child.companion.is_unkillable:
                self._endings.give_up_on(child)
            return
        child.branch.deaths.append(death)
        self._agenda.add(child.branch)

    def _stop(self, companion: Companion) -> None:
        """End *companion*, whose actor has no process any more, with all that it has."""
        branch = companion.branch
        branch.group, _ = administration.stop_child(branch.group, companion.number)
        self._agenda.add(branch)
