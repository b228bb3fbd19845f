"""Something that somebody wants done to the process of a child."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from actors.supervision.child import ActorChild


class Settle(Protocol):
    """Answers whoever has asked."""

    def __call__(self, error: str | None = None, **facts: object) -> None:
        """Say that it is done, with *facts*, or why it cannot be."""


@attrs.frozen
class Request:
    """What is wanted.

    Attributes:
        facts: The details.
        settle: Answers whoever has asked.
        repeat: Asks again, for the next process, because this one has ended.
    """

    facts: dict[str, Any]
    settle: Settle
    repeat: Callable[[], None]


Act = Callable[[ActorChild, Request], None]
