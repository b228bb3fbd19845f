"""The life of the children: start, ready, death, end; and the supervisors they belong to.

What a death means, and what is to be done, is decided by pure functions of a group (``strategy.py``, ``progress.py``); this carries it out
for all groups of the tree.
Deaths are collected, and decided about when all that can be seen have been.
Nothing here blocks on a child.
"""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import time
from collections.abc import Iterator, Sequence

import attrs

from actors.exits import ExitKind, ExitReason
from actors.runtime import process, status
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
from actors.supervision.alarms import Alarms
from actors.supervision.askers import Askers
from actors.supervision.autopsy import Autopsy
from actors.supervision.birth import AsActor, AsSupervisor, Birth
from actors.supervision.child import ActorChild, Branch, Child, SupervisorChild
from actors.supervision.endings import Endings
from actors.supervision.events import Events
from actors.supervision.group import Group, Phase
from actors.supervision.hands import Ended, Hands
from actors.supervision.kin import Kin
from actors.supervision.line import Line
from actors.supervision.nested import Life
from actors.supervision.outputs import Outputs
from actors.supervision.payloads import Payloads
from actors.supervision.progress import Leave, Start
from actors.supervision.pulse import ALARM as PULSE
from actors.supervision.pulse import Pulse
from actors.supervision.remote import ALARM as LINE
from actors.supervision.remote import RemoteHands
from actors.supervision.settings import BRUTAL_KILL, SupervisorOptions
from actors.supervision.settling import Settling
from actors.supervision.sharing import Sharing
from actors.supervision.strategy import Death
from actors.supervision.watches import Watches
from transports.errors import CorruptError, limit_behind

TOP = 0  # in the place of a number: the root's own group


