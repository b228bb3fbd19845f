"""One child of a supervisor, and the supervisor as the root knows it: specification, life so far, and who waits for what."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from actors.exits import ExitReason
from actors.runtime import status
from actors.runtime.record import GOODBYE_BYTES
from actors.runtime.start import Arguments
from actors.supervision.birth import Birth
from actors.supervision.estate import Estate
from actors.supervision.group import Fate, Group, Member, Phase
from actors.supervision.hangs import Limits
from actors.supervision.progress import Standstill
from actors.supervision.remote import RemoteHands
from actors.supervision.settings import ChildOptions
from actors.supervision.shared import SharedMailbox
from actors.supervision.strategy import Death
from actors.wire.frame import Header

TOP = 0  # in the place of a number: the root's own group
MAX_LISTED = 4  # kinds of messages that one line of a log names
Asker = tuple[int, int]  # process number of the lane, and correlation id
# What carries out a request: of whom, from which process, its facts and its payload.
Handle = Callable[[Asker, int, dict[str, Any], bytes], None]


class Orders(Protocol):
    """What the root wants of a supervisor's hands."""

    def fork(self, birth: Birth) -> None:
        """Have a process made."""

    def withdraw(self, number: int) -> bool:
        """Take back the order to fork *number*; False when it is too late for that."""
        ...

    def leave(self) -> None:
        """End, with nobody left."""


@attrs.define(eq=False)
class Branch:
    """A supervisor with its children, as the root knows it.

    Attributes:
        key: Its number; of a plainly spawned actor, which is a group of its own, that one's.
        group: The children, and what shall become of them.
        hands: Who has their processes; None while the supervisor has none itself.
        owner: Its own place in the tree; None for the root, and for plainly spawned actors.
        static: Those who come back with it, in start order.
        kids: The children by number.
        deaths: Those that nothing has been decided about.
        is_up: Whether the first start of all has succeeded, and that is known.
        has_left: Whether it was told to end.
        standstill: Who waits for whom, as the status pages of the children show it; None where that is not known.
        settled: The members as they were when it was last seen to who has no process and gets none.
        home: In whose hands a plainly spawned actor is; None for the root's own.
    """

    key: int
    group: Group
    hands: Orders | None
    owner: SupervisorChild | None = None
    static: dict[int, ChildOptions] = attrs.field(factory=dict)
    kids: dict[int, Child] = attrs.field(factory=dict)
    deaths: list[Death] = attrs.field(factory=list)
    is_up: bool = False
    has_left: bool = False
    standstill: Standstill | None = None
    settled: Mapping[int, Member] = attrs.field(factory=dict)
    home: Companion | None = None

    @property
    def is_of_one(self) -> bool:
        """Whether it is a plainly spawned actor, which is a group of its own."""
        return self.owner is None and self.key != TOP

    def renew(self) -> None:
        """Forget what was: the supervisor has died, and its next life begins afresh."""
        self.group = Group.of(self.group.options, self.static)
        self.deaths.clear()
        self.is_up = self.has_left = False
        self.hands = None
        self.standstill = None


