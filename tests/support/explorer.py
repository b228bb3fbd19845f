"""Every state that a model can reach, one after the other: a small explicit-state model checker.

A model is a function from a state to the states that may come next.
Breadth first, so that the trace of what is wrong is as short as any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

import attrs

S = TypeVar("S", bound=Hashable)


@attrs.frozen
class Exploration(Generic[S]):
    """What was found: nothing wrong in any of *states*, or *wrong* at the end of *trace*."""

    states: int
    wrong: str | None = None
    trace: tuple[str, ...] = ()


def explore(
    first: S,
    steps: Callable[[S], Iterable[tuple[str, S]]],
    wrong: Callable[[S, bool], str | None],
    stays_away: Callable[[str], bool] = lambda _name: False,
) -> Exploration[S]:
    """Visit every state that *first* leads to.

    Args:
        first: Where everything begins.
        steps: Yields the name of each thing that may happen next, and the state after it.
        wrong: Says what is wrong with a state, if anything; told whether it is an end, from which nothing leads on.
        stays_away: Returns whether what has this name may never happen: if nothing else can, that is an end too.
    """
    came_from: dict[S, tuple[str, S] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        is_end = True
        for name, after in steps(state):
            is_end = is_end and stays_away(name)
            if after not in came_from:
                came_from[after] = name, state
                waiting.append(after)
        problem = wrong(state, is_end)
        if problem is not None:
            return Exploration(len(came_from), problem, _trace(state, came_from))
    return Exploration(len(came_from))


def _trace(state: S, came_from: dict[S, tuple[str, S] | None]) -> tuple[str, ...]:
    names = []
    while (step := came_from[state]) is not None:
        name, state = step
        names.append(name)
    return tuple(reversed(names))
