"""The shared mailboxes of one system: made for a pool, settled when one of its workers dies, ended with the last of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from actors.errors import ActorError
from actors.exits import ExitKind, ExitReason
from actors.runtime import lanes, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import mailbox_name
from actors.supervision.child import ActorChild, Child
from actors.supervision.estate import HOLDER_SEAT, Estate
from actors.supervision.estates import Estates
from actors.supervision.settings import ChildOptions
from actors.supervision.settling import Settling
from actors.supervision.shared import SharedMailbox
from actors.wire import frame
from transports._ring import Slot
from transports.errors import CorruptError, TransportError
from transports.mailbox import Put


class Sharing:
    """Makes and ends them."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        settling: Settling,
        children: Mapping[int, Child],
        kill: Callable[[Child, str], None],
    ) -> None:
        """Answer through *settling* what nobody will take; *kill* ends a process for a cause."""
        self._directory = directory
        self._settling = settling
        self._children = children
        self._kill = kill
        self._mailboxes: dict[int, SharedMailbox] = {}

    def open(
        self, number: int, opener: int, facts: dict[str, Any], estates: Estates
    ) -> SharedMailbox:
        """Make the shared mailbox *number* of *estates* for process *opener*, as *facts* describe it.

        Raises:
            TransportError: There is no room for it.
            OSError: A limit of the system.
        """
        label, class_name = facts["label"], facts["class_name"]
        options = ChildOptions.from_json(facts["settings"])
        estate = estates.create(number, options, 0, (label, class_name))
        _begin(estate)
        made = SharedMailbox(number, label, class_name, estate, opener)
        self._mailboxes[number] = made
        return made

    def join(self, worker: int, number: int | None) -> SharedMailbox | None:
        """Let the actor *worker* take from the shared mailbox *number*, if it is one.

        Raises:
            ActorError: It has ended, or too many take from it.
        """
        if number is None:
            return None
        shared = self._mailboxes.get(number)
        if shared is None:
            msg = "the mailbox that it was to share has ended with the last that took from it"
            raise ActorError(msg)
        if not shared.join(worker):
            msg = f"{HOLDER_SEAT} actors share the mailbox of {shared.label} already"
            raise ActorError(msg)
        return shared

    def leave(self, worker: int, number: int | None) -> None:
        """Take back a ``join``: there is no such actor."""
        shared = self._mailboxes.get(number or 0)
        if shared is not None:
            shared.seats.pop(worker, None)

    def get(self, number: int) -> SharedMailbox | None:
        """Return the shared mailbox *number*, if it has not ended."""
        return self._mailboxes.get(number)

    def is_quiet(self) -> bool:
        """Return whether nothing waits in any of them."""
        return all(
            each.estate.is_quiet() and not self._settling.holds(each.number)
            for each in self._mailboxes.values()
        )

    def died(self, child: ActorChild) -> None:
        """An incarnation of *child*, that takes from a shared mailbox, has died: let the others go on.

        What it had taken and not started goes back, if another one is there to take it.
        """
        shared = child.shared
        if shared is None or child.number not in shared.seats:
            return
        with contextlib.suppress(CorruptError):  # whoever takes next finds it too
            shared.estate.settle(shared.seats[child.number], child.estate.page.slots())
        others = self._others(child, shared)
        if any(other.is_alive for other in others):
            put_back(shared, child.estate.page.slots())
        # It may have been the one that was woken.
        self.rouse(shared.number)

    def rouse(self, number: int) -> None:
        """Have all that take from the shared mailbox *number* look at it."""
        shared = self._mailboxes.get(number)
        for worker in shared.seats if shared is not None else ():
            lanes.ring_bell(self._directory.fd, worker)

    def _others(self, child: ActorChild, shared: SharedMailbox) -> list[Child]:
        return [
            self._children[number]
            for number in shared.seats
            if number != child.number and number in self._children
        ]

    def left(self, child: ActorChild, reason: ExitReason) -> None:
        """*child* has ended for good, for *reason*; the last one takes the mailbox along."""
        shared, child.shared = child.shared, None
        if shared is None or shared.seats.pop(child.number, None) is None:
            return
        if shared.seats:
            # It has no next incarnation, so we keep what finds no room.
            number = shared.number
            slots = child.estate.page.slots()
            put_back(shared, slots, lambda data: self._settling.hand_on(number, data))
        else:
            self._end(shared, reason)

    def _end(self, shared: SharedMailbox, reason: ExitReason) -> None:
        del self._mailboxes[shared.number]
        self._settling.end_mailbox(shared, reason)
        self._settling.remember(shared.number, reason)

    def damaged(self, number: int, inode: int) -> None:
        """Somebody has found the shared mailbox *number* damaged: replace it, and have everybody open the new one.

        With 0 for *inode* it may be its page, which no process writes to: it is mended as it is.
        """
        shared = self._mailboxes.get(number)
        if shared is None:
            return
        if not shared.estate.is_mailbox(inode):
            if shared.estate.damage(inode) is not None:
                _begin(shared.estate)
            return
        self._settling.replace_mailbox(shared)
        for worker in shared.seats:
            child = self._children.get(worker)
            if child is not None:
                self._kill(child, "shared_mailbox_corrupt")

    def forget_opener(self, opener: int) -> None:
        """Process *opener* has died: end what it has opened and nobody takes from, for nobody ever will."""
        for shared in list(self._mailboxes.values()):
            if shared.opener == opener and not shared.seats:
                self._end(shared, ExitReason(ExitKind.NOPROC))

    def forget(self, number: int) -> None:
        """Nobody will take from the shared mailbox *number*: end it, unless somebody does."""
        shared = self._mailboxes.get(number)
        if shared is not None and not shared.seats:
            self._end(shared, ExitReason(ExitKind.NOPROC))

    def abandon(self) -> None:
        """End those that nobody ever took from."""
        for shared in list(self._mailboxes.values()):
            if not shared.seats:
                self._end(shared, ExitReason(ExitKind.SHUTDOWN))


def _begin(estate: Estate) -> None:
    estate.begin(0)
    estate.page.words[status.READY] = 1  # it waits for no start of its own


def put_back(
    shared: SharedMailbox,
    slots: Iterable[Slot],
    keep: Callable[[bytes], None] | None = None,
) -> None:
    """Put what a dead worker had taken out of *shared* into its *slots*, and not started, back for the others.

    What finds no room goes to *keep*; without one it stays for the next incarnation, as does what a process has died of before.
    """
    source = shared.source
    taken = [
        slot
        for slot in slots
        if slot.filled and not slot.started and slot.source == source
    ]
    if not taken:
        return
    estate = shared.estate
    with contextlib.suppress(TransportError):  # it is damaged: what was in it is lost
        outlet = estate.transport.connect(
            estate.directory.fd, mailbox_name(shared.number)
        )
        try:
            again = sorted(taken, key=lambda slot: slot.seq)
            waiting = [slot for slot in again if not _is_again(slot)]
            while waiting and _put(outlet.put, waiting[0]):
                waiting.pop(0).clear()
            if keep is None:
                return
            for slot in waiting:  # one that would find room overtakes none before it
                keep(slot.frame() or b"")
                slot.clear()
        finally:
            outlet.close()


def _is_again(slot: Slot) -> bool:
    """Return whether a process has died of the message in *slot*: what is to become of it is known where it is."""
    try:
        return frame.read(slot.frame() or b"").attempt > 0
    except frame.FrameError:
        return False


def _put(put: Callable[..., Put], slot: Slot) -> bool:
    return put(slot.frame() or b"") is Put.ACCEPTED
