"""The hands of a supervisor in another process, as the root has them."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable

from actors.supervision import handover, orders
from actors.supervision.alarms import Alarms
from actors.supervision.birth import Birth
from actors.supervision.hands import Reports
from actors.supervision.line import Line

RETRY_SECONDS = 0.001  # how soon a full line is tried again
ALARM = "line"


class RemoteHands:
    """Orders to a supervisor, and what it reports."""

    def __init__(
        self,
        number: int,
        line: Line,
        reports: Reports,
        alarms: Alarms,
        selector: selectors.EpollSelector,
        on_terminated: Callable[[], None],
    ) -> None:
        """Talk with supervisor *number* over *line*; *on_terminated* is called when somebody has sent it SIGTERM."""
        self._number = number
        self._line = line
        self._reports = reports
        self._alarms = alarms
        self._selector = selector
        self._on_terminated = on_terminated
        self._pidfds: dict[int, int] = {}  # by number of the child
        self._is_open = True
        self.heard_at = time.monotonic()  # when it has last said something
        selector.register(line.fileno(), selectors.EVENT_READ, self.receive)

    def fork(self, birth: Birth) -> None:
        """Have a process made."""
        with handover.packed(birth) as (data, descriptors):
            self._send(data, descriptors)

    def withdraw(self, number: int) -> bool:
        """Return False: the order is on its way, and its process can be ended once it is there."""
        del number
        return False

    def ping(self) -> None:
        """Have the supervisor say something."""
        self._send(orders.to_bytes("ping"))

    def leave(self) -> None:
        """Have the supervisor end; nobody is left in its hands."""
        self._send(orders.to_bytes("leave"))

    def _send(self, data: bytes, descriptors: list[int] | None = None) -> None:
        self._line.send(data, descriptors or ())
        self._wait_for_room()

    def flush(self) -> None:
        """Try again to send what found no room."""
        if self._is_open:
            self._line.flush()
            self._wait_for_room()

    def _wait_for_room(self) -> None:
        if self._line.has_backlog:
            self._alarms.set((ALARM, self._number), time.monotonic() + RETRY_SECONDS)

    def receive(self) -> None:
        """Act on all that has been reported; at the end of it nothing is done, for a parent will report the death."""
        try:
            while self._is_open and (received := self._line.receive()) is not None:
                self._act(*received)
        except EOFError:
            if self._line.fileno() in self._selector.get_map():
                self._selector.unregister(self._line.fileno())

    def _act(self, data: bytes, descriptors: list[int]) -> None:
        kind, facts = orders.from_bytes(data)
        self.heard_at = time.monotonic()
        if kind == "terminated":
            self._on_terminated()
        elif kind == "pong":
            pass  # that it has come is all there is to it
        elif kind == "forked":
            self._pidfds[facts["number"]] = descriptors[0]
            self._reports.forked(**facts, pidfd=descriptors[0])
        else:
            getattr(self._reports, kind)(
                **{name: facts[name] for name in orders.REPORTS[kind]}
            )
            if kind == "reaped":
                os.close(self._pidfds.pop(facts["number"]))

    def close(self) -> None:
        """Let go of a supervisor that has died, after the last that it has reported."""
        self.receive()
        self._is_open = False
        if self._line.fileno() in self._selector.get_map():
            self._selector.unregister(self._line.fileno())
        self._alarms.clear((ALARM, self._number))
        self._line.close()
        for fd in self._pidfds.values():
            os.close(fd)
        self._pidfds.clear()