class Lifecycle:
    """The children of all supervisors of one system."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one supervisor
        self,
        directory: RuntimeDirectory,
        outgoing: Outgoing,
        events: Events,
        alarms: Alarms,
        selector: selectors.EpollSelector,
        payloads: Payloads,
        outputs: Outputs,
    ) -> None:
        """Watch processes in *selector* and deadlines in *alarms*."""
        self.children: dict[int, Child] = {}
        self.names: dict[str, int] = {}
        self.unkillable: set[int] = set()  # processes that nobody waits for
        self.failed: ExitReason | None = None  # why the root gives up
        self.settling = Settling(directory, outgoing, events, payloads)
        self._pulse = Pulse(events, alarms)
        self.endings = Endings(events, alarms, self._give_up_on)
        self.kin = Kin(self.children, Watches(outgoing, events), self.endings)
        self.sharing = Sharing(
            directory, self.settling, self.children, self.endings.kill
        )
        # Lanes of others are unmapped in a new child.
        self.hands = Hands(
            self,
            alarms,
            selector,
            self._release,
            Life(directory),
            directory.descriptors(),
        )
        self.top = Branch(TOP, Group(SupervisorOptions()), self.hands)
        self._open: dict[Branch, None] = {}  # what there is to be decided in
        self._directory = directory
        self._outgoing = outgoing
        self._outputs = outputs
        self._autopsy = Autopsy(self.children)
        self.askers = Askers(outgoing)
        self._events = events
        self._alarms = alarms
        self._selector = selector

    def _release(self) -> None:
        """Let go of what is this process's alone, in a new one."""
        self._outgoing.close()
        self._outputs.leave()

    def reason_of(self, number: int) -> ExitReason:
        """Return why *number* has ended, as far as it is remembered."""
        child = self.children.get(number)
        reason = None if child is None else child.reason
        return reason or self.settling.recall(number)

    def living(self, number: int) -> Child | None:
        """Return the child that has a process or is about to have one."""
        child = self.children.get(number)
        return None if child is None or child.is_down else child

    def living_actor(self, number: int) -> ActorChild | None:
        """Return the actor that has a process or is about to have one."""
        child = self.living(number)
        return child if isinstance(child, ActorChild) else None

    def actors(self) -> Iterator[ActorChild]:
        """Yield the actors, those without a process as well."""
        for child in self.children.values():
            if isinstance(child, ActorChild):
                yield child

    # Decisions.

    def add(self, *children: Child) -> None:
        """Take note of new children, whose branches know them as members already or will when they start."""
        for child in children:
            self.children[child.number] = child
            child.branch.kids[child.number] = child
            if child.options.name is not None:
                self.names[child.options.name] = child.number
            if isinstance(child, ActorChild):
                self._open_output(child)
            self.review(child.branch)

    def _open_output(self, child: ActorChild) -> None:
        if child.options.kill_scope == "process":
            return  # what outlives it, and us, would write to nobody
        try:
            self._outputs.open(child.number, child.label)
        except OSError as exc:  # it goes where ours goes
            self._events.warn("output_not_labelled", child, error=str(exc))

    def review(self, branch: Branch) -> None:
        """Look at *branch* again in this turn: something about its group has changed."""
        self._open[branch] = None

    def decide(self) -> None:
        """Take the decisions that are open, and those that follow from them, and have them carried out."""
        while self._open:
            branch, _ = self._open.popitem()
            now = time.monotonic()
            self._enter_deaths(branch, now)
            if branch.hands is not None:
                self._advance(branch, now)
            self._put_down(branch)

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
            about = branch.owner or branch.kids.get(branch.key)
            self._events.publish("giving_up", about, reason=over.to_json())

    def _advance(self, branch: Branch, now: float) -> None:
        branch.group, actions = progress.advance(branch.group, now)
        standstill.show(branch)  # before anybody is told to end
        for action in actions:
            if isinstance(action, Leave):
                self._leave(branch, action.reason)
            elif isinstance(action, Start):
                self._start(self.children[action.key])
            else:
                self._terminate(self.children[action.key])
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
        if branch.has_left:
            return
        branch.has_left = True
        if branch is self.top and not reason.clean:
            self.failed = reason
        elif branch.owner is not None and branch.hands is not None:
            branch.hands.leave()

    def _put_down(self, branch: Branch) -> None:
        """See to those who have no process and will not get one as things are."""
        before, branch.settled = branch.settled, branch.group.members
        # Whoever is what it was has been seen to: of many children, few change in a turn.
        changed = [
            child
            for number, child in branch.kids.items()
            if branch.settled.get(number) is not before.get(number, child)
        ]
        for child in changed:
            member = child.member
            if member is not None and (
                member.has_process or member.phase is Phase.RESTARTING
            ):
                continue
            if branch.owner is None:
                self._end(child)
            elif branch.group.leaving is None:  # else its supervisor may come back
                self._end(child) if member is None else self._lay_down(child)

    # Starting.

    def _start(self, child: Child) -> None:
        if child.incarnation:
            self._events.publish(
                "child_restarting", child, attempt=child.incarnation + 1
            )
        if child.is_down and isinstance(child, ActorChild):
            self.settling.resume(child, self.reason_of(child.number))
        elif child.incarnation and isinstance(child, ActorChild):
            self._clear_mailbox(child)
        child.is_down = False
        child.is_alive = True
        child.cause = child.ready_at = None
        child.is_leaving = False
        child.due = None
        child.incarnation += 1
        child.born = time.monotonic()
        child.kills_at_birth = self._autopsy.kills()
        hands = child.branch.hands
        assert hands is not None  # noqa: S101 - only they make anybody advance; for the checkers
        try:
            name = f"goodbye-{child.number}"
            child.goodbye_fd = os.memfd_create(name, os.MFD_CLOEXEC)
            hands.fork(self._birth(child))
        except OSError as exc:
            self.not_forked(child.number, child.incarnation, exc.errno or 0)

    def _clear_mailbox(self, child: ActorChild) -> None:
        if child.options.mailbox_on_restart == "clear":
            with contextlib.suppress(CorruptError):  # it shows when it is read
                self.settling.clear(child)

    def _birth(self, child: Child) -> Birth:
        role: AsActor | AsSupervisor
        if isinstance(child, SupervisorChild):
            line, child.line_end = Line.pair()
            child.remote = child.below.hands = RemoteHands(
                child.number,
                line,
                self,
                self._alarms,
                self._selector,
                lambda: self._on_terminated(child),
            )
            role = AsSupervisor(child.line_end.fileno())
        else:
            assert isinstance(child, ActorChild)  # noqa: S101 - there is no third kind; for the checkers
            estate = child.estate
            estate.page.begin(child.incarnation)
            child.dump_at = process.GOODBYE_BYTES
            heartbeat = child.options.heartbeat
            role = AsActor(
                estate.transport.scheme,
                estate.mailbox_fd,
                child.arguments,
                None if heartbeat is None else heartbeat.interval,
                child.resources,
                child.options.on_crash != "drop",
                None if child.shared is None else child.shared.place_of(child.number),
            )
        return Birth(
            child.number,
            child.incarnation,
            child.label,
            f"{self._directory.path.name}/{child.number}.{child.incarnation}",
            child.goodbye_fd,
            role,
            child.options.oom_score_adj,
            child.options.core_dump,
            child.options.kill_scope == "process",
        )

    def forked(self, number: int, incarnation: int, pid: int, pidfd: int) -> None:
        """See ``hands.Reports``."""
        child = self._of(number, incarnation)
        if child is None:
            return
        child.pid, child.pidfd = pid, pidfd
        self.endings.limit_start(child)
        self._events.publish("child_starting", child)
        if isinstance(child, SupervisorChild):
            self._close_line_end(child)
            self._pulse.watch(child)
            self.review(child.below)
            return
        if isinstance(child, ActorChild):
            child.estate.page.words[status.PID] = pid
        is_stopping = child.member is not None and child.member.phase is Phase.STOPPING
        if is_stopping or child.cause is not None:
            self.endings.kill(child, "not_ready")

    def not_forked(self, number: int, incarnation: int, code: int) -> None:
        """See ``hands.Reports``."""
        child = self._of(number, incarnation)
        if child is None:
            return
        limit = limit_behind(OSError(code, os.strerror(code)), "a process")
        self._never_was(
            child,
            ExitReason(
                ExitKind.SPAWN_ERROR,
                incarnation=incarnation,
                errno=code,
                message=None if limit is None else str(limit),
            ),
        )

    def _never_was(self, child: Child, reason: ExitReason) -> None:
        """There was an order to fork *child*, and there is no process."""
        self._forget_process(child)
        if isinstance(child, SupervisorChild):
            self._renew(child)
        self._after_death(child, reason)

    def ready(self, number: int, incarnation: int) -> None:
        """An incarnation has said that it is ready."""
        child = self._of(number, incarnation)
        if (
            child is None
            or child.member is None
            or child.member.phase is not Phase.STARTING
        ):
            return
        child.branch.group = progress.ready(child.branch.group, number)
        self.review(child.branch)
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

    def leaving(self, number: int, incarnation: int) -> None:
        """An incarnation ends by itself: its time for that is bounded as if it had been asked to."""
        child = self._of(number, incarnation)
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
        self.review(branch)
        return reply

    def stop_all(self) -> None:
        """Stop everybody: plainly spawned actors at once, trees in reverse order."""
        reason = ExitReason(ExitKind.SHUTDOWN, requested=True)
        self.top.group = self.top.group.ending(reason)
        self.review(self.top)
        for child in self.children.values():
            if child.branch.owner is None and child.branch is not self.top:
                self.stop(child)

    def _terminate(self, child: Child) -> None:
        hands = child.branch.hands
        if hands is not None and hands.withdraw(child.number):
            reason = ExitReason(
                ExitKind.SHUTDOWN, incarnation=child.incarnation, requested=True
            )
            self._never_was(child, reason)
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
        self.review(child.below)

    def _on_terminated(self, child: SupervisorChild) -> None:
        """Somebody has sent SIGTERM to a supervisor: its restart type decides what follows."""
        self._end_group(child, requested=False)

    def kill_all(self, cause: str) -> None:
        """Kill every actor at once, and the supervisors with them."""
        for child in list(self.children.values()):
            self.endings.kill(child, cause)

    def on_alarm(self, kind: str, number: int) -> None:
        """A deadline has come."""
        child = self.children.get(number)
        if kind in {"reap", "strays"}:
            self.hands.on_alarm(kind, number)
        elif kind == "due":
            self._on_due(number)
        elif kind == LINE and isinstance(child, SupervisorChild):
            if child.remote is not None:
                child.remote.flush()
        elif kind == PULSE and isinstance(child, SupervisorChild):
            self._pulse.look(child)
        elif child is not None and child.pidfd >= 0:
            self.endings.on_deadline(kind, child)

    def _on_due(self, key: int) -> None:
        child = self.children.get(key)
        if key == TOP:
            self.review(self.top)
        elif isinstance(child, SupervisorChild):
            self.review(child.below)
        elif child is not None:
            self.review(child.branch)

    def _give_up_on(self, child: Child) -> None:
        branch = child.branch
        if child.member is not None and branch.owner is not None:
            reason = child.cause or ExitReason(ExitKind.KILLED, cause="unkillable")
            branch.group = progress.unkillable(branch.group, child.number, reason)
            self.review(branch)

    # Death.

    def stray(self, number: int, incarnation: int, pid: int, name: str) -> None:
        """See ``hands.Reports``."""
        child = self._of(number, incarnation)
        if child is None:
            return
        self._events.publish("stray", child, stray=pid)
        if isinstance(child, ActorChild):  # of a supervisor they are its actors
            self._events.info("stray", child, pid=pid, name=name)

    def spared(self, number: int, incarnation: int, pid: int) -> None:
        """See ``hands.Reports``."""
        child = self._of(number, incarnation)
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
        child = self._of(number, incarnation)
        if child is None:
            return
        child.pidfd = -1
        self.endings.forget(child)
        if isinstance(child, ActorChild):
            child.estate.page.thaw()
        used = max_rss_bytes, cpu_seconds
        child.reason = self._autopsy.examine(child, wait_status, uptime, *used)

    def died(self, ended: Sequence[Ended]) -> None:
        """See ``hands.Reports``."""
        for number, incarnation in ended:
            child = self._of(number, incarnation)
            if child is None:
                continue
            reason = self.reason_of(number)
            if isinstance(child, SupervisorChild):
                reason = self._fall(child, reason)
            self._forget_process(child)
            self._after_death(child, reason)

    def damaged(self, number: int, inode: int) -> None:
        """A sender has found the mailbox *inode* of child *number* damaged."""
        child = self.children.get(number)
        if child is None:
            self.sharing.damaged(number, inode)
        elif (
            isinstance(child, ActorChild)
            and child.pidfd >= 0
            and child.estate.is_mailbox(inode)
        ):
            child.cause = child.cause or ExitReason(ExitKind.MAILBOX_CORRUPT)
            self.endings.kill(child, "mailbox_corrupt")

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
        for death in below.deaths:  # nobody decides about those any more
            self.kin.lost(below.kids[death.key], death.reason)
        for kid in list(below.kids.values()):
            if kid.is_alive:
                self._lose(kid, lost)
            if kid.number not in below.static:
                self._end(kid)
        self._renew(child)
        return reason

    def _lose(self, child: Child, reason: ExitReason) -> None:
        """Enter the death of one that has died with its supervisor."""
        reason = attrs.evolve(reason, incarnation=child.incarnation, pid=child.pid)
        if isinstance(child, SupervisorChild):
            self._fall(child, reason)
        self._forget_process(child)
        self._settle(child, reason)
        self.kin.lost(child, reason)

    def _renew(self, child: SupervisorChild) -> None:
        if child.remote is not None:
            child.remote.close()
        child.remote = None
        child.below.renew()
        self._open.pop(child.below, None)
        self._alarms.clear(("due", child.number))

    def _forget_process(self, child: Child) -> None:
        child.is_alive = False
        child.pidfd = -1
        if child.goodbye_fd >= 0:
            os.close(child.goodbye_fd)
            child.goodbye_fd = -1
        if isinstance(child, SupervisorChild):
            self._close_line_end(child)
            self._pulse.forget(child)
        self.endings.forget(child)

    @staticmethod
    def _close_line_end(child: SupervisorChild) -> None:
        if child.line_end is not None:
            child.line_end.close()
            child.line_end = None

    def _settle(self, child: Child, reason: ExitReason) -> bool:
        """Settle what the dead one had in hand; return whether somebody wanted it to end for good."""
        self._outputs.finish(child.number)
        is_final = False
        if isinstance(child, ActorChild):
            self.sharing.died(child)
            reason, is_final = self.settling.died(child, reason)
        child.reason = reason
        self._events.publish(
            "child_exit", child, reason=reason.to_json(), text=str(reason)
        )
        self.kin.exited(child, reason)
        if isinstance(child, ActorChild) and reason.kind is ExitKind.MAILBOX_CORRUPT:
            self.settling.replace_mailbox(child)
        return is_final

    def _after_death(self, child: Child, reason: ExitReason) -> None:
        """Nothing of the incarnation is left: settle what it had in hand, and have it decided about."""
        is_final = self._settle(child, reason)
        assert child.reason is not None  # noqa: S101 - set just now; for the checkers
        lived = None if child.ready_at is None else time.monotonic() - child.ready_at
        child.branch.deaths.append(
            Death(
                child.number,
                child.reason,
                lived,
                luck=random.random(),  # noqa: S311 - it only spreads restarts
                is_ignored=lived is None and child.reason.kind is ExitKind.NORMAL,
                is_final=is_final,
            )
        )
        self.review(child.branch)

    def _of(self, number: int, incarnation: int) -> Child | None:
        """Return the child whose process this is about; None when that is over."""
        child = self.children.get(number)
        if child is None or child.incarnation != incarnation or not child.is_alive:
            return None
        return child

    # The end.

    def is_over(self) -> bool:
        """Return whether nobody is left whose end can be waited for."""
        return all(child.is_unkillable for child in self.children.values())

    def give_up(self) -> None:
        """End those for good whose processes cannot be ended."""
        for child in list(self.children.values()):
            self.unkillable.add(child.pid)
            child.reason = ExitReason(ExitKind.KILLED, cause="unkillable")
            self._end(child)

    def _lay_down(self, child: Child) -> None:
        """Let *child* rest until somebody starts it: its mailbox takes nothing meanwhile."""
        if child.is_down:
            return
        child.is_down = True
        reason = self.reason_of(child.number)
        if isinstance(child, ActorChild):
            self.settling.suspend(child, reason)
        elif isinstance(child, SupervisorChild):
            for kid in list(child.below.kids.values()):
                self._lay_down(kid)
        self._events.publish("child_stopped", child, reason=reason.to_json())
        if child.member is not None and child.member.phase is Phase.IGNORED:
            self.askers.started(child)
        self.kin.ended(child, reason)
        self.askers.down(child, reason)  # last: by then, watchers have been told

    def _end(self, child: Child) -> None:
        """End *child* for good: its mailbox takes nothing more, and what was queued is answered or becomes dead letters."""
        if child.number not in self.children:
            return
        reason = self._last_reason(child)
        if isinstance(child, SupervisorChild):
            for kid in list(child.below.kids.values()):
                self._end(kid)
            self._open.pop(child.below, None)
        elif isinstance(child, ActorChild):
            self.sharing.left(child, reason)
            self.settling.end(child, reason)
            self._outputs.end(child.number)
        branch = child.branch
        del branch.kids[child.number]
        branch.static.pop(child.number, None)
        del self.children[child.number]
        if child.options.name is not None:
            del self.names[child.options.name]
        self.settling.remember(child.number, reason)
        if not child.is_down:
            self._events.publish("child_stopped", child, reason=reason.to_json())
        self.kin.ended(child, reason)
        self.askers.down(child, reason)  # last: by then, watchers have been told

    def _last_reason(self, child: Child) -> ExitReason:
        branch = child.branch
        over = branch.group.leaving
        if branch.owner is None and branch is not self.top and over is not None:
            return attrs.evolve(
                over, incarnation=child.incarnation, child_id=child.label
            )
        return child.reason or self.settling.recall(child.number)
