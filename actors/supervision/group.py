"""The children of one supervisor as a value: who they are, where each is in its life, and what shall become of it.

Pure, and without a clock.
What a death means is decided in ``strategy.py``, what is to be done next in ``progress.py``, what somebody asks for in
``administration.py``; each takes a ``Group`` and returns another.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import attrs

from actors.exits import ExitReason
from actors.supervision.backoff import Streak
from actors.supervision.intensity import Window
from actors.supervision.settings import ChildOptions, SupervisorOptions


class Phase(enum.StrEnum):
    """Where a child is in its life; one that is gone for good is no member any more.

    Attributes:
        STARTING: It has a process, which is not ready yet.
        RUNNING: It is ready.
        STOPPING: We have asked its process to end.
        UNKILLABLE: Its process is there although we killed it; nobody waits for that.
        RESTARTING: A start is due, now or after a delay, or when others have stopped.
        STOPPED: Somebody has stopped it; it stays so until somebody starts it.
        ENDED: It has ended as it should; a round starts it again.
        IGNORED: It wanted no process; a round asks it again.
    """

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    UNKILLABLE = "unkillable"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    ENDED = "ended"
    IGNORED = "ignored"


WITH_PROCESS = frozenset(
    {Phase.STARTING, Phase.RUNNING, Phase.STOPPING, Phase.UNKILLABLE}
)


class Fate(enum.Enum):
    """What becomes of a child at its next death, whatever it dies of."""

    RESTART = "restart"
    STOP = "stop"
    REMOVE = "remove"


class Trial(enum.Enum):
    """What becomes of a child whose start fails, while somebody waits for it; afterwards a failure is one more restart."""

    SUPERVISOR = "supervisor"  # the first start: the supervisor fails with it
    REMOVE = "remove"  # ``start_child``
    STOP = "stop"  # ``restart_child``


@attrs.frozen
class Member:
    """One child.

    Attributes:
        key: Number of its mailbox.
        options: Its settings.
        phase: Where it is in its life.
        fate: None where its death is to be decided when it comes.
        trial: None once it has been ready.
        due: Not started before this time, in seconds on the monotonic clock.
        streak: What its last lives were like.
    """

    key: int
    options: ChildOptions
    phase: Phase = Phase.RESTARTING
    fate: Fate | None = None
    trial: Trial | None = None
    due: float = 0.0
    streak: Streak = attrs.field(factory=Streak)

    @property
    def has_process(self) -> bool:
        """Whether there is a process that has to end first."""
        return self.phase in WITH_PROCESS

    @property
    def is_doomed(self) -> bool:
        """Whether others wait for its process to end."""
        return self.fate is not None and self.phase is not Phase.UNKILLABLE

    @property
    def is_temporary(self) -> bool:
        """Whether nobody starts it again."""
        return self.options.restart == "temporary"


@attrs.frozen
class Group:
    """The children of one supervisor.

    Attributes:
        options: What the supervisor does about them.
        members: In start order, by key.
        window: The restarts that still count.
        round: Keys of those that are being restarted together.
        leaving: Why the supervisor ends; None while it goes on.
    """

    options: SupervisorOptions
    members: Mapping[int, Member] = attrs.field(factory=dict)
    window: Window = attrs.field(factory=Window)
    round: frozenset[int] = frozenset()
    leaving: ExitReason | None = None

    @classmethod
    def of(
        cls, options: SupervisorOptions, children: Mapping[int, ChildOptions]
    ) -> Group:
        """Return the group of a supervisor that is about to start *children*, in this order."""
        members = {
            key: Member(key, child, trial=Trial.SUPERVISOR)
            for key, child in children.items()
        }
        return cls(options, members)

    @property
    def is_pool(self) -> bool:
        """Whether its members are all alike, and known by key alone."""
        return self.options.strategy == "pool"

    @property
    def is_up(self) -> bool:
        """Whether the first start of everybody has succeeded."""
        return all(
            member.trial is not Trial.SUPERVISOR for member in self.members.values()
        )

    @property
    def starts_in_order(self) -> bool:
        """Whether a start waits for the one before it to succeed."""
        is_first = not self.is_up and self.options.start_concurrency is None
        return self.options.is_ordered or is_first

    def with_members(self, *changed: Member) -> Group:
        """Return the group with these in the place of those with their keys, or behind all others."""
        members = {member.key: member for member in changed}
        return attrs.evolve(self, members={**self.members, **members})

    def without(self, keys: Iterable[int]) -> Group:
        """Return the group without some members."""
        gone = set(keys)
        kept = {key: member for key, member in self.members.items() if key not in gone}
        return attrs.evolve(self, members=kept, round=self.round - gone)

    def find(self, child_id: str) -> Member | None:
        """Return the member that has this id; a pool has none."""
        if self.is_pool:
            return None
        members = self.members.values()
        return next((m for m in members if m.options.id == child_id), None)

    def ending(self, reason: ExitReason) -> Group:
        """Return the group that is stopped altogether, for *reason*; the first reason stays."""
        if self.leaving is not None:
            return self
        members = {key: _ended(member) for key, member in self.members.items()}
        return attrs.evolve(self, members=members, round=frozenset(), leaving=reason)


def end_of(member: Member) -> Fate:
    """Return what becomes of *member* when it is stopped for good."""
    return Fate.REMOVE if member.is_temporary else Fate.STOP


def _ended(member: Member) -> Member:
    if member.has_process:
        return attrs.evolve(member, fate=end_of(member))
    if member.phase is Phase.RESTARTING:
        return attrs.evolve(member, phase=Phase.STOPPED)
    return member


def group_of_one(key: int, child: ChildOptions, options: SupervisorOptions) -> Group:
    """Return the group of a plainly spawned actor: what it does too often ends itself, and nobody else."""
    return Group(options, {key: Member(key, child, trial=Trial.REMOVE)})
