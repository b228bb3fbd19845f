"""The life of the children, as one whole: what is decided about them, and who has it carried out.

What a death means, and what is to be done, is decided by pure functions of a group (``strategy.py``, ``progress.py``); this takes the
decisions for all groups of the tree.
Deaths are collected, and decided about when all that can be seen have been.
Nothing here blocks on a child.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable

from actors.exits import ExitKind, ExitReason
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import Outgoing
from actors.supervision import (
    administration,
    obituary,
    progress,
    standstill,
    strategy,
)
from actors.supervision.administration import Reply
from actors.supervision.agenda import Agenda
from actors.supervision.alarms import Alarms
from actors.supervision.askers import Askers
from actors.supervision.autopsy import Autopsy
from actors.supervision.births import Births
from actors.supervision.census import Census
from actors.supervision.child import (
    TOP,
    ActorChild,
    Branch,
    Child,
    Companion,
    SupervisorChild,
)
from actors.supervision.deaths import Deaths
from actors.supervision.departures import Departures
from actors.supervision.endings import Endings
from actors.supervision.events import Events
from actors.supervision.group import Group, Phase
from actors.supervision.hands import ALARMS as HANDS
from actors.supervision.hands import Hands
from actors.supervision.kin import Kin
from actors.supervision.nested import Life
from actors.supervision.outputs import Outputs
from actors.supervision.payloads import Payloads
from actors.supervision.progress import Leave, Start
from actors.supervision.pulse import ALARM as PULSE
from actors.supervision.pulse import Pulse
from actors.supervision.remote import ALARM as LINE
from actors.supervision.settings import BRUTAL_KILL, SupervisorOptions
from actors.supervision.settling import Settling
from actors.supervision.sharing import Sharing
from actors.supervision.sightings import Sightings
from actors.supervision.spare import Spare
from actors.supervision.watches import Watches
from actors.wire import reasons


class Lifecycle:
    """The children of all supervisors of one system."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one supervisor
        self,
        directory: RuntimeDirectory,
        outgoing: Outgoing,
        events: Events,
        alarms: Alarms,
        selector: selectors.EpollSelector,
        spare: Spare,
        payloads: Payloads,
        outputs: Outputs,
    ) -> None:
        """Watch processes in *selector* and deadlines in *alarms*."""
        self.failed: ExitReason | None = None  # why the root gives up
        self.on_ready: Callable[[int], object] = lambda _: None
        self.settling = Settling(directory, outgoing, events, payloads)
        self.census = Census(self.settling.recall)
        self.endings = Endings(events, alarms, self._give_up_on)
        children = self.census.children
        self.kin = Kin(children, Watches(outgoing, events), self.endings)
        self.sharing = Sharing(directory, self.settling, children, self.endings.kill)
        self.askers = Askers(outgoing)
        self._agenda = Agenda()
        self._outgoing = outgoing
        self._outputs = outputs
        autopsy = Autopsy(children)
        self._pulse = Pulse(events, alarms)
        self._events = events
        self._alarms = alarms
        self._departures = Departures(
            self.census,
            self._agenda,
            self.settling,
            self.sharing,
            outputs,
            events,
            self.kin,
            self.askers,
        )
        self._deaths = Deaths(
            self.census,
            self._agenda,
            alarms,
            self.settling,
            self.sharing,
            outputs,
            events,
            self.endings,
            self.kin,
            self._pulse,
            self._departures,
        )
        self._sightings = Sightings(
            self.census,
            self._agenda,
            autopsy,
            self._deaths,
            self.endings,
            events,
            self._pulse,
            self.ready,
        )
        self._births = Births(
            directory,
            self.census,
            self.settling,
            autopsy,
            events,
            alarms,
            selector,
            self._sightings,
            self._on_terminated,
        )
        # Lanes of others are unmapped in a new child.
        self.hands = Hands(
            self._sightings,
            alarms,
            selector,
            spare,
            self._release,
            Life(directory),
            directory.descriptors(),
        )
        self.top = Branch(TOP, Group(SupervisorOptions()), self.hands)

    def _release(self) -> None:
        """Let go of what is this process's alone, in a new one."""
        self._outgoing.close()
        self._outputs.leave()

    # Decisions.

    def add(self, *children: Child) -> None:
        """Take note of new children, whose branches know them as members already or will when they start."""
        for child in children:
            self.census.add(child)
            if isinstance(child, ActorChild):
                self._open_output(child)
            self._agenda.add(child.branch)

    def _open_output(self, child: ActorChild) -> None:
        if child.options.kill_scope == "process":
            return  # what outlives it, and us, would write to nobody
        try:
            self._outputs.open(child.number, child.label)
        except OSError as exc:  # it goes where ours goes
            self._events.warn("output_not_labelled", child, error=str(exc))

    def decide(self) -> None:
        """Take the decisions that are open, and those that follow from them, and have them carried out."""
        while self._agenda:
            branch = self._agenda.take()
            now = time.monotonic()
            self._enter_deaths(branch, now)
            if branch.hands is not None:
                self._advance(branch, now)
            self._departures.look(branch)

    def _enter_deaths(self, branch: Branch, now: float) -> None:
        if not branch.deaths:
            return
        deaths, branch.deaths = branch.deaths, []
        before = branch.group
        branch.group = strategy.died(before, deaths, now)
        for death in deaths:
            member = before.members.get(death.key)
            fate = None if member is None else member.fate
            obituary.tell(self._events, branch.kids[death.key], death, fate)
            self.kin.decided(branch, death, now)
        over = branch.group.leaving
        if over is not None and before.leaving is None and not over.clean:
            about: Child | None = branch.owner or branch.kids.get(branch.key)
            if isinstance(about, Companion):
                about = about.actor
            self._events.publish("giving_up", about, reason=reasons.to_json(over))

    def _advance(self, branch: Branch, now: float) -> None:
        branch.group, actions = progress.advance(branch.group, now)
        standstill.show(branch)  # before anybody is told to end
        for action in actions:
            if isinstance(action, Leave):
                self._leave(branch, action.reason)
            elif isinstance(action, Start):
                self._start(self.census.children[action.key])
            else:
                self._terminate(self.census.children[action.key])
        due = progress.next_due(branch.group, now)
        if due is not None:
            self._alarms.set(("due", branch.key), due)
        owner = branch.owner
        if owner is not None and branch.group.is_up and not branch.is_up:
            branch.is_up = branch.group.leaving is None and owner.pidfd >= 0
            if branch.is_up:
                self.ready(owner.number, owner.incarnation)

    def _leave(self, branch: Branch, reason: ExitReason) -> None:
        """Nobody is left in *branch*."""
        if branch.has_left or self._has_spawned(branch):
            return
        branch.has_left = True
        if branch is self.top and not reason.clean:
            self.failed = reason
        elif branch.owner is not None and branch.hands is not None:
            branch.hands.leave()

    def _has_spawned(self, branch: Branch) -> bool:
        """Return whether there are plainly spawned actors that have to end first, and see to it that they do."""
        owner = branch.owner
        if not isinstance(owner, Companion):
            return False
        doomed = owner.next_to_stop()
        for child in doomed:
            self.stop(child)
        return bool(doomed)

    # Starting.

    def _start(self, child: Child) -> None:
        try:
            self._births.start(child)
        except OSError as exc:
            code = exc.errno or 0
            self._sightings.not_forked(child.number, child.incarnation, code)

    def ready(self, number: int, incarnation: int) -> None:
        """An incarnation has said that it is ready."""
        child = self.census.incarnation(number, incarnation)
        if (
            child is None
            or child.member is None
            or child.member.phase is not Phase.STARTING
        ):
            return
        if (
            child.pidfd < 0
        ):  # it has overtaken its supervisor, which is to tell of the fork
            child.is_early = True
            return
        child.branch.group = progress.ready(child.branch.group, number)
        self._agenda.add(child.branch)
        child.ready_at = time.monotonic()
        self.endings.started(child)
        took = child.ready_at - child.born
        self._events.publish("child_ready", child, seconds=took)
        if incarnation > 1:
            self._events.info(
                "actor_restarted", child, ready_in=f"{took * 1000:.1f} ms"
            )
        self.kin.watches.up(child)
        self.askers.ready(child)
        self.on_ready(number)

    def leaving(self, number: int, incarnation: int) -> None:
        """An incarnation ends by itself: its time for that is bounded as if it had been asked to."""
        child = self.census.incarnation(number, incarnation)
        if child is not None:
            child.is_leaving = True
            self.endings.limit(child)

    # Stopping.

    def stop(self, child: Child) -> None:
        """End *child* for good: SIGTERM, then SIGKILL when its time is up."""
        self.ask(administration.stop_child, child)

    def restart(self, child: Child) -> None:
        """Replace the process of *child* by a fresh one, without counting it as a crash."""
        self.ask(administration.renew_child, child)

    def ask(self, operation: administration.Operation, child: Child) -> Reply:
        """Do what somebody asks about *child*, and return what to answer."""
        branch = child.branch
        branch.group, reply = operation(branch.group, child.number)
        self._agenda.add(branch)
        return reply

    def stop_all(self) -> None:
        """Stop everybody: plainly spawned actors at once, trees in reverse order."""
        reason = ExitReason(ExitKind.SHUTDOWN, requested=True)
        self.hands.dismiss_spare()
        self.top.group = self.top.group.ending(reason)
        self._agenda.add(self.top)
        for child in self.census.children.values():
            is_plain = isinstance(child, ActorChild) and child.branch.is_of_one
            if is_plain and child.branch.home is None:  # others end with their actor
                self.stop(child)

    def _terminate(self, child: Child) -> None:
        hands = child.branch.hands
        if hands is not None and hands.withdraw(child.number):
            reason = ExitReason(
                ExitKind.SHUTDOWN, incarnation=child.incarnation, requested=True
            )
            self._deaths.never_was(child, reason)
        elif (
            isinstance(child, SupervisorChild) and child.options.shutdown != BRUTAL_KILL
        ):
            self._end_group(child, requested=True)
            self.endings.limit(child)
        elif child.pidfd >= 0:  # else it is killed as soon as it is there
            self.endings.ask(child)

    def _end_group(self, child: SupervisorChild, *, requested: bool) -> None:
        reason = ExitReason(ExitKind.SHUTDOWN, requested=requested)
        child.below.group = child.below.group.ending(reason)
        self._agenda.add(child.below)

    def _on_terminated(self, child: SupervisorChild) -> None:
        """Somebody has sent SIGTERM to a supervisor: its restart type decides what follows."""
        self._end_group(child, requested=False)

    def kill_all(self, cause: str) -> None:
        """Kill every actor at once, and the supervisors with them."""
        for child in list(self.census.children.values()):
            self.endings.kill(child, cause)

    def on_alarm(self, kind: str, number: int) -> None:
        """A deadline has come."""
        child = self.census.children.get(number)
        if kind in HANDS:
            self.hands.on_alarm(kind, number)
        elif kind == "due":
            self._on_due(number)
        elif kind == LINE and isinstance(child, SupervisorChild):
            if child.remote is not None:
                child.remote.flush()
        elif kind == PULSE and isinstance(child, SupervisorChild):
            self._pulse.look(child)
        elif child is not None and child.is_alive:
            self.endings.on_deadline(kind, child)

    def _on_due(self, key: int) -> None:
        child = self.census.children.get(key)
        if key == TOP:
            self._agenda.add(self.top)
        elif isinstance(child, SupervisorChild):
            self._agenda.add(child.below)
        elif child is not None:
            self._agenda.add(child.branch)

    def _give_up_on(self, child: Child) -> None:
        branch = child.branch
        if isinstance(child, Companion) and child.actor.last is not None:
            self.endings.give_up_on(child.actor)  # which waits for it
        if branch.home is not None:
            self._agenda.add(branch.home.below)  # nobody waits for it there
        if child.member is not None and branch.owner is not None:
            reason = child.cause or ExitReason(ExitKind.KILLED, cause="unkillable")
            branch.group = progress.unkillable(branch.group, child.number, reason)
            self._agenda.add(branch)

    def damaged(self, number: int, inode: int) -> None:
        """A sender has found the mailbox *inode* of child *number* damaged; or, with 0, something else of it."""
        child = self.census.children.get(number)
        if child is None:
            self.sharing.damaged(number, inode)
        elif isinstance(child, ActorChild) and child.pidfd >= 0:
            reason = child.estate.damage(inode)
            if reason is not None:
                child.cause = child.cause or reason
                self.endings.kill(child, reason.kind)

    # The end.

    def is_over(self) -> bool:
        """Return whether nobody is left whose end can be waited for."""
        return all(child.is_unkillable for child in self.census.children.values())

    def give_up(self) -> None:
        """End those for good whose processes cannot be ended."""
        self._departures.give_up()
