"""Who has what an actor spawns: its companion, a supervisor beside it that is made when it is needed first.

What a program spawns is the root's.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.errors import SystemClosedError
from actors.supervision.child import ActorChild, Asker, Branch, Companion
from actors.supervision.group import Group, group_of_one
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.settings import (
    SUPERVISOR_DEFAULTS,
    ChildOptions,
    SupervisorOptions,
)

INCARNATION_BITS = 40  # of a correlation id, below the incarnation that has made it


class Companions:
    """Finds, and makes, the companions of one system."""

    def __init__(self, lifecycle: Lifecycle, take_number: Callable[[], int]) -> None:
        """Add them to *lifecycle*; *take_number* returns a new number."""
        self._lifecycle = lifecycle
        self._take_number = take_number

    def find(self, asker: Asker, sender: int) -> Companion | None:
        """Return who shall have what *sender* wants to start; None for the root.

        Raises:
            SystemClosedError: The actor that has asked, or all that it had, is ending.
        """
        actor = self._lifecycle.census.children.get(sender)
        if not isinstance(actor, ActorChild):
            return None
        is_over = not actor.is_alive or asker[1] >> INCARNATION_BITS < actor.incarnation
        if is_over or (actor.companion is not None and actor.companion.is_ending):
            msg = f"{actor.label}: what it has started is being stopped; nothing more is started for it"
            raise SystemClosedError(msg)
        return actor.companion or self._make(actor)

    def _make(self, actor: ActorChild) -> Companion:
        number = self._take_number()
        options = ChildOptions(
            **{**SUPERVISOR_DEFAULTS, "id": "companion", "restart": "temporary"}
        )
        limits = SupervisorOptions()
        below = Branch(number, Group(limits), None)
        group = group_of_one(number, options, limits)
        beside = Branch(number, group, actor.branch.hands)
        label = f"{actor.label}-companion"
        made = Companion(number, label, options, beside, below=below, actor=actor)
        below.owner = actor.companion = made
        self._lifecycle.add(made)
        return made
