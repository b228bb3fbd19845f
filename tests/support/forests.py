"""A tree of three levels under load, whose processes are killed at random, and an account of every message."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter as Tally
from collections import deque
from pathlib import Path

import attrs

from actors import (
    ActorCrashedError,
    ActorRef,
    ActorSystem,
    Event,
    Events,
    Pending,
    SupervisorRef,
    SystemFailedError,
    options,
)
from actors.supervision.settings import Strategy
from tests.support.accounts import problems
from tests.support.gates import SECONDS
from tests.support.inside import root_pid
from tests.support.lives import Ledger, notes
from tests.support.procfs import children_of
from tests.support.spares import is_unborn

STRATEGIES: tuple[Strategy, ...] = ("one_for_one", "one_for_all", "rest_for_one")
LEAVES = 3  # of each
BURST = 5  # messages to each between two looks at everything else
OUTSTANDING = 2_000  # messages that have not been accepted yet
ENDLESS = 10**9  # restarts
PACE = 0.002  # seconds between two bursts
KILL_SECONDS = 0.05  # between two kills, on average
TOP_SECONDS = 2.5  # between two kills of the topmost: its own supervisor, the root, has limits that nobody sets


def below(pid: int) -> list[int]:
    """Return the descendants of a process, but for those that are nobody's yet."""
    found = []
    with contextlib.suppress(OSError):  # it has ended
        for child in children_of(pid):
            if not is_unborn(child):
                found += [child, *below(child)]
    return found


