"""Whom a companion stops next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from actors.supervision.child import ActorChild, Companion

ALONE = None


def stopped_of(*children: tuple[str | None, bool]) -> list[int]:
    """Return who of *children*, oldest first, is stopped next; each has a shared mailbox or none, and may be unkillable."""
    spawned = {
        number: SimpleNamespace(number=number, shared=shared, is_unkillable=is_stuck)
        for number, (shared, is_stuck) in enumerate(children)
    }
    companion = cast("Companion", SimpleNamespace(spawned=spawned))
    stopped: list[ActorChild] = Companion.next_to_stop(companion)
    return [child.number for child in stopped]


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ([], []),
        ([(ALONE, False)], [0]),
        ([(ALONE, False), (ALONE, False), (ALONE, False)], [2]),
        ([(ALONE, False), (ALONE, False), (ALONE, True)], [1]),
        ([(ALONE, True)], []),
        ([("pool", False), (ALONE, False), ("pool", False)], [0, 2]),
        ([("pool", False), ("other", False), ("pool", True)], [1]),
        ([("pool", False), ("pool", False), (ALONE, False)], [2]),
    ],
)
def test_the_youngest_is_stopped_next_with_all_that_share_its_mailbox(
    children: list[tuple[str | None, bool]], expected: list[int]
) -> None:
    assert stopped_of(*children) == expected
