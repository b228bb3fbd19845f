"""A supervisor without processes: it does at once what its group says, and writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from actors.exits import ExitKind, ExitReason
from actors.supervision import administration, progress, strategy
from actors.supervision.administration import Outcome
from actors.supervision.group import Group, Phase
from actors.supervision.progress import Leave, Start, Stop
from actors.supervision.settings import ChildOptions, SupervisorOptions
from actors.supervision.strategy import Death

CRASH = ExitReason(ExitKind.EXCEPTION, exc_type="ValueError", message="broken")
NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN, requested=True)
KILLED = ExitReason(ExitKind.SIGNAL, signal="SIGKILL")
LONG = 1000.0


class Tree:
    """One supervisor whose children are called a, b, c, …

    ``log`` holds what it did: ``+a`` for a start, ``-a`` for a stop.
    A child is ready as soon as it is started, and gone as soon as it is stopped, unless it is told to be slow.
    """

    def __init__(
        self,
        *children: str | dict[str, Any],
        slow_to_start: str = "",
        slow_to_stop: str = "",
        **options: Any,  # noqa: ANN401 - as in SupervisorOptions
    ) -> None:
        """Start children given by their restart type, or by all their options."""
        self.slow_to_start = slow_to_start
        self.slow_to_stop = slow_to_stop
        self.now = 100.0
        self.log: list[str] = []
        self.left: ExitReason | None = None
        settings: list[Mapping[str, Any]] = [
            {"restart": c} if isinstance(c, str) else c for c in children
        ]
        self.group = Group.of(
            SupervisorOptions(**options),
            {
                key: ChildOptions(**cast("Any", {"id": chr(ord("a") + key), **setting}))
                for key, setting in enumerate(settings)
            },
        )
        self.advance()

    # What happens.

    def die(
        self,
        names: str,
        reason: ExitReason = CRASH,
        *,
        lived: float | None = LONG,
        **facts: Any,  # noqa: ANN401 - as in Death
    ) -> None:
        """Let several children die at once."""
        deaths = [Death(self.key(name), reason, lived, **facts) for name in names]
        self.group = strategy.died(self.group, deaths, self.now)
        self.advance()

    def batch(self, **reasons: ExitReason) -> None:
        """Let several children die at once of different things."""
        deaths = [Death(self.key(name), reasons[name], LONG) for name in reasons]
        self.group = strategy.died(self.group, deaths, self.now)
        self.advance()

    def fail(self, name: str, reason: ExitReason = CRASH) -> None:
        """Let the start of a child fail."""
        self.die(name, reason, lived=None)

    def ready(self, name: str) -> None:
        """Let a slow child become ready."""
        self.group = progress.ready(self.group, self.key(name))
        self.advance()

    def gone(self, name: str, reason: ExitReason = SHUTDOWN) -> None:
        """Let a child that is slow to stop be gone."""
        self.die(name, reason)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.advance()

    def ask(self, what: str, name: str) -> str:
        """Ask for something, and return the answer."""
        if what == "start_child":
            options = ChildOptions(id=name)
            key = max(self.group.members, default=-1) + 1
            outcome = administration.start_child(self.group, key, options)
        else:
            request = getattr(administration, what)
            outcome = request(self.group, self.key(name))
        return self._take(outcome)

    def _take(self, outcome: Outcome) -> str:
        self.group, reply = outcome
        self.advance()
        return str(reply)

    def leave(self, reason: ExitReason = SHUTDOWN) -> None:
        """End the supervisor."""
        self.group = self.group.ending(reason)
        self.advance()

    def advance(self) -> None:
        """Do what there is to do until there is no more."""
        while True:
            self.group, actions = progress.advance(self.group, self.now)
            for action in actions:
                if isinstance(action, Leave):
                    self.left = action.reason
                    return
                self._do(action)
            if not actions:
                return

    def _do(self, action: Start | Stop) -> None:
        name = self.name(action.key)
        if isinstance(action, Start):
            self.log.append(f"+{name}")
            if name not in self.slow_to_start:
                self.group = progress.ready(self.group, action.key)
            return
        self.log.append(f"-{name}")
        if name not in self.slow_to_stop:
            death = Death(action.key, SHUTDOWN, LONG)
            self.group = strategy.died(self.group, [death], self.now)

    # What can be seen.

    def key(self, name: str) -> int:
        """Return the key of a child."""
        members = self.group.members.values()
        return next((m.key for m in members if m.options.id == name), -1)

    def name(self, key: int) -> str:
        """Return the id of a child."""
        return self.group.members[key].options.id

    def done(self) -> str:
        """Return what was done since this was asked last."""
        done, self.log = " ".join(self.log), []
        return done

    @property
    def phases(self) -> dict[str, str]:
        """Where each child is in its life."""
        return {m.options.id: str(m.phase) for m in self.group.members.values()}

    @property
    def running(self) -> str:
        """Who runs, in start order."""
        members = self.group.members.values()
        return "".join(m.options.id for m in members if m.phase is Phase.RUNNING)

    @property
    def paid(self) -> int:
        """How many restarts were counted."""
        return self.group.window.count
