"""The supervisor of plainly spawned actors: one loop, one thread, no user code.

It reads requests, sees deaths, and stops everything in the end; what happens to a child is in ``lifecycle.py``.
It never forks: the loop *returns* a ``Task``, so that the child has none of its frames on the stack.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import selectors
import time
from typing import Any

from actors.errors import MailboxFullError
from actors.runtime import lanes, reports, requests, status
from actors.runtime.client import MAIN
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.outgoing import GoneError, Outgoing
from actors.runtime.questions import Questions
from actors.runtime.rooms import LOOK_AGAIN_SECONDS, Rooms
from actors.runtime.route import Route
from actors.runtime.withdrawn import Withdrawn
from actors.supervision import console, log, reaper, repeats, watchdog
from actors.supervision.alarms import Alarms
from actors.supervision.child import ActorChild, Asker, Handle
from actors.supervision.closing import Closing
from actors.supervision.companions import Companions
from actors.supervision.complaints import Complaints
from actors.supervision.console import Console
from actors.supervision.control import Control
from actors.supervision.events import Events
from actors.supervision.exports import Exports
from actors.supervision.forest import Forest
from actors.supervision.hands import Task
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
from actors.wire import frame, parcel, reasons
from actors.wire.frame import Header, Kind
from transports._ring import arm, disarm
from transports.blob import BlobStore
from transports.ledger import Ledger

MAX_SLEEP_SECONDS = 24 * 3600.0  # epoll refuses more than 24 days
MAX_FAILURE_BYTES = 4096  # of why the system has failed, for all who use it


class Supervisor:
    """The root supervisor of one system."""

    def __init__(  # noqa: PLR0913 - what one program starts with
        self,
        directory: RuntimeDirectory,
        main_pidfd: int,
        door_fd: int,
        wakeup_fd: int,
        transport: str,
        preloaded: Preloaded,
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
            is_labelled: What they write is shown line by line, with their names.
        """
        self.should_stop = False  # set by a signal
        self._directory = directory
        self._transport = transport
        self._main_pidfd = main_pidfd
        self._lane = lanes.Lane(directory.fd, ROOT)
        self._readers = (self._lane.reader,)
        self._blobs = BlobStore(directory.blob_fd, f"{ROOT}.1")
        self._page = status.StatusPage.open(directory.fd, ROOT)
        self._page.words[status.PID] = os.getpid()
        questions = Questions(0, 1, lambda _: None, Withdrawn(self._page))
        self._outgoing = Outgoing(directory, ROOT, self._page, questions, self._blobs)
        self._events = Events(self._outgoing)
        self._alarms = Alarms()
        self._repeats = Repeats(self._events, self._alarms)
        self._selector = selectors.EpollSelector()
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
        self._numbers = itertools.count(MAIN + 1)
        self._programs = Programs(
            directory,
            door_fd,
            self._outgoing,
            self._events,
            self._selector,
            self._payloads,
            lambda: next(self._numbers),
            self.lifecycle.kin.watches.forget,
        )
        self._closing = Closing(
            self.lifecycle, self._events, self._alarms, self._programs.close
        )
        self._is_orphaned = False  # because the program that owns the system has died
        companions = Companions(self.lifecycle, lambda: next(self._numbers))
        self._requests: dict[str, Handle] = {
            "hello": lambda asker, *_: self._on_hello(asker, preloaded),
            "rouse": lambda _asker, _sender, facts, _payload: (
                self.lifecycle.sharing.rouse(facts["number"])
            ),
            "ready": self._on_ready,
            "leaving": lambda _asker, _sender, facts, _payload: self.lifecycle.leaving(
                facts["number"], facts["incarnation"]
            ),
            "damaged": lambda _asker, _sender, facts, _payload: self.lifecycle.damaged(
                facts["number"], facts["inode"]
            ),
            "subscribe": self._on_subscribe,
            "acknowledge": lambda _asker, sender, facts, _payload: (
                self._events.acknowledge(sender, facts["count"])
            ),
            "bar": self._on_bar,
            **self._spawns(companions).requests,
            **self._trees(companions).requests,
            **self._closing.requests,
            **self._control.requests,
            **Inquiries(self.lifecycle).requests,
            **Watching(self.lifecycle).requests,
            **Complaints(self.lifecycle, self._events, self._repeats).requests,
            **self.lifecycle.settling.quarantine.requests,
        }
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

    def _spawns(self, companions: Companions) -> Spawns:
        return Spawns(
            self.lifecycle,
            companions,
            self._directory,
            self._payloads,
            self._transport,
            self._outgoing.max_message_bytes,
            lambda: next(self._numbers),
            lambda: self._closing.has_begun,
        )

    def _trees(self, companions: Companions) -> Trees:
        forest = Forest(
            self._directory,
            self._payloads,
            self._transport,
            self._outgoing.max_message_bytes,
            lambda: next(self._numbers),
            self.lifecycle.census.names.__contains__,
        )
        return Trees(
            self.lifecycle, companions, forest, lambda: self._closing.has_begun
        )

    # The loop.

    def run(self) -> Task | None:
        """Work until a process has to be forked; None when everything has ended."""
        hands = self.lifecycle.hands
        while True:
            self.lifecycle.decide()
            if self.lifecycle.failed is not None:
                self._fail()
            if (task := hands.next_task()) is not None:
                return task
            if self._closing.is_stopping and self.lifecycle.is_over():
                self.lifecycle.give_up()
                return None
            if self._turn() and (task := hands.spare_task()) is not None:
                return task

    def _turn(self) -> bool:
        """Do what there is to do; return whether that was nothing, not even waiting."""
        self._drain()
        self._outgoing.flush()
        for kind, number in list(self._alarms.take_due(time.monotonic())):
            self._on_alarm(kind, number)
        self.lifecycle.decide()
        if self.lifecycle.hands.to_fork or (
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
            data = self._lane.take()
            if data is None:
                return
            try:
                header = frame.read(data)
            except frame.FrameError as exc:
                self._events.warn("request_refused", error=str(exc))
                continue
            try:
                self._handle(header, data[header.body_at :])
                self.lifecycle.decide()  # the next request finds it under way
            except Exception as exc:  # noqa: BLE001 - one request, whatever is in it, must not bring the tree down
                self._events.warn(
                    "request_refused",
                    sender=header.sender,
                    request=header.method,
                    error=repr(exc),
                )
                if header.lane:
                    text = (
                        f"{header.method}: the root supervisor could not do it: {exc!r}"
                    )
                    self.lifecycle.askers.refuse(
                        (header.lane, header.corr), "refused", text=text[:500]
                    )

    def _handle(self, header: Header, body: bytes) -> None:
        if header.flags & frame.BLOB:
            body = bytes(parcel.receive(body, self._blobs).data)
        facts, payload = requests.unpack(body)
        handle = self._requests[header.method]
        handle((header.lane, header.corr), header.sender, facts, payload)

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

    # Requests.

    def _on_hello(self, asker: Asker, preloaded: Preloaded) -> None:
        for module, left in preloaded.left.items():
            text = "a fork copies no thread: in an actor they are missing, and locks that they hold stay locked"
            self._events.warn(
                "preload_left_threads", module=module, threads=left, text=text
            )
        if preloaded.failure is None:
            self.lifecycle.askers.answer(asker, Kind.ANSWER, {})
        else:
            self.lifecycle.askers.refuse(
                asker, "failed", reason=reasons.to_json(preloaded.failure)
            )

    def _on_ready(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self.lifecycle.ready(facts["number"], facts["incarnation"])
        self._watchdog.watch(facts["number"])

    def _on_subscribe(
        self, asker: Asker, sender: int, _facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._events.subscribe(sender)
        self.lifecycle.askers.answer(asker, Kind.ANSWER, {})

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

    def _on_bar(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        if sender == MAIN:  # the one that our terminal is the terminal of
            self._console.show(facts["key"], facts["text"])

    def _on_main_died(self) -> None:
        self._selector.unregister(self._main_pidfd)
        self._is_orphaned = True
        self._closing.stop_orphans()

    def _on_signal(self, wakeup_fd: int) -> None:
        os.read(wakeup_fd, 4096)
        self.lifecycle.hands.on_child_signal()
        if self.should_stop and not self._closing.is_stopping:
            self._closing.stop_all()

    def show_end(self) -> None:
        """Show why everything ends to programs that see no more than our death."""
        if self._closing.was_asked_for:
            self._page.words[status.CLOSED] = status.BY_OWNER
        elif self._is_orphaned:
            self._page.words[status.CLOSED] = status.WITH_OWNER
        elif self.should_stop:
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
