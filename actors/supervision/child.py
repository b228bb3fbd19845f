"""One child of a supervisor: its specification, its life so far, and who waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from actors.exits import ExitReason
from actors.options import Options
from actors.runtime.process import GOODBYE_BYTES, Arguments
from actors.supervision.estate import Estate
from actors.supervision.group import Fate, Group, Member, Phase
from actors.supervision.hangs import Limits
from actors.wire.frame import Header

MAX_LISTED = 4  # kinds of messages that one line of a log names
Asker = tuple[int, int]  # process number of the lane, and correlation id


@attrs.define(eq=False)
class Child:
    """A plainly spawned actor."""

    number: int
    label: str  # the name, or the class and number
    class_name: str
    classes: list[str]  # names of the class and its bases, for typed look-ups
    options: Options
    arguments: Arguments
    estate: Estate
    group: Group  # of this one alone
    limits: Limits
    resources: dict[str, Any]  # what the kernel allows it: attributes of ``Resources``
    incarnation: int = 0
    restarts: int = 0
    pid: int = 0
    pidfd: int = -1
    goodbye_fd: int = -1
    dump_at: int = GOODBYE_BYTES  # where in it faulthandler writes next
    born: float = 0.0
    kills_at_birth: int = 0  # for lack of memory, in our cgroup
    ready_at: float | None = None  # None while this incarnation is not ready
    cause: ExitReason | None = None  # recorded before we send a signal that kills
    reason: ExitReason | None = None  # of the last death
    hands: list[Header] = attrs.field(factory=list)  # what it had in hand then
    kept: list[Header] = attrs.field(factory=list)  # of that, what is tried again
    # By sender, question and time sent: what the process has died of with it in hand.
    deaths: dict[tuple[int, int, int], list[ExitReason]] = attrs.field(factory=dict)
    poison: dict[tuple[int, int, int], int] = attrs.field(factory=dict)  # likewise: ids
    strays: dict[int, int] = attrs.field(factory=dict)  # pid to pidfd
    is_leaving: bool = False  # its process ends by itself
    is_unkillable: bool = (
        False  # SIGKILL has not ended it: nobody waits for it any more
    )
    spawner: Asker | None = None  # waits for the first incarnation to be ready
    # What is to be done to the next process that is ready, and who waits for it.
    when_ready: list[tuple[Asker, Callable[[], None]]] = attrs.field(factory=list)
    restarters: list[Asker] = attrs.field(factory=list)  # wait for the next one
    mourners: list[Asker] = attrs.field(factory=list)  # wait for the end

    @property
    def member(self) -> Member | None:
        """Where it is in its life, and what is to become of it; None once it is to be forgotten."""
        return self.group.members.get(self.number)

    @property
    def fate(self) -> Fate | None:
        """What becomes of it at its next death, where that is settled."""
        return None if self.member is None else self.member.fate

    @property
    def is_running(self) -> bool:
        """Whether its process is ready, and nobody has asked it to end."""
        return self.member is not None and self.member.phase is Phase.RUNNING

    @property
    def marker(self) -> str:
        """What identifies the incarnation in an environment."""
        return f"{self.estate.directory.path.name}/{self.number}.{self.incarnation}"

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
