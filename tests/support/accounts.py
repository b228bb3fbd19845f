"""What became of every message to an actor that was killed again and again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter as Tally
from collections.abc import Iterable
from pathlib import Path

import attrs

from actors import ActorRef, ActorSystem, Event, Events, Pending
from tests.support.gates import SECONDS
from tests.support.lives import Ledger, notes


@attrs.define(eq=False)
class Account:
    """The messages of one sender to one ``Ledger``, numbered from 0, and its deaths."""

    path: str
    ref: ActorRef[Ledger]
    events: Events
    sent: int = 0
    kills: int = 0
    pid: int = 0
    incarnations: dict[int, int] = attrs.field(factory=dict)  # by pid
    letters: Tally[int] = attrs.field(factory=Tally)  # by incarnation
    _next: Pending[Event] | None = None

    @classmethod
    def open(
        cls, system: ActorSystem, path: Path, *, intensity: float = float("inf")
    ) -> Account:
        """Spawn a ledger that is restarted for ever."""
        events = system.events()
        spawning = system.options(intensity=intensity).spawn(Ledger, str(path))
        account = cls(str(path), spawning.result().within(None), events)
        account.wait_until_ready(1)
        return account

    def send(self, padding: object = b"") -> None:
        """Tell the next number."""
        self.ref.tell(Ledger.record, self.sent, padding)
        self.sent += 1

    def kill(self) -> None:
        """SIGKILL the incarnation that is ready, and wait until the next one is."""
        self.kills += 1
        os.kill(self.pid, signal.SIGKILL)
        self.wait_until_ready(self.kills + 1)

    def wait_until_ready(self, incarnation: int) -> None:
        """Take events until this incarnation is ready."""
        while True:
            event = self.take()
            if (event.kind, event.incarnation) == ("child_ready", incarnation):
                self.pid = event.pid
                return

    def take(self) -> Event:
        """Take the next event of the ledger into account."""
        while True:
            event = self._taker().result(SECONDS)
            self._next = None
            if event.kind == "events_dropped":
                raise AssertionError(event)
            if event.actor == self.ref.name:
                break
        if event.kind == "child_starting":
            self.incarnations[event.pid] = event.incarnation
        elif event.kind == "dead_letter":
            assert event.facts["cause"] == "crashed"
            assert event.facts["method"] == "Ledger.record"
            self.letters[event.incarnation] += 1
        return event

    def _taker(self) -> Pending[Event]:
        if self._next is None:
            self._next = self.events.next()
        return self._next

    def let_run(self, seconds: float) -> None:
        """Let the ledger work for some time, and our outbox be flushed meanwhile."""
        with contextlib.suppress(TimeoutError):
            self._taker().result(seconds)

    def close(self) -> list[str]:
        """Let the ledger finish, end it, and return everything that is wrong."""
        self.ref.within(SECONDS).ask(Ledger.pid).result()
        self.ref.stop().result()
        while self.take().kind != "child_stopped":
            pass
        self.events.close()
        handled = [
            (self.incarnations[pid], int(text)) for pid, text in notes(self.path)
        ]
        return list(problems(handled, self.letters, self.sent, self.kills + 1))


def problems(
    handled: list[tuple[int, int]], letters: Tally[int], sent: int, incarnations: int
) -> Iterable[str]:
    """Yield what contradicts: in order, none twice, and each one handled or named by a dead letter.

    Args:
        handled: (incarnation, number), in the order they were handled.
        letters: How many dead letters each incarnation left.
        sent: Numbers below this one were sent.
        incarnations: How many there were; each died at most once.
    """
    numbers = [number for _, number in handled]
    if numbers != sorted(set(numbers)):
        yield "out of order or twice"
    for incarnation, count in letters.items():
        if count > 1:
            yield f"{count} dead letters for the one kill of incarnation {incarnation}"
    last, expected = 0, 0
    for incarnation, number in [*handled, (incarnations + 1, sent)]:
        missing = number - expected
        # The dead letter of the one that handled the last number may be about that very number.
        named = sum(letters[each] for each in range(last, incarnation))
        spare = letters[last]
        if not named - spare <= missing <= named:
            yield f"{missing} missing before {number}, {named} dead letters of incarnations {last} to {incarnation - 1}"
        last, expected = incarnation, number + 1
