"""One worker of a pool, as the process that made the pool knows it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from actors.pending import WAITING, Pending
from actors.ref import ActorRef

A = TypeVar("A")


class Worker(Generic[A]):
    """An actor with a place in a pool.

    Attributes:
        ref: Its address.
        number: Of its mailbox.
        index: Its place.
    """

    __slots__ = ("_finished", "_open", "index", "number", "ref")

    def __init__(self, ref: ActorRef[A], number: int, index: int) -> None:
        self.ref = ref
        self.number = number
        self.index = index
        self._open: set[Pending[Any]] = set()
        self._finished = self._open.discard

    def __repr__(self) -> str:
        return f"<Worker {self.index}: {self.ref.name}>"

    @property
    def outstanding(self) -> int:
        """How many asks of this process it has not answered."""
        return len(self._open)

    def follow(self, pending: Pending[Any]) -> None:
        """Count *pending*, which nobody waits for yet, as outstanding until it is settled."""
        # A set: its steps are one each for other threads, where a count would drift.
        self._open.add(pending)
        pending.wakers = [lambda: self._finished(pending)]
        if pending.state != WAITING:
            self._finished(pending)
