"""Which actors die together.

Pure.
A link holds between two incarnations and ends with either; each end says whether its actor is ended with the other, or wants to be told.

Source: ``link/1`` and ``process_flag(trap_exit, true)`` of Erlang/OTP, there for all links of a process at once.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Tie:
    """One end of a link.

    Attributes:
        number: Whose.
        link: What its actor knows it by; 0 where only the other has asked for the link.
        method: What is to be called when the other dies; None: the actor is ended.
    """

    number: int
    link: int = 0
    method: str | None = None


class Links:
    """The links of one system."""

    def __init__(self) -> None:
        # By actor, and by whom it is linked with: the end of the former. What is in one place is in the other.
        self._ties: dict[int, dict[int, Tie]] = {}

    def add(self, tie: Tie, other: int) -> None:
        """Link the actor of *tie* with *other*; where they are linked already, only the end of the first is changed."""
        self._ties.setdefault(tie.number, {})[other] = tie
        self._ties.setdefault(other, {}).setdefault(tie.number, Tie(other))

    def remove(self, number: int, link: int) -> None:
        """Undo what actor *number* knows as *link*, on both sides."""
        for other, tie in list(self._ties.get(number, {}).items()):
            if tie.link == link:
                self._cut(number, other)
                self._cut(other, number)

    def take(self, number: int) -> list[Tie]:
        """Undo all links of actor *number*, which has died, and return their other ends."""
        return [self._cut(other, number) for other in self._take_ends(number)]

    def _take_ends(self, number: int) -> list[int]:
        return list(self._ties.pop(number, ()))

    def _cut(self, number: int, other: int) -> Tie:
        ties = self._ties[number]
        tie = ties.pop(other)
        if not ties:
            del self._ties[number]
        return tie
