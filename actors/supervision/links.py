"""Which actors die together.

Pure.
A link holds between two incarnations and ends with either: those that there are, or the next one of an actor that is about to end.
Each end says whether its actor is ended with the other, or wants to be told.

Source: ``link/1`` and ``process_flag(trap_exit, true)`` of Erlang/OTP, there for all links of a process at once.
"""

from __future__ import annotations

import math

import attrs


@attrs.frozen
class Tie:
    """One end of a link.

    Attributes:
        number: Whose.
        link: What its actor knows it by; 0 where only the other has asked for the link.
        method: What is to be called when the other dies; None: the actor is ended.
        since: The first incarnation of the actor that the link is about; a death before that one's changes nothing.
    """

    number: int
    link: int = 0
    method: str | None = None
    since: int = 0


class Links:
    """The links of one system."""

    def __init__(self) -> None:
        # By actor, and by whom it is linked with: the end of the former. What is in one place is in the other.
        self._ties: dict[int, dict[int, Tie]] = {}

    def add(self, tie: Tie, other: int, since: int) -> None:
        """Link the actor of *tie* with *other*, from incarnation *since* of that one on.

        Where they are linked already, only the end of the first is changed.
        """
        self._ties.setdefault(tie.number, {})[other] = tie
        end = Tie(other, since=since)
        self._ties.setdefault(other, {}).setdefault(tie.number, end)

    def remove(self, number: int, link: int) -> None:
        """Undo what actor *number* knows as *link*, on both sides."""
        for other, tie in list(self._ties.get(number, {}).items()):
            if tie.link == link:
                self._cut(number, other)
                self._cut(other, number)

    def take(self, number: int, incarnation: float = math.inf) -> list[Tie]:
        """Undo the links of actor *number* that its death, in *incarnation* or for good, is about; return their other ends."""
        ends = list(self._ties.get(number, {}).items())
        over = [other for other, tie in ends if tie.since <= incarnation]
        for other in over:
            self._cut(number, other)
        return [self._cut(other, number) for other in over]

    def _cut(self, number: int, other: int) -> Tie:
        ties = self._ties[number]
        tie = ties.pop(other)
        if not ties:
            del self._ties[number]
        return tie
