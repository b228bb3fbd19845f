"""What an ask waits for, and whether it waits in a circle: read from the status pages and mailboxes of those it depends on.

Whoever is looked at does nothing for it and does not notice.
Each handler that waits for an ask says so in the status page of its actor, and the slots say which question each handler is
working at; so one can go from a question to the handler that has it in hand, from there to the question which that one waits for,
and so on.

Source: the wait-for graph of Chandy, Misra and Haas, "Distributed Deadlock Detection" (1983); here one process can read all of it.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from actors.pending import Pending
from actors.runtime import status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import mailbox_name
from actors.runtime.pauses import frozen_ns
from actors.wire import frame
from actors.wire.frame import Header
from transports import registry
from transports._ring import Slot
from transports.errors import CorruptError, TransportError

MAX_STEPS = 16  # of a cycle, and of a text
# On the target: a task of the handler waits, perhaps not the handler itself.
PERHAPS = 1 << 32


@attrs.frozen
class Wait:
    """A handler waits for an ask.

    Attributes:
        number: The actor whose handler waits.
        place: The handler's slot.
        corr: The question it waits for.
        target: Whom it has asked.
        since_ns: Since when, CLOCK_MONOTONIC.
        is_certain: The handler itself waits, and for nothing else.
    """

    number: int
    place: int
    corr: int
    target: int
    since_ns: int
    is_certain: bool


class _Way(Protocol):
    """A way to an actor whose page is mapped already."""

    @property
    def page(self) -> status.StatusPage | None: ...


class Evidence:
    """What one process can see of the others."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        number: int,
        page: status.StatusPage,
        routes: Mapping[int, _Way],
    ) -> None:
        """Look for process *number*, whose page is *page*; *routes* has pages that are mapped already."""
        self._directory = directory
        self._number = number
        self._own = page
        self._routes = routes

    # Cycles.

    def deadlock(self, place: int) -> tuple[str, ...]:
        """Return the cycle that our handler at *place* waits in, as text; empty when there is none, or none that is certain.

        No alarm is false: all members are seen waiting, and nobody but them could end it before a deadline.
        Where all questions but one are in hand, that one was asked by a handler which works for the one that it has asked, and
        which has only one message in hand: it cannot have answered.
        Where several are not in hand, they may have been answered a moment ago; then each must be seen in its mailbox.
        """
        path = self._cycle(place)
        if not path:
            return ()
        queued = [wait for wait in path if not self._is_in_hand(wait)]
        is_certain = (
            (len(queued) == 1 or all(self._is_in_mailbox(wait) for wait in queued))
            and all(self._is_alive(wait.number) for wait in path)
            and all(self._wait(wait.number, wait.place) == wait for wait in path)
        )
        return tuple(map(self._describe, path)) if is_certain else ()

    def _cycle(self, place: int) -> list[Wait]:
        path: list[Wait] = []
        at: tuple[int, int] | None = (self._number, place)
        while at is not None and len(path) < MAX_STEPS:
            wait = self._wait(*at)
            if wait is None or not wait.is_certain:
                return []
            path.append(wait)
            at = self._next(wait)
            if at == (self._number, place):
                return path
        return []

    def _next(self, wait: Wait) -> tuple[int, int] | None:
        """Return the handler that must finish before *wait* can end: the one that has the question, or the only one there is."""
        page = self._page(wait.target)
        if page is None or not page.words[status.READY]:
            return None
        if page.slot_count == 1:
            return wait.target, 0
        if not any(page.waits[status.CORR :: status.WAIT_WORDS].tolist()):
            return None
        place = _place_of(page, wait.number, wait.corr)
        return None if place is None else (wait.target, place)

    def _wait(self, number: int, place: int) -> Wait | None:
        page = self._page(number)
        if page is None:
            return None
        at = place * status.WAIT_WORDS
        corr, target, since = page.waits[at : at + status.WAIT_WORDS].tolist()
        if not corr:
            return None
        return Wait(number, place, corr, target & ~PERHAPS, since, not target & PERHAPS)

    def _is_in_hand(self, wait: Wait) -> bool:
        page = self._page(wait.target)
        return page is not None and None is not _place_of(page, wait.number, wait.corr)

    def _is_in_mailbox(self, wait: Wait) -> bool:
        return wait.corr in (self._queue(wait.target, wait.number) or ())

    def _is_alive(self, number: int) -> bool:
        """Return whether the process still runs: what a dead one was waiting for stands in its page until it is replaced."""
        page = self._page(number)
        if page is None:
            return False
        try:
            pidfd = os.pidfd_open(page.words[status.PID])
        except (OSError, OverflowError):  # somebody may have written over its page
            return False
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            return not poll.poll(0)
        finally:
            os.close(pidfd)

    def _describe(self, wait: Wait) -> str:
        page = self._page(wait.number)
        where = "its end" if page is None else _handler(page, wait.place)
        return f"{self._name(wait.number)} (in {where})"

    # What does not run.

    def paused_ns(self, pending: Pending[Any], now_ns: int) -> int:
        """Return for how long the deadline of a question of ours did not run, because one of its ends was frozen."""
        page = self._page(pending.number)
        freezes = self._own.freezes() + (page.freezes() if page is not None else [])
        sent_ns = pending.deadline_ns - int((pending.timeout or 0) * 1e9)
        return frozen_ns(freezes, sent_ns, now_ns)

    # What takes so long.

    def where(self, overdue: Sequence[tuple[Pending[Any], bool]]) -> list[str]:
        """Return for each question what it is waiting for, as far as that can be seen.

        Args:
            overdue: The questions, and whether each was sent; all at once, so that each mailbox is read only once.
        """
        queues: dict[int, dict[int, int] | None] = {}
        return [
            self._where(pending, queues, was_sent=was_sent)
            for pending, was_sent in overdue
        ]

    def _where(
        self,
        pending: Pending[Any],
        queues: dict[int, dict[int, int] | None],
        *,
        was_sent: bool,
    ) -> str:
        number = pending.number
        page = self._page(number)
        if page is None or page.words[status.CLOSED]:
            return "it has ended"
        place = _place_of(page, self._number, pending.corr) if was_sent else None
        if place is not None:
            return self._doing(number, page, place)
        busy = [i for i in range(page.slot_count) if _is_busy(page, i)]
        parts = []
        if was_sent:
            if number not in queues:
                queues[number] = self._queue(number, self._number)
            queue = queues[number]
            if queue is None:
                parts.append("queued")
            elif pending.corr in queue:  # else it was taken just now
                parts.append(f"queued behind {queue[pending.corr] + len(busy)}")
        if not page.words[status.READY]:
            attempt = page.words[status.INCARNATION]
            parts.append(
                f"restarting (attempt {attempt})" if attempt > 1 else "starting"
            )
        elif busy:
            parts.append(self._doing(number, page, busy[0]))
        return ", ".join(parts)

    def _queue(self, target: int, asker: int) -> dict[int, int] | None:
        """Return, for the questions of *asker* in a mailbox, how many messages lie before each; None where they cannot be seen."""
        page = self._page(target)
        if page is None:
            return None
        try:
            contents = registry.get(page.scheme).inspect(
                self._directory.fd,
                mailbox_name(target),
                head_bytes=frame.HEADER_BYTES,
            )
        except TransportError:
            return None
        if contents.frames is None:
            return None
        fields = [
            frame.HEADER.unpack_from(waiting.head)
            for waiting in contents.frames
            if waiting.size >= frame.HEADER_BYTES
        ]
        return {
            field[frame.CORR]: position
            for position, field in enumerate(fields)
            if field[frame.LANE] == asker
        }

    def _doing(self, number: int, page: status.StatusPage, place: int) -> str:
        started = page.slot(place).started_ns
        since = f" {_since(started)}" if started else ""
        text = f"running{since} in {_handler(page, place)}"
        return ", ".join([text, *self._waits_from(number, place)])

    def _waits_from(self, number: int, place: int) -> list[str]:
        texts: list[str] = []
        at: tuple[int, int] | None = (number, place)
        seen = set()
        while at is not None and at not in seen and len(texts) < MAX_STEPS:
            seen.add(at)
            wait = self._wait(*at)
            if wait is None:
                break
            prefix = "which is " if texts else ""
            texts.append(
                f"{prefix}waiting for an ask to {self._name(wait.target)} since {_since(wait.since_ns)}"
            )
            at = self._next(wait)
        return texts

    # Pages.

    def _page(self, number: int) -> status.StatusPage | None:
        if number == self._number:
            return self._own
        known = self._routes.get(number)
        if known is not None and known.page is not None:
            return known.page
        try:
            return status.StatusPage.open(self._directory.fd, number)
        except (CorruptError, OSError):
            return None

    def _name(self, number: int) -> str:
        page = self._page(number)
        return (page.name if page is not None else "") or f"process {number}"


def in_hand(slot: Slot) -> Header | None:
    """Return the header of the message in *slot*; None when there is none."""
    data = slot.frame()
    try:
        return None if data is None else frame.read(data)
    except frame.FrameError:
        return None


def _handler(page: status.StatusPage, place: int) -> str:
    header = in_hand(page.slot(place))
    return "a timer" if header is None else f"{page.class_name}.{header.method}"


def _is_busy(page: status.StatusPage, place: int) -> bool:
    is_waiting = page.waits[place * status.WAIT_WORDS + status.CORR]
    return bool(is_waiting) or page.slot(place).filled


def _place_of(page: status.StatusPage, asker: int, corr: int) -> int | None:
    """Return the slot that has question *corr* of *asker* in hand."""
    for place in range(page.slot_count):
        header = in_hand(page.slot(place))
        if header is not None and (header.lane, header.corr) == (asker, corr):
            return place
    return None


def _since(then_ns: int) -> str:
    return f"{max(0, time.monotonic_ns() - then_ns) / 1e9:.1f} s"
