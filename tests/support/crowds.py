"""Several actors that tell and ask several others, all of which are killed, and an account of every message."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import random
import signal
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import attrs

from actors import (
    Actor,
    ActorCrashedError,
    ActorRef,
    ActorSystem,
    Event,
    Events,
    Pending,
)
from tests.support.accounts import problems
from tests.support.gates import SECONDS, wait_until
from tests.support.lives import Ledger, notes

LEDGERS, CALLERS = 3, 3
MOST = 10**6  # messages of one caller
ASKS = 5  # every fifth message is a question
QUEUE_BYTES = 16 * 1024
WORK = bytes(100_000)


class BusyLedger(Ledger):
    """Has something to do before and after each note, so that kills find it at that."""

    def record(self, number: int, padding: object = None) -> int:
        self.work()
        super().record(number, padding)
        self.work()
        return number

    def work(self) -> None:
        hashlib.sha256(WORK).digest()


class Caller(Actor):
    """Tells and asks one ledger after the other, and notes what came of each message."""

    def __init__(self, ledgers: list[ActorRef[Ledger]], path: str, first: int) -> None:
        self.ledgers = [ledger.within(None) for ledger in ledgers]
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.first = first

    async def call_for_ever(self) -> None:
        for number in itertools.count(self.first):
            ledger = self.ledgers[number % LEDGERS]
            outcome = b"accepted"
            if number % ASKS:
                await ledger.tell(Ledger.record, number)
            else:
                try:
                    await ledger.ask(Ledger.record, number)
                except ActorCrashedError:
                    outcome = b"crashed"
            os.write(self.fd, b"%-10d %-10d %-10s\n" % (os.getpid(), number, outcome))


@attrs.define(eq=False)
class Crowd:
    """The processes of one experiment, and what is known of them."""

    system: ActorSystem
    folder: Path
    rng: random.Random
    events: Events = attrs.field()
    ledgers: list[ActorRef[Ledger]] = attrs.field(factory=list)
    callers: list[ActorRef[Caller]] = attrs.field(factory=list)
    lives: dict[int, int] = attrs.field(factory=dict)  # of callers, by process
    pids: dict[str, int] = attrs.field(factory=dict)  # of who is ready
    incarnations: dict[int, int] = attrs.field(factory=dict)  # by pid
    kills: Tally[str] = attrs.field(factory=Tally)  # by name
    # Dead letters, by ledger and life of the caller; and those that were questions.
    letters: dict[tuple[int, int], Tally[int]] = attrs.field(
        factory=lambda: defaultdict(Tally)
    )
    questions: Tally[int] = attrs.field(factory=Tally)
    _next: Pending[Event] | None = None
    _known_before: Tally[int] | None = None

    @classmethod
    def gather(cls, system: ActorSystem, folder: Path, rng: random.Random) -> Crowd:
        """Spawn everybody."""
        crowd = cls(system, folder, rng, system.events())
        for place in range(LEDGERS):
            endless = system.options(
                name=f"ledger{place}", intensity=float("inf"), mailbox_bytes=QUEUE_BYTES
            )
            ledger = endless.spawn(BusyLedger, str(folder / f"ledger{place}"))
            crowd.ledgers.append(ledger.result())
            crowd.wait_for("child_ready", f"ledger{place}")
        for _ in range(CALLERS):
            crowd.add_caller()
        return crowd

    def add_caller(self) -> None:
        """Spawn one more, who begins to call."""
        life = len(self.lives)
        temporary = self.system.options(name=f"caller{life}", restart="temporary")
        path = str(self.folder / "callers")
        caller = temporary.spawn(Caller, self.ledgers, path, life * MOST).result()
        self.lives[caller._number] = life
        self.callers.append(caller)
        caller.tell(Caller.call_for_ever)
        self.wait_for("child_ready", caller.name)

    def let_run(self, seconds: float) -> None:
        """Take events for some time."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._take(seconds)

    def wait_for(self, kind: str, name: str) -> None:
        """Take events until there is one of this kind about *name*."""
        while True:
            event = self._take(SECONDS)
            if (event.kind, event.actor) == (kind, name):
                return

    def _take(self, seconds: float) -> Event:
        # Kept where its time is up: it still takes the next event.
        self._next = self._next or self.events.next()
        event = self._next.result(seconds)
        self._next = None
        self._note(event)
        return event

    def _note(self, event: Event) -> None:
        if event.kind in {"events_dropped", "mailbox_lost", "giving_up"}:
            raise AssertionError(event)
        if event.kind == "child_ready":
            self.pids[str(event.actor)] = event.pid
        elif event.kind == "child_starting":
            self.incarnations[event.pid] = event.incarnation
        elif event.kind == "dead_letter" and str(event.facts["method"]).endswith(
            ".record"
        ):
            assert event.facts["cause"] == "crashed"
            life = self.lives[event.facts["sender"]]
            place = int(str(event.actor).removeprefix("ledger"))
            self.letters[place, life][event.incarnation] += 1
            self.questions[life] += event.facts["is_question"]

    def kill_one(self) -> None:
        """SIGKILL somebody, and wait until somebody else is in the place."""
        if self.rng.random() < 0.5:
            name = self.rng.choice(self.ledgers).name
            self._kill(name)
            self.wait_for("child_ready", name)
        else:
            name = self.callers.pop(self.rng.randrange(CALLERS)).name
            self._kill(name)
            self.wait_for("child_stopped", name)
            self.add_caller()

    def _kill(self, name: str) -> None:
        self.kills[name] += 1
        os.kill(self.pids[name], signal.SIGKILL)

    def close(self) -> list[str]:
        """End everybody, let the ledgers finish first, and return everything that is wrong."""
        wait_until(self._all_go_on, "callers that wait for no answer")
        for caller in self.callers:
            self._kill(caller.name)
            self.wait_for("child_stopped", caller.name)
        for ledger in self.ledgers:
            ledger.within(SECONDS).ask(Ledger.pid).result()
            ledger.stop().result()
            self.wait_for("child_stopped", ledger.name)
        self.events.close()
        return list(self._wrong())

    def _all_go_on(self) -> bool:
        """Return whether all callers have sent something to every ledger since the last kill."""
        known, _ = self._known()
        if self._known_before is None:
            self._known_before = known
        before = self._known_before
        living = [self.lives[caller._number] for caller in self.callers]
        return all(known[life] > before[life] + ASKS * LEDGERS for life in living)

    def _known(self) -> tuple[Tally[int], Tally[int]]:
        """Return how many messages each life knows to be sent, and how many it was told had crashed their ledger."""
        known, crashed = Tally[int](), Tally[int]()
        for _, text in notes(self.folder / "callers"):
            number, outcome = text.split()
            known[int(number) // MOST] += 1
            crashed[int(number) // MOST] += outcome == "crashed"
        return known, crashed

    def _wrong(self) -> Iterator[str]:
        known, crashed = self._known()
        handled = [notes(self.folder / f"ledger{place}") for place in range(LEDGERS)]
        for life in self.lives.values():
            # Killed between its answer and the end of a question, a ledger leaves both.
            if crashed[life] > self.questions[life]:
                yield f"life {life}: {self.questions[life]} questions crashed, {crashed[life]} were told"
            for place, lines in enumerate(handled):
                pairs = [
                    (self.incarnations[pid], int(text))
                    for pid, text in lines
                    if int(text) // MOST == life
                ]
                yield from self._wrong_between(life, place, pairs, known[life])

    def _wrong_between(
        self, life: int, place: int, handled: list[tuple[int, int]], known: int
    ) -> Iterator[str]:
        """Yield what is wrong with the messages of one caller to one ledger, which are every third of its numbers."""
        first = life * MOST
        first += (place - first) % LEDGERS
        indexed = [(each, (number - first) // LEDGERS) for each, number in handled]
        sent = len(range(first, life * MOST + known, LEDGERS))
        last_is_ours = (life * MOST + known) % LEDGERS == place
        letters = self.letters[place, life]
        found = {
            extra: list(
                problems(
                    indexed,
                    letters,
                    sent + extra,
                    1 + self.kills[f"ledger{place}"],
                )
            )
            for extra in range(1 + last_is_ours)
        }
        if all(found.values()):
            yield f"caller {life} to ledger {place}: {found}"
