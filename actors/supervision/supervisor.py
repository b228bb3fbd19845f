"""The root supervisor of a system: one loop, one thread, no user code.

It waits for requests, deaths and deadlines, and stops everything in the end; who carries out a request is in ``desk.py``, what happens
to a child in ``lifecycle.py``.
It never forks: the loop *returns* ``Task``s, so that the child has none of its frames on the stack.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import selectors
import time

from actors.errors import MailboxFullError
from actors.runtime import lanes, reports, status
from actors.runtime.client import MAIN
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.losses import ROOT_DEAF
from actors.runtime.outgoing import GoneError, Outgoing
from actors.runtime.questions import Questions
from actors.runtime.rooms import LOOK_AGAIN_SECONDS, Rooms
from actors.runtime.route import Route
from actors.runtime.withdrawn import Withdrawn
from actors.supervision import console, log, reaper, repeats, watchdog
from actors.supervision.child import ActorChild
from actors.supervision.closing import Closing
from actors.supervision.companions import Companions
from actors.supervision.complaints import Complaints
from actors.supervision.console import Console
from actors.supervision.control import Control
from actors.supervision.cradle import Cradle
from actors.supervision.desk import Desk
from actors.supervision.estates import Estates
from actors.supervision.events import Events
from actors.supervision.exports import Exports
from actors.supervision.forest import Forest
from actors.supervision.fork import Task
from actors.supervision.inquiries import Inquiries
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.mailboxes import Mailboxes
from actors.supervision.outputs import Outputs
from actors.supervision.payloads import ALARM as PAYLOADS
from actors.supervision.payloads import Payloads
from actors.supervision.preload import Preloaded
from actors.supervision.programs import Programs
from actors.supervision.repeats import Repeats
from actors.supervision.spawns import Spawns
from actors.supervision.trees import Trees
from actors.supervision.watchdog import Watchdog
from actors.supervision.watching import Watching
from actors.wire import reasons
from actors.wire.frame import Kind
from transports._ring import arm, disarm
from transports.blob import BlobStore
from transports.ledger import Ledger

MAX_SLEEP_SECONDS = 24 * 3600.0  # epoll refuses more than 24 days
MAX_FAILURE_BYTES = 4096  # of why the system has failed, for all who use it


class Supervisor:
    """The root supervisor of one system."""

    def __init__(  # noqa: PLR0913, PLR0917 - what one program starts with
        self,
        directory: RuntimeDirectory,
        main_pidfd: int,
        door_fd: int,
        wakeup_fd: int,
        transport: str,
        preloaded: Preloaded,
        cradle: Cradle,
        *,
        is_labelled: bool,
    ) -> None:
        """Supervise in *directory*.

        Args:
            directory: Of the system.
            main_pidfd: The program that owns it.
            door_fd: Where other programs ask to join it; see ``door.py``.
            wakeup_fd: Becomes readable when a signal has arrived.
            transport: Scheme of the mailboxes of actors that do not choose their own.
            preloaded: What has been imported for all of them.
            cradle: The beginning of the loop.
            is_labelled: What they write is shown line by line, with their names.
        """
        self._directory = directory
        self._main_pidfd = main_pidfd
        self._lane = lanes.Lane(directory.fd, ROOT)
        self._readers = (self._lane.reader,)
        self._blobs = BlobStore(directory.blob_fd, f"{ROOT}.1")
        self._page = status.StatusPage.open(directory.fd, ROOT)
        self._page.words[status.PID] = os.getpid()
        questions = Questions(0, 1, lambda _: None, Withdrawn(self._page))
        self._outgoing = Outgoing(directory, ROOT, self._page, questions, self._blobs)
        self._events = Events(self._outgoing)
        self._alarms, self._selector = cradle.alarms, cradle.selector
        self._termination = cradle.termination
        self._repeats = Repeats(self._events, self._alarms)
        self._console = Console(self._selector, self._alarms)
        log.FILE.lead_to(self._console)
        self._payloads = Payloads(
            directory.blob_fd,
            self._blobs,
            self._alarms,
            self._is_quiet,
            self._ledger_of,
        )
        self.lifecycle = Lifecycle(
            directory,
            self._outgoing,
            self._events,
            self._alarms,
            self._selector,
            cradle.spare,
            self._payloads,
            Outputs(directory, self._selector, self._console, is_labelled=is_labelled),
        )
        self._outgoing.on_damaged = self.lifecycle.damaged
        exports = Exports(self._outgoing, self._blobs, self.lifecycle.settling)
        self._payloads.on_died = exports.died
        self._control = Control(
            self.lifecycle,
            self._outgoing,
            self._alarms,
            Mailboxes(self.lifecycle, exports),
        )
        self._watchdog = Watchdog(self.lifecycle, self._events, self._alarms)
        self.lifecycle.on_ready = self._watchdog.watch
        self._take_number = itertools.count(MAIN + 1).__next__
        self._programs = Programs(
            directory,
            door_fd,
            self._outgoing,
            self._events,
            self._selector,
            self._payloads,
            self._take_number,
            self._on_left,
        )
        self._closing = Closing(
            self.lifecycle, self._events, self._alarms, self._programs.close
        )
        self._is_orphaned = False  # because the program that owns the system has died
        self._desk = Desk(
            self.lifecycle,
            self._events,
            self._console,
            preloaded,
            self._blobs,
        )
        self._employ(Estates(directory, transport, self._outgoing.max_message_bytes))
        self._on_alarms = {
            PAYLOADS: lambda _: self._payloads.look(),
            repeats.ALARM: self._repeats.on_alarm,
            watchdog.ALARM: self._watchdog.look,
            console.ALARM: self._console.on_alarm,
            **self._control.alarms,
            **self._closing.alarms,
        }
        self._rooms = Rooms(self._watch_room, self._selector.unregister)
        self._selector.register(
            self._lane.reader.fileno(), selectors.EVENT_READ, self._lane.reader.hush
        )
        self._selector.register(main_pidfd, selectors.EVENT_READ, self._on_main_died)
        self._selector.register(
            wakeup_fd, selectors.EVENT_READ, lambda: self._on_signal(wakeup_fd)
        )

    def _employ(self, estates: Estates) -> None:
        """Say who carries out which request; what is started is made of *estates*."""
        lifecycle = self.lifecycle
        companions = Companions(lifecycle, self._take_number)
        forest = Forest(
            estates,
            self._payloads,
            self._take_number,
            lifecycle.census.names.__contains__,
        )

        def is_closing() -> bool:
            return self._closing.has_begun

        self._desk.employ(
            Spawns(
                lifecycle,
                companions,
                estates,
                self._payloads,
                self._take_number,
                is_closing,
            ).requests,
            Trees(lifecycle, companions, forest, is_closing).requests,
            self._closing.requests,
            self._control.requests,
            Inquiries(lifecycle).requests,
            Watching(lifecycle).requests,
            Complaints(lifecycle, self._events, self._repeats).requests,
            lifecycle.settling.quarantine.requests,
        )

    # The loop.

    def run(self) -> list[Task]:
        """Work until processes have to be forked; there are none when everything has ended."""
        hands = self.lifecycle.hands
        while True:
            self.lifecycle.decide()
            if self.lifecycle.failed is not None:
                self._fail()
            if tasks := hands.next_tasks():
                return tasks
            if self._closing.is_stopping and self.lifecycle.is_over():
                self.lifecycle.give_up()
                return []
            if self._turn() and (task := hands.spare_task()) is not None:
                return [task]

    def _turn(self) -> bool:
        """Do what there is to do; return whether that was nothing, not even waiting."""
        self._drain()
        self._outgoing.flush()
        for kind, number in list(self._alarms.take_due(time.monotonic())):
            self._on_alarm(kind, number)
        self.lifecycle.decide()
        if self.lifecycle.hands.has_births or (
            self._closing.is_stopping and self.lifecycle.is_over()
        ):
            return False
        self._rooms.follow(self._outgoing.backlog.values())
        # Also when there are requests already: a process that sends them without end must not hide the others' deaths.
        is_short = self.lifecycle.hands.wants_spare
        try:
            has_requests = arm(self._readers)
            is_polling = has_requests or is_short
            ready = self._selector.select(0 if is_polling else self._timeout())
        finally:
            disarm(self._readers)
        self._drain()  # what a process has said before its death counts before it
        # Every death that can be seen now is processed before anything is started again.
        for key, _ in ready:
            key.data()
        self.lifecycle.hands.finish_turn()
        return is_short and not has_requests and not ready

    def _timeout(self) -> float | None:
        due = self._alarms.next_due()
        left = math.inf if due is None else max(0.0, due - time.monotonic())
        if self._outgoing.backlog:
            left = min(left, LOOK_AGAIN_SECONDS)
        return None if left == math.inf else min(left, MAX_SLEEP_SECONDS)

    def _watch_room(self, fd: int, route: Route) -> None:
        # The outboxes are flushed in every turn.
        self._selector.register(
            fd, selectors.EVENT_WRITE, lambda: self._rooms.leave(route)
        )

    def _drain(self) -> None:
        """Handle the requests that are here now; what arrives meanwhile has to wait for its turn."""
        for _ in range(max(1, self._lane.reader.depth().frames)):
            try:
                data = self._lane.take()
            except lanes.DamagedLaneError:
                self.lifecycle.failed = self.lifecycle.failed or ROOT_DEAF
                return
            if data is None:
                return
            self._desk.take(data)

    def _on_alarm(self, kind: str, number: int) -> None:
        act = self._on_alarms.get(kind)
        if act is None:
            self.lifecycle.on_alarm(kind, number)
        else:
            act(number)

    def _is_quiet(self, number: int) -> bool:
        """Return whether nothing waits for process *number*."""
        child = self.lifecycle.census.children.get(number)
        if isinstance(child, ActorChild):
            return child.estate.is_quiet()
        if self.lifecycle.sharing.get(number) is not None:
            return self._closing.is_everybody_quiet()
        return lanes.is_empty(self._directory.fd, number)

    def _ledger_of(self, number: int) -> Ledger | None:
        """Return what waits outside of the mailbox *number*; None where there is no such mailbox."""
        child = self.lifecycle.census.children.get(number)
        if isinstance(child, ActorChild):
            return child.estate.ledger
        shared = self.lifecycle.sharing.get(number)
        return None if shared is None else shared.estate.ledger

    def _on_left(self, number: int) -> None:
        """A program that does not own the system has left it."""
        self.lifecycle.kin.watches.forget(number)
        self.lifecycle.sharing.forget_opener(number)

    # Closing.

    def _fail(self) -> None:
        """The trees have crashed more often than is put up with: tell everybody why, and end."""
        reason, self.lifecycle.failed = self.lifecycle.failed, None
        assert reason is not None  # noqa: S101 - seen by whoever calls; for the checkers
        self._events.warn("system_failed", reason=str(reason))
        told = reasons.to_json_within(reason, MAX_FAILURE_BYTES)
        body = reports.to_bytes({"reason": told})
        for number in lanes.owners(self._directory.fd):
            # Who has ended waits for nothing, nor does one that takes none of what we send.
            with contextlib.suppress(GoneError, MailboxFullError, OSError):
                if number != ROOT and number not in self.lifecycle.census.children:
                    self._outgoing.notify_last(number, Kind.FAILED, body)
        self._closing.stop_all()

    def _on_main_died(self) -> None:
        self._selector.unregister(self._main_pidfd)
        self._is_orphaned = True
        self._closing.stop_orphans()

    def _on_signal(self, wakeup_fd: int) -> None:
        os.read(wakeup_fd, 4096)
        self.lifecycle.hands.on_child_signal()
        if self._termination.has_come and not self._closing.is_stopping:
            self._closing.stop_all()

    def show_end(self) -> None:
        """Show why everything ends to programs that see no more than our death."""
        if self._closing.was_asked_for:
            self._page.words[status.CLOSED] = status.BY_OWNER
        elif self._is_orphaned:
            self._page.words[status.CLOSED] = status.WITH_OWNER
        elif self._termination.has_come:
            self._page.words[status.CLOSED] = status.BY_SIGNAL

    def leave(self) -> None:
        """Say that everything has ended, when all that there was to say has been written."""
        self._repeats.finish()
        self.lifecycle.sharing.abandon()
        self.lifecycle.settling.quarantine.finish()
        system = self._directory.path.name
        for pid in reaper.kill_adopted(self.lifecycle.hands.left(), system):
            self._events.warn("unkillable", pid=pid, reason="no permission")
        self._closing.finish(self._console.finish)
