"""Who hears of a death, and who dies of it: watches and links, at the moments that they are about."""

from __future__ import annotations

from collections.abc import Mapping

from actors.exits import ExitKind, ExitReason
from actors.supervision.child import Branch, Child
from actors.supervision.endings import Endings
from actors.supervision.group import Phase
from actors.supervision.links import Links, Tie
from actors.supervision.strategy import Death
from actors.supervision.watches import Watcher, Watches
from actors.wire import reasons

SHORTENED = 4  # texts of a death that others die of are cut to this part


class Kin:
    """Those of one system who want to hear of each other, or to die with each other."""

    def __init__(
        self, children: Mapping[int, Child], watches: Watches, endings: Endings
    ) -> None:
        """Tell through *watches*, and end through *endings*."""
        self.watches = watches
        self.links = Links()
        self._children = children
        self._endings = endings

    # Watches.

    def decided(self, branch: Branch, death: Death, now: float) -> None:
        """It is decided what follows *death*: tell those that watch closely."""
        member = branch.group.members.get(death.key)
        is_due = member is not None and member.phase is Phase.RESTARTING
        # Who has given up may come back, and those with it that it always had.
        is_open = branch.group.leaving is not None and death.key in branch.static
        self.watches.down(
            branch.kids[death.key],
            death.reason,
            will_restart=None if is_open else is_due,
            delay=max(0.0, member.due - now) if member is not None and is_due else 0.0,
        )

    def lost(self, child: Child, reason: ExitReason) -> None:
        """*child* has died with its supervisor, with whom those come back that it always had."""
        is_static = child.number in child.branch.static
        self.watches.down(child, reason, will_restart=None if is_static else False)

    # Links.

    def exited(self, child: Child, reason: ExitReason) -> None:
        """A process of *child* has died: its watches and links are over, and a crash goes on to those it was linked with."""
        self.watches.forget(child.number)
        for tie in self.links.take(child.number, child.incarnation):
            if not reason.clean:
                self.pass_on(tie, child.label, child.incarnation, reason)

    def ended(self, child: Child, reason: ExitReason) -> None:
        """*child* has ended for good, as far as is known; who was waiting to be linked with its next process is so in vain."""
        self.watches.ended(child, reason)
        for tie in self.links.take(child.number):
            self.refuse(tie, child.label, child.incarnation, reason)

    def link(self, tie: Tie, child: Child) -> None:
        """Link the actor of *tie* with *child*: with its process, or with the next one if this one is about to end."""
        is_settled = child.cause is not None or child.fate is not None
        is_going = not child.is_alive or child.is_leaving or is_settled
        self.links.add(tie, child.number, child.incarnation + is_going)

    def refuse(
        self, tie: Tie, label: str, incarnation: int, reason: ExitReason
    ) -> None:
        """There is nobody to be linked with, which counts as a crash, whatever the *reason* of the end was."""
        if reason.clean:
            reason = ExitReason(ExitKind.NOPROC)
        self.pass_on(tie, label, incarnation, reason)

    def pass_on(
        self, tie: Tie, label: str, incarnation: int, reason: ExitReason
    ) -> None:
        """One that an actor was linked with has died, abnormally: so does the actor, unless it wants to be told instead."""
        if tie.method is not None:
            watcher = Watcher(tie.number, tie.link, tie.method, is_close=False)
            self.watches.tell(watcher, incarnation, {"what": "exit"}, reason)
            return
        child = self._children.get(tie.number)
        # What ends already, or has no process yet, was not linked with the dead one any more.
        if child is None or not child.is_alive or child.fate is not None:
            return
        if child.incarnation < tie.since:
            return
        why = reasons.bounded(reason, SHORTENED)
        linked = ExitReason(ExitKind.LINKED, child_id=label, inner=why)
        child.cause = child.cause or linked
        if child.pidfd >= 0:  # else it is killed as soon as it is there
            self._endings.ask(child)
