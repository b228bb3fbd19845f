"""The actor of a rehearsal: nothing imports this module before, as nothing has imported a user's."""

from __future__ import annotations

from actors.actor import Actor


class Understudy(Actor):
    """Does nothing."""

    def answer(self) -> None:
        """Answer with nothing."""
