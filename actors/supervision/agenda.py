"""The groups that there is something to be decided about."""

from __future__ import annotations

from actors.supervision.child import Branch


class Agenda:
    """Branches, each once, until they are taken."""

    def __init__(self) -> None:
        self._open: dict[Branch, None] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def add(self, branch: Branch) -> None:
        """Look at *branch* again in this turn: something about its group has changed."""
        self._open[branch] = None

    def take(self) -> Branch:
        """Return one, and forget it."""
        branch, _ = self._open.popitem()
        return branch

    def drop(self, branch: Branch) -> None:
        """Nothing is to be decided about *branch* any more."""
        self._open.pop(branch, None)
