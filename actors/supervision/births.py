"""The start of a child: its incarnation begins, and there is an order to fork it."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Callable

from actors.runtime import record
from actors.runtime.directory import RuntimeDirectory
from actors.supervision.alarms import Alarms
from actors.supervision.autopsy import Autopsy
from actors.supervision.birth import AsActor, AsSupervisor, Birth
from actors.supervision.census import Census
from actors.supervision.child import ActorChild, Child, SupervisorChild
from actors.supervision.events import Events
from actors.supervision.hands import Reports
from actors.supervision.line import Line
from actors.supervision.remote import RemoteHands
from actors.supervision.settling import Settling
from transports.errors import CorruptError


class Births:
    """Starts the children of one system."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one supervisor
        self,
        directory: RuntimeDirectory,
        census: Census,
        settling: Settling,
        autopsy: Autopsy,
        events: Events,
        alarms: Alarms,
        selector: selectors.EpollSelector,
        reports: Reports,
        on_terminated: Callable[[SupervisorChild], None],
    ) -> None:
        """Start them in *directory*.

        Args:
            directory: Of the system.
            census: Knows why the last incarnation has ended.
            settling: Opens mailboxes again.
            autopsy: Counts kills for lack of memory.
            events: Are told.
            alarms: Of the loop, for supervisors.
            selector: Likewise.
            reports: Hears what they see.
            on_terminated: Hears that somebody has sent SIGTERM to one.
        """
        self._directory = directory
        self._census = census
        self._settling = settling
        self._autopsy = autopsy
        self._events = events
        self._alarms = alarms
        self._selector = selector
        self._reports = reports
        self._on_terminated = on_terminated

    def start(self, child: Child) -> None:
        """Have the next incarnation of *child* forked.

        Raises:
            OSError: There is not what it needs; it counts as begun.
        """
        if child.incarnation:
            attempt = child.incarnation + 1
            self._events.publish("child_restarting", child, attempt=attempt)
        if isinstance(child, ActorChild):
            self._open_mailbox(child)
        child.is_down = False
        child.is_alive = True
        child.cause = child.ready_at = None
        child.is_leaving = child.is_unkillable = child.is_early = False
        child.pid = 0
        child.due = None
        child.incarnation += 1
        child.born = time.monotonic()
        child.kills_at_birth = self._autopsy.kills()
        hands = child.branch.hands
        assert hands is not None  # noqa: S101 - only they make anybody advance; for the checkers
        name = f"goodbye-{child.number}"
        child.goodbye_fd = os.memfd_create(name, os.MFD_CLOEXEC)
        hands.fork(self._birth(child))

    def _open_mailbox(self, child: ActorChild) -> None:
        if child.is_down:
            self._settling.resume(child, self._census.reason_of(child.number))
        elif child.incarnation and child.options.mailbox_on_restart == "clear":
            with contextlib.suppress(CorruptError):  # it shows when it is read
                self._settling.clear(child)

    def _birth(self, child: Child) -> Birth:
        return Birth(
            child.number,
            child.incarnation,
            child.label,
            f"{self._directory.path.name}/{child.number}.{child.incarnation}",
            child.goodbye_fd,
            self._role(child),
            child.options.oom_score_adj,
            child.options.core_dump,
            child.options.kill_scope == "process",
        )

    def _role(self, child: Child) -> AsActor | AsSupervisor:
        if isinstance(child, SupervisorChild):
            return self._as_supervisor(child)
        assert isinstance(child, ActorChild)  # noqa: S101 - there is no third kind; for the checkers
        return _as_actor(child)

    def _as_supervisor(self, child: SupervisorChild) -> AsSupervisor:
        line, child.line_end = Line.pair()
        child.remote = child.below.hands = RemoteHands(
            child.number,
            line,
            self._reports,
            self._alarms,
            self._selector,
            lambda: self._on_terminated(child),
        )
        return AsSupervisor(child.line_end.fileno())


def _as_actor(child: ActorChild) -> AsActor:
    estate = child.estate
    estate.begin(child.incarnation)
    child.dump_at = record.GOODBYE_BYTES
    heartbeat = child.options.heartbeat
    return AsActor(
        estate.transport.scheme,
        estate.mailbox_fd,
        child.arguments,
        None if heartbeat is None else heartbeat.interval,
        child.resources,
        child.options.on_crash != "drop",
        None if child.shared is None else child.shared.place_of(child.number),
    )
