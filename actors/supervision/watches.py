"""Who hears of whose deaths, starts and end; and telling them.

What is told goes into the mailbox of the watcher, where it comes after all that the dead process had sent there: that was before it was
reaped, and this is after.
A watch belongs to one incarnation of the watcher, and is forgotten with it.
"""

from __future__ import annotations

from typing import Any

import attrs

from actors.exits import ExitReason
from actors.pending import Pending
from actors.runtime import reports
from actors.runtime.outgoing import GoneError, Outgoing
from actors.supervision import linux
from actors.supervision.child import Child
from actors.supervision.events import Events
from actors.wire import frame, reasons
from actors.wire.frame import Codec, Kind
from transports.errors import TransportError

ROOM_BYTES = 512  # of a notice, besides the name of the method and the reason


@attrs.frozen
class Watcher:
    """Somebody who wants to hear of an actor.

    Attributes:
        number: Who.
        watch: What tells this wish from its others; unique among those of all its incarnations.
        method: What is to be called there; None where that is not in its mailbox, which a program does not have.
        is_close: Whether deaths and starts are told as well as the end.
    """

    number: int
    watch: int
    method: str | None
    is_close: bool


class Watches:
    """The watches of one system."""

    def __init__(self, outgoing: Outgoing, events: Events) -> None:
        """Tell through *outgoing*."""
        self._outgoing = outgoing
        self._events = events
        self._of: dict[int, dict[tuple[int, int], Watcher]] = {}  # by who is watched
        self._by: dict[int, dict[int, int]] = {}  # by watcher and watch: who is watched

    def add(self, watcher: Watcher, number: int) -> None:
        """Let *watcher* hear of *number* from now on."""
        self._of.setdefault(number, {})[watcher.number, watcher.watch] = watcher
        self._by.setdefault(watcher.number, {})[watcher.watch] = number

    def remove(self, number: int, watch: int) -> None:
        """*number* does not want to hear of *watch* any more."""
        watches = self._by.get(number, {})
        watched = watches.pop(watch, None)
        if not watches:
            self._by.pop(number, None)
        if watched is not None:
            watchers = self._of[watched]
            del watchers[number, watch]
            if not watchers:
                del self._of[watched]

    def forget(self, number: int) -> None:
        """*number* has died, and its successor has watches of its own."""
        for watch in list(self._by.get(number, ())):
            self.remove(number, watch)

    # What is told.

    def down(
        self,
        child: Child,
        reason: ExitReason,
        *,
        will_restart: bool | None,
        delay: float = 0.0,
    ) -> None:
        """An incarnation of *child* has died, and it is decided what follows."""
        facts = {"what": "down", "will_restart": will_restart, "delay": delay}
        for watcher in self._watchers(child.number):
            if watcher.is_close:
                self.tell(watcher, child.incarnation, facts, reason)

    def up(self, child: Child) -> None:
        """An incarnation of *child* is ready."""
        for watcher in self._watchers(child.number):
            if watcher.is_close:
                self.tell(watcher, child.incarnation, {"what": "up"})

    def ended(self, child: Child, reason: ExitReason) -> None:
        """*child* has ended for good, as far as is known; its watches are over."""
        for watcher in self._watchers(child.number):
            self.remove(watcher.number, watcher.watch)
            self.tell_end(watcher, child.incarnation, reason)

    def tell_end(self, watcher: Watcher, incarnation: int, reason: ExitReason) -> None:
        """Tell *watcher*, whose watch is none any more, that there is nobody to hear of."""
        self.tell(watcher, incarnation, {"what": "terminated"}, reason)

    def _watchers(self, number: int) -> list[Watcher]:
        return list(self._of.get(number, {}).values())

    def tell(
        self,
        watcher: Watcher,
        incarnation: int,
        facts: dict[str, Any],
        reason: ExitReason | None = None,
    ) -> None:
        """Send a notice; there is always room for it to wait in here."""
        told = {"incarnation": incarnation, **facts}
        if watcher.method is None:
            self._events.notify(watcher.number, watcher.watch, told, reason)
            return
        method = watcher.method.encode()
        try:
            with linux.file_reserve():
                route = self._outgoing.route(watcher.number)
            # Nothing that could be lost beside it: what does not fit is cut.
            room = route.limit - frame.HEADER_BYTES - len(method) - ROOM_BYTES
            if reason is not None:
                told["reason"] = reasons.to_json_within(reason, room)
            parts = self._outgoing.pack(
                route,
                Kind.NOTICE,
                method,
                reports.to_bytes(told),
                Codec.JSON,
                watcher.watch,
            )
            self._outgoing.post(
                route, parts, Pending(), is_question=False, is_bounded=False
            )
        except GoneError:
            self.forget(watcher.number)
        except (TransportError, OSError) as exc:
            self._events.warn("notice_lost", watcher=watcher.number, error=str(exc))

    def put_back(self, child: Child, notice: bytes) -> None:
        """Send *notice* again, which somebody has purged from the mailbox of *child*: it is no message that could be dropped."""
        try:
            self._outgoing.put_back(child.number, notice)
        except GoneError:
            self.forget(child.number)
