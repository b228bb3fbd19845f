"""One child of a supervisor: its specification, its life so far, and who waits for it."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable

import attrs

from actors.exits import ExitReason
from actors.options import Options
from actors.runtime.process import Arguments
from actors.supervision.estate import Estate
from actors.supervision.intensity import Window
from actors.wire.frame import Header

MAX_LISTED = 4  # kinds of messages that one line of a log names
Asker = tuple[int, int]  # process number of the lane, and correlation id


class State(enum.Enum):
    """Where a child is in its life; the words are OTP's."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    CLEANING = "cleaning"  # dead, but processes it left behind are not gone yet
    ENDED = "ended"


class Goal(enum.Enum):
    """What shall become of a child after the death that was asked for."""

    END = "end"
    RESTART = "restart"


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
    state: State = State.STARTING
    incarnation: int = 0
    restarts: int = 0
    pid: int = 0
    pidfd: int = -1
    goodbye_fd: int = -1
    born: float = 0.0
    window: Window = attrs.field(factory=Window)
    goal: Goal | None = None
    cause: ExitReason | None = None  # recorded before we send a signal that kills
    reason: ExitReason | None = None  # of the last death
    hands: list[Header] = attrs.field(factory=list)  # what it had in hand then
    strays: dict[int, int] = attrs.field(factory=dict)  # pid to pidfd
    is_unkillable: bool = (
        False  # SIGKILL has not ended it: nobody waits for it any more
    )
    spawner: Asker | None = None  # waits for the first incarnation to be ready
    # What is to be done to the next process that is ready, and who waits for it.
    when_ready: list[tuple[Asker, Callable[[], None]]] = attrs.field(factory=list)
    restarters: list[Asker] = attrs.field(factory=list)  # wait for the next one
    mourners: list[Asker] = attrs.field(factory=list)  # wait for the end

    @property
    def marker(self) -> str:
        """What identifies the incarnation in an environment."""
        return f"{self.estate.directory.path.name}/{self.number}.{self.incarnation}"

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