def kill_below(root: int, pid: int) -> bool:
    """SIGKILL *pid* if it is a descendant of *root*, and no stranger that has got its number; return whether it was."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if pid not in below(root):
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


@attrs.define(eq=False)
class Leaf:
    """One ledger of the tree, and what is known of it.

    Attributes:
        ref: Whom it is.
        path: Where it notes what it handles.
        sent: Numbers below this one were sent.
        incarnations: By pid.
        letters: How many dead letters each incarnation has left.
    """

    ref: ActorRef[Ledger]
    path: Path
    sent: int = 0
    incarnations: dict[int, int] = attrs.field(factory=dict)
    letters: Tally[int] = attrs.field(factory=Tally)

    def note(self, event: Event) -> None:
        """Take an event of it into account."""
        if event.kind == "child_starting":
            self.incarnations[event.pid] = event.incarnation
        elif event.kind == "dead_letter":
            assert event.facts["cause"] == "crashed", event
            self.letters[event.incarnation] += 1

    def handled(self) -> list[tuple[int, int]]:
        """Return (pid, number), in the order they were handled."""
        return [(pid, int(text)) for pid, text in notes(self.path)]

    def wrong(self) -> list[str]:
        """Return what is wrong once everything that was sent has been handled, or was lost."""
        handled = [(self.incarnations[pid], number) for pid, number in self.handled()]
        last = max(self.incarnations.values())
        found = problems(handled, self.letters, self.sent, last)
        return [f"{self.ref.name}: {text}" for text in found]


@attrs.define(eq=False)
class Forest:
    """The tree, and who kills in it."""

    system: ActorSystem
    tree: SupervisorRef
    rng: random.Random
    leaves: dict[str, Leaf]
    events: Events
    kills: int = 0
    _waiting: deque[Pending[None]] = attrs.field(factory=deque)
    _next: Pending[Event] | None = None
    _top_due: float = 0.0
    _is_up: bool = False  # the topmost, with all below it

    @classmethod
    def plant(cls, system: ActorSystem, folder: Path, rng: random.Random) -> Forest:
        """Start the tree: below the top a supervisor of each strategy, below each its ledgers."""
        events = system.events()
        specs = [
            options(name=f"leaf-{number}").child(Ledger, str(folder / str(number)))
            for number in range(len(STRATEGIES) * LEAVES)
        ]
        branches = [
            options(id=strategy, strategy=strategy, intensity=ENDLESS).supervisor(
                *specs[LEAVES * place : LEAVES * (place + 1)]
            )
            for place, strategy in enumerate(STRATEGIES)
        ]
        settings = system.options(id="top", intensity=ENDLESS)
        tree = settings.supervise(*branches).result(SECONDS)
        leaves = {
            str(spec.settings.name): Leaf(
                tree.ref(spec).within(None), folder / str(number)
            )
            for number, spec in enumerate(specs)
        }
        return cls(system, tree, rng, leaves, events)

    @property
    def root(self) -> int:
        """The pid of the root supervisor."""
        return root_pid(self.system)

    def run(self, seconds: float) -> None:
        """Send and kill for some time."""
        end = time.monotonic() + seconds
        due = 0.0
        while (now := time.monotonic()) < end:
            self._send()
            self._listen(PACE)
            if now >= due:
                self.kills += self._kill(now)
                due = now + 2 * self.rng.random() * KILL_SECONDS

    def _send(self) -> None:
        for leaf in self.leaves.values():
            for _ in range(BURST):
                self._waiting.append(leaf.ref.tell(Ledger.record, leaf.sent))
                leaf.sent += 1
        self._settle(OUTSTANDING)

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result(SECONDS)

    def _listen(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                self._take(seconds)
                seconds = 0

    def _take(self, seconds: float) -> Event:
        self._next = self._next or self.events.next()
        event = self._next.result(seconds)
        self._next = None
        assert event.kind not in {"events_dropped", "mailbox_lost"}, event
        if event.kind == "child_ready" and event.actor == self.tree.name:
            self._is_up = True
        if event.actor in self.leaves:
            self.leaves[event.actor].note(event)
        return event

    def _kill(self, now: float) -> bool:
        """Kill somebody below the root; the topmost not too often, and nobody before all have come back with it.

        A start that fails then is the end of the topmost, and of those the root puts up with a few.
        """
        if not self._is_up:
            return False
        tops = children_of(self.root)
        victims = [pid for pid in below(self.root) if pid not in tops]
        if tops and now >= self._top_due:
            self._top_due = now + TOP_SECONDS
            self._is_up = False
            victims = tops
        return bool(victims) and kill_below(self.root, self.rng.choice(victims))

    def close(self) -> list[str]:
        """Let everybody finish, end the tree, and return everything that is wrong."""
        self._settle(0)
        for leaf in self.leaves.values():
            while not self._has_finished(leaf):
                pass
        stopping = self.tree.stop()
        left = set(self.leaves)
        while left:
            event = self._take(SECONDS)
            if event.kind == "child_stopped":
                left.discard(str(event.actor))
        stopping.result(SECONDS)
        self.events.close()
        return [text for leaf in self.leaves.values() for text in leaf.wrong()]

    @staticmethod
    def _has_finished(leaf: Leaf) -> bool:
        try:
            leaf.ref.within(SECONDS).ask(Ledger.pid).result()
        except ActorCrashedError:  # the last kill
            return False
        return True

    def fall(self) -> list[str]:
        """Kill the root, wait until that is known, and return everything that is wrong."""
        os.kill(self.root, signal.SIGKILL)
        with contextlib.suppress(SystemFailedError):
            while True:
                self._take(SECONDS)
        wrong = []
        for pending in self._waiting:
            error = outcome_of(pending)
            if error is not None and not isinstance(error, SystemFailedError):
                wrong.append(f"a message failed with {error!r}")
        for leaf in self.leaves.values():
            numbers = [number for _, number in leaf.handled()]
            if numbers != sorted(set(numbers)):
                wrong.append(f"{leaf.ref.name}: out of order or twice")
        return wrong


def outcome_of(pending: Pending[None]) -> BaseException | None:
    """Return what *pending* has failed with; None if it has not."""
    try:
        pending.result(SECONDS)
    except Exception as exc:  # noqa: BLE001 - to be looked at
        return exc
    return None
