"""Children that have no process and get none as things are: laid down until somebody starts them, or ended for good."""

from __future__ import annotations

import attrs

from actors.exits import ExitKind, ExitReason
from actors.supervision import linux
from actors.supervision.agenda import Agenda
from actors.supervision.askers import Askers
from actors.supervision.census import Census
from actors.supervision.child import (
    ActorChild,
    Branch,
    Child,
    Companion,
    SupervisorChild,
)
from actors.supervision.events import Events
from actors.supervision.group import Phase
from actors.supervision.kin import Kin
from actors.supervision.links import Tie
from actors.supervision.outputs import Outputs
from actors.supervision.settling import Settling
from actors.supervision.sharing import Sharing
from actors.wire import reasons


class Departures:
    """Sees to those of one system who have no process."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one supervisor
        self,
        census: Census,
        agenda: Agenda,
        settling: Settling,
        sharing: Sharing,
        outputs: Outputs,
        events: Events,
        kin: Kin,
        askers: Askers,
    ) -> None:
        """Settle what they leave, and tell those who want to know."""
        self._census = census
        self._agenda = agenda
        self._settling = settling
        self._sharing = sharing
        self._outputs = outputs
        self._events = events
        self._kin = kin
        self._askers = askers

    def look(self, branch: Branch) -> None:
        """See to those in *branch* whose place in the group has changed."""
        before, branch.settled = branch.settled, branch.group.members
        # Whoever is what it was has been seen to: of many children, few change in a turn.
        changed = [
            child
            for number, child in branch.kids.items()
            if branch.settled.get(number) is not before.get(number, child)
        ]
        for child in changed:
            member = child.member
            if member is None or not (
                member.has_process or member.phase is Phase.RESTARTING
            ):
                with linux.file_reserve():
                    self._see_to(child)

    def _see_to(self, child: Child) -> None:
        branch = child.branch
        if branch.owner is None:
            self.end(child)
        elif branch.group.leaving is None:  # else its supervisor may come back
            self.end(child) if child.member is None else self._lay_down(child)

    def _lay_down(self, child: Child) -> None:
        """Let *child* rest until somebody starts it: its mailbox takes nothing meanwhile."""
        if child.is_down:
            return
        child.is_down = True
        reason = self._census.reason_of(child.number)
        if isinstance(child, ActorChild):
            self._settling.suspend(child, reason)
        elif isinstance(child, SupervisorChild):
            for kid in list(child.below.kids.values()):
                self._lay_down(kid)
        self._events.publish("child_stopped", child, reason=reasons.to_json(reason))
        if child.member is not None and child.member.phase is Phase.IGNORED:
            self._askers.started(child)
        self._kin.ended(child, reason)
        self._askers.down(child, reason)  # last: by then, watchers have been told

    def end(self, child: Child) -> None:
        """End *child* for good: its mailbox takes nothing more, and what was queued is answered or becomes dead letters."""
        if child.number not in self._census.children:
            return
        reason = self._last_reason(child)
        if isinstance(child, SupervisorChild):
            for kid in child.everybody():
                self.end(kid)
            self._agenda.drop(child.below)
        elif isinstance(child, ActorChild):
            self._sharing.left(child, reason)
            self._settling.end(child, reason)
            self._outputs.end(child.number)
        self._census.remove(child)
        if child.branch.is_of_one:
            self._agenda.drop(child.branch)
        home = child.branch.home
        if home is not None and home.below.group.leaving is not None:
            self._agenda.add(home.below)  # the next one's turn
        self._settling.remember(child.number, reason)
        if not child.is_down:
            self._events.publish("child_stopped", child, reason=reasons.to_json(reason))
        self._kin.ended(child, reason)
        self._askers.down(child, reason)  # last: by then, watchers have been told
        if isinstance(child, Companion):
            self._part(child, reason)

    def _part(self, companion: Companion, reason: ExitReason) -> None:
        """Let the actor of *companion* end with it, or, where it has ended already, have its death decided about."""
        actor = companion.actor
        if actor.companion is not companion:
            return
        companion.part()
        if actor.last is not None:
            actor.branch.deaths.append(actor.last)
            actor.last = None
            self._agenda.add(actor.branch)
        elif companion.ready_at is not None:  # else there never was one
            tie = Tie(actor.number)
            self._kin.pass_on(tie, companion.label, companion.incarnation, reason)

    def _last_reason(self, child: Child) -> ExitReason:
        branch = child.branch
        over = branch.group.leaving
        if branch.is_of_one and over is not None:
            return attrs.evolve(
                over, incarnation=child.incarnation, child_id=child.label
            )
        return self._census.reason_of(child.number)

    def give_up(self) -> None:
        """End those for good whose processes cannot be ended."""
        for child in list(self._census.children.values()):
            child.reason = ExitReason(ExitKind.KILLED, cause="unkillable")
            self.end(child)