@attrs.define(eq=False)
class Child:
    """A child of a supervisor."""

    number: int
    label: str  # the name, or the class and number
    options: ChildOptions
    branch: Branch
    class_name: str = "supervisor"
    classes: list[str] = attrs.field(factory=list)  # of the class and its bases
    incarnation: int = 0
    pid: int = 0
    pidfd: int = -1  # of its hands
    goodbye_fd: int = -1
    is_alive: bool = False  # from the order to fork it until nothing of it is left
    is_down: bool = False  # without a process until somebody starts it
    born: float = 0.0
    kills_at_birth: int = 0  # for lack of memory, in our cgroup
    ready_at: float | None = None  # None while this incarnation is not ready
    is_early: bool = False  # it was ready before we were told that it had been forked
    cause: ExitReason | None = None  # recorded before we send a signal that kills
    reason: ExitReason | None = None  # of the last death
    hands: list[Header] = attrs.field(factory=list)  # what it had in hand then
    kept: list[Header] = attrs.field(factory=list)  # of that, what is tried again
    # By sender, question and time sent: what the process has died of with it in hand.
    deaths: dict[tuple[int, int, int], list[ExitReason]] = attrs.field(factory=dict)
    poison: dict[tuple[int, int, int], int] = attrs.field(factory=dict)  # likewise: ids
    is_leaving: bool = False  # its process ends by itself
    # SIGKILL has not ended it: nobody waits for it any more.
    is_unkillable: bool = False
    spawner: Asker | None = None  # waits for it to be ready
    answer: dict[str, Any] = attrs.field(factory=dict)  # for its spawner
    # What is to be done to the next process that is ready, and who waits for it.
    when_ready: list[tuple[Asker, Callable[[], None]]] = attrs.field(factory=list)
    restarters: list[Asker] = attrs.field(factory=list)  # wait for the next one
    mourners: list[Asker] = attrs.field(factory=list)  # wait for the end
    due: str | None = None  # why its process is to be replaced, as it says itself
    heirs: list[Asker] = attrs.field(factory=list)  # wait for that

    @property
    def is_public(self) -> bool:
        """Whether its life is told of."""
        return True

    @property
    def member(self) -> Member | None:
        """Where it is in its life, and what is to become of it; None once it is to be forgotten."""
        return self.branch.group.members.get(self.number)

    @property
    def fate(self) -> Fate | None:
        """What becomes of it at its next death, where that is settled."""
        return None if self.member is None else self.member.fate

    @property
    def is_running(self) -> bool:
        """Whether its process is ready, and nobody has asked it to end."""
        return self.member is not None and self.member.phase is Phase.RUNNING

    def about(self, what: str) -> str:
        """Return a sentence about the process."""
        return f"{self.label}: its process {self.pid} {what}"

    def listed(self, headers: list[Header]) -> str:
        """Return the messages of *headers* for one line of a log: how many of which, the first few kinds."""
        counts = Counter(self.method(header.method) for header in headers)
        kinds = [
            name if count == 1 else f"{name} ({count})"
            for name, count in counts.most_common(MAX_LISTED)
        ]
        if len(counts) > MAX_LISTED:
            kinds.append("…")
        return ", ".join(kinds)

    def method(self, name: str) -> str:
        """Return the full name of a message."""
        return f"{self.class_name}.{name}"


@attrs.define(eq=False, kw_only=True)
class ActorChild(Child):
    """An actor."""

    arguments: Arguments
    estate: Estate
    limits: Limits
    resources: dict[str, Any]  # what the kernel allows it: attributes of ``Resources``
    shared: SharedMailbox | None = None  # that it takes from besides its own
    dump_at: int = GOODBYE_BYTES  # where in its goodbye the next stack is written
    companion: Companion | None = None  # has its children
    last: Death | None = None  # decided about when its companion has ended


@attrs.define(eq=False, kw_only=True)
class SupervisorChild(Child):
    """A supervisor below the root."""

    below: Branch
    remote: RemoteHands | None = None
    line_end: socket.socket | None = None  # its own, until it has it

    def everybody(self) -> list[Child]:
        """Return all who have it as their supervisor."""
        return list(self.below.kids.values())

    def close_line_end(self) -> None:
        """Let it have the only end that is its own."""
        if self.line_end is not None:
            self.line_end.close()
            self.line_end = None


@attrs.define(eq=False, kw_only=True)
class Companion(SupervisorChild):
    """The supervisor of the children of an actor: a group of its own, beside the actor, and each ends with the other.

    Attributes:
        actor: Whose.
        spawned: Those that were plainly spawned, each a group of its own; trees are its ``below``.
    """

    actor: ActorChild
    spawned: dict[int, ActorChild] = attrs.field(factory=dict)

    @property
    def is_public(self) -> bool:
        """No: its death is its actor's."""
        return False

    def everybody(self) -> list[Child]:
        """Return all who have it as their supervisor."""
        return [*self.below.kids.values(), *self.spawned.values()]

    @property
    def is_ending(self) -> bool:
        """Whether nothing more is started below it."""
        return self.fate is not None or self.below.group.leaving is not None

    @property
    def lent(self) -> Orders | None:
        """The hands that those have who were plainly spawned; None while there is no process that has any."""
        return self.remote if self.pidfd >= 0 else None

    def part(self) -> None:
        """Let its actor have none any more."""
        self.actor.companion = None
        self.actor.estate.page.words[status.COMPANION] = 0

    def lend_hands(self) -> None:
        """Let the plainly spawned ones be started: there is a process that can do that."""
        for child in self.spawned.values():
            child.branch.hands = self.lent

    def next_to_stop(self) -> list[ActorChild]:
        """Return which of the plainly spawned ones are stopped next: the youngest, with all that share a mailbox with it."""
        waiting = [child for child in self.spawned.values() if not child.is_unkillable]
        if not waiting or waiting[-1].shared is None:
            return waiting[-1:]
        return [child for child in waiting if child.shared is waiting[-1].shared]
