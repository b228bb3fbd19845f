"""A family of three levels under load, whose processes are killed at random, and an account of every process and message."""

from __future__ import annotations

import contextlib
import math
import random
from collections import Counter as Tally
from pathlib import Path

import attrs
import pytest

from actors import (
    ActorNotFoundError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    Event,
    Events,
    Pending,
)
from tests.support.families import Stem
from tests.support.forests import below, kill_below
from tests.support.gates import SECONDS
from tests.support.inside import root_pid
from tests.support.lives import Ledger, notes

LEAVES = ("head00", "head01", "head10", "head11")
PACE = 0.02  # seconds between two kills
OUTSTANDING = 200
SEED = 20


@attrs.define(eq=False)
class Family:
    """One actor with what it has spawned, and all that is known of them."""

    system: ActorSystem
    folder: Path
    events: Events
    head: ActorRef[Stem]
    sent: int = 0
    kills: int = 0
    refused: set[int] = attrs.field(factory=set)
    letters: Tally[str] = attrs.field(factory=Tally)  # by cause
    started: Tally[tuple[str | None, int | None]] = attrs.field(factory=Tally)
    exited: Tally[tuple[str | None, int | None]] = attrs.field(factory=Tally)
    texts: list[str] = attrs.field(factory=list)
    _waiting: list[tuple[int, Pending[None]]] = attrs.field(factory=list)
    _next: Pending[Event] | None = None

    @classmethod
    def spawn(cls, system: ActorSystem, folder: Path) -> Family:
        events = system.events()
        spawner = system.options(name="head", intensity=math.inf)
        head = spawner.spawn(Stem, str(folder), "head", 2).result(SECONDS)
        return cls(system, folder, events, head)

    def send(self) -> None:
        for name in LEAVES:
            with contextlib.suppress(ActorNotFoundError):
                leaf = self.system.lookup(name, Ledger).result(SECONDS)
                for _ in range(3):
                    telling = leaf.within(None).tell(Ledger.record, self.sent)
                    self._waiting.append((self.sent, telling))
                    self.sent += 1
        self._settle(OUTSTANDING)

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            number, telling = self._waiting.pop(0)
            try:
                telling.result(SECONDS)
            except ActorStoppedError:
                self.refused.add(number)

    def kill(self, rng: random.Random) -> None:
        root = root_pid(self.system)
        victims = below(root)
        self.kills += bool(victims) and kill_below(root, rng.choice(victims))

    def listen(self, seconds: float) -> Event | None:
        self._next = self._next or self.events.next()
        try:
            event = self._next.result(seconds)
        except TimeoutError:
            return None
        self._next = None
        life = event.actor, event.pid
        if event.kind == "child_starting":
            self.started[life] += 1
        elif event.kind == "child_exit":
            self.exited[life] += 1
            self.texts.append(event.facts["text"])
        elif event.kind == "dead_letter":
            self.letters[event.facts["cause"]] += 1
        assert event.kind != "events_dropped"
        return event

    def end(self) -> None:
        """Stop the head, and read everything that is said of it."""
        self._settle(0)
        self.head.kill().result(SECONDS)
        while (event := self.listen(SECONDS)) is None or (event.kind, event.actor) != (
            "child_stopped",
            "head",
        ):
            assert event is not None
        self.events.close()

    def handled(self) -> list[int]:
        return [int(text) for name in LEAVES for _, text in notes(self.folder / name)]


@pytest.mark.parametrize("kills", [5, pytest.param(300, marks=pytest.mark.slow)])
def test_storm_in_a_family_leaves_nobody_and_loses_no_message_unnamed(
    tmp_path: Path, kills: int
) -> None:
    rng = random.Random(SEED)
    with ActorSystem(drain=0) as system:
        family = Family.spawn(system, tmp_path)

        while family.kills < kills:
            family.send()
            family.kill(rng)
            while family.listen(PACE) is not None:
                pass
        family.end()
        left = below(root_pid(system))

    handled = family.handled()
    missing = set(range(family.sent)) - set(handled)
    exited = {life: count for life, count in family.exited.items() if life[1]}
    stopped, crashed = family.letters["stopped"], family.letters["crashed"]
    assert left == []
    assert family.started == exited  # and each of them once
    assert set(family.started.values()) == {1}
    assert not any("NameTakenError" in text for text in family.texts)
    assert len(handled) == len(set(handled))
    assert family.refused <= missing
    assert stopped <= len(missing) <= stopped + crashed
