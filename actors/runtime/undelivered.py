"""What becomes of messages that found nobody, or no room in time.

The root supervisor hears of each: it remembers why actors have ended, and makes dead letters of what nobody else will report.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from actors.errors import ActorStoppedError, MailboxFullError
from actors.pending import Pending
from actors.runtime.outgoing import Outgoing
from actors.runtime.questions import Questions
from actors.runtime.route import Letter, Route
from actors.wire import frame, reasons

STOP = "stop"  # no name of a message: those have their class in front


class Line(Protocol):
    """The way to the root supervisor."""

    def request(
        self,
        operation: str,
        facts: dict[str, Any],
        *,
        convert: Callable[[Any], Any],
    ) -> Pending[Any]:
        """Ask it for something."""
        ...

    def notify_root(self, operation: str, facts: dict[str, Any]) -> None:
        """Tell it something that it does not answer."""


class Undelivered:
    """The undelivered messages of one process."""

    def __init__(self, line: Line, outgoing: Outgoing, questions: Questions) -> None:
        self._line = line
        self._outgoing = outgoing
        self._questions = questions
        outgoing.on_undelivered = self._on_undelivered
        outgoing.on_expired = self._on_expired
        outgoing.on_full = self._on_full

    def report(
        self, number: int, name: str, method: str, told_ns: int | None
    ) -> Pending[Any]:
        """Report a message to somebody who has ended; fails with the reason the root supervisor remembers.

        Args:
            number: Who has ended.
            name: The same, for people.
            method: What was to be called.
            told_ns: When a tell was sent, by which the root knows it if it was accepted after all; None for a question.
        """

        def stopped(facts: dict[str, Any]) -> None:
            raise ActorStoppedError(name, reasons.from_json(facts["reason"]))

        self._outgoing.forget(number)
        facts = {
            "number": number,
            "name": name,
            "method": method,
            "told_ns": told_ns,
        }
        return self._line.request("undeliverable", facts, convert=stopped)

    def give_up(self, pending: Pending[Any], number: int, told_ns: int | None) -> None:
        """Fail *pending* with the reason why actor *number* has ended, unless its answer comes first.

        An actor may take a message, answer and end before the sender sees that its put succeeded.
        The root's word comes after that answer, because the actor was dead before the root spoke.
        """
        if told_ns is None and not pending.corr:
            self._questions.number(pending)
        fate = self.report(number, pending.target, pending.method, told_ns)

        def settle() -> None:
            self._questions.leave(pending.corr)
            pending.fail(fate.value)

        fate.when_settled(settle)  # by any thread, perhaps by now

    def _on_undelivered(self, number: int, letter: Letter) -> None:
        """A letter has waited for room in the mailbox of somebody who has ended meanwhile."""
        pending = letter.pending
        if pending.method == STOP:
            pending.resolve(None)  # that it has ended is what was asked for
            return
        told_ns = None if letter.is_question else sent_ns(letter.parts)
        self.give_up(pending, number, told_ns)

    def _on_expired(self, number: int, letter: Letter) -> None:
        """A letter has waited for room longer than it may; whoever asked has been told, of a tell nobody has."""
        pending = letter.pending
        is_withdrawn = isinstance(pending.value, asyncio.CancelledError)
        if letter.is_question or pending.method == STOP or is_withdrawn:
            return
        facts = {
            "number": number,
            "method": pending.method.rpartition(".")[2],
            "cause": "expired",
            "text": "its mailbox had no room for it in time",
        }
        # Where not even this finds room, there are as many before it that say the same.
        with contextlib.suppress(MailboxFullError):
            self._line.notify_root("dead_letter", facts)

    def _on_full(self, route: Route) -> None:
        """What waits for room in the mailbox of an actor has waited for long."""
        facts = {"number": route.number, "waiters": len(route.outbox)}
        with contextlib.suppress(MailboxFullError):
            self._line.notify_root("mailbox_full", facts)


def sent_ns(parts: tuple[bytes, ...]) -> int:
    """Return when the frame of *parts* was sent, 0 for one that was not made."""
    return frame.read(parts[0] + parts[1]).sent_ns if parts else 0
