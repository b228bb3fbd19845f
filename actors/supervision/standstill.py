"""Showing the children of a supervisor which questions between them cannot be answered in time; see ``progress.standstill``."""

from __future__ import annotations

from actors.runtime import status
from actors.supervision import progress
from actors.supervision.child import ActorChild, Branch


def show(branch: Branch) -> None:
    """Write it into the status pages of those in *branch*, where it has changed."""
    before, found = branch.standstill, progress.standstill(branch.group)
    if found == before:
        return
    branch.standstill = found
    mark = branch.key + 1
    # Of many children, one start changes two.
    changed = (
        branch.kids.keys()
        if before is None
        else (found.holding ^ before.holding) | (found.down ^ before.down)
    )
    for number in changed:
        child = branch.kids.get(number)
        if isinstance(child, ActorChild):
            words = child.estate.page.words
            words[status.HOLDS_UP] = mark if number in found.holding else 0
            words[status.HELD_UP] = mark if number in found.down else 0
