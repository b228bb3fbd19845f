"""Who there is in a system: children of all its supervisors, by number and by name, and why those have ended that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from actors.exits import ExitReason
from actors.supervision.child import ActorChild, Child


class Census:
    """The children of one system."""

    def __init__(self, recall: Callable[[int], ExitReason]) -> None:
        """Count nobody yet; *recall* returns why a child has ended that is none any more."""
        self.children: dict[int, Child] = {}
        self.names: dict[str, int] = {}
        self._recall = recall

    def add(self, child: Child) -> None:
        """Take note of *child*."""
        self.children[child.number] = child
        child.branch.kids[child.number] = child
        home = child.branch.home
        if home is not None and isinstance(child, ActorChild):
            home.spawned[child.number] = child
        if child.options.name is not None:
            self.names[child.options.name] = child.number

    def remove(self, child: Child) -> None:
        """Forget *child*, which has ended for good."""
        del child.branch.kids[child.number]
        if child.branch.home is not None:
            child.branch.home.spawned.pop(child.number, None)
        child.branch.static.pop(child.number, None)
        del self.children[child.number]
        if child.options.name is not None:
            del self.names[child.options.name]

    def incarnation(self, number: int, incarnation: int) -> Child | None:
        """Return the child whose process this is about; None when that is over."""
        child = self.children.get(number)
        if child is None or child.incarnation != incarnation or not child.is_alive:
            return None
        return child

    def living(self, number: int) -> Child | None:
        """Return the child that has a process or is about to have one."""
        child = self.children.get(number)
        return None if child is None or child.is_down else child

    def living_actor(self, number: int) -> ActorChild | None:
        """Return the actor that has a process or is about to have one."""
        child = self.living(number)
        return child if isinstance(child, ActorChild) else None

    def actors(self) -> Iterator[ActorChild]:
        """Yield the actors, those without a process as well."""
        for child in self.children.values():
            if isinstance(child, ActorChild):
                yield child

    def reason_of(self, number: int) -> ExitReason:
        """Return why *number* has ended, as far as it is remembered."""
        child = self.children.get(number)
        reason = None if child is None else child.reason
        return reason or self._recall(number)
