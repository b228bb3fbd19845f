"""What probes stand in for, and actors whose time tests move."""

from __future__ import annotations

import os
from typing import Protocol

from actors import Actor, ActorRef, ExitReason


class Shelf(Protocol):
    """Where goods are put."""

    def put(self, good: str, count: int = 1) -> None:
        """Put some there."""

    async def count(self, good: str) -> int:
        """Return how many there are."""
        ...


class Till(Actor):
    """An actor with hooks that must not run in its stand-in."""

    def __init__(self, account: str) -> None:
        self.account = account

    def on_start(self) -> None:
        """Fail."""
        raise RuntimeError("no till without a drawer")

    def on_stop(self, reason: ExitReason) -> None:
        """Fail."""
        raise RuntimeError(str(reason))

    def pay(self, amount: int, currency: str = "EUR") -> int:
        """Take money."""
        raise NotImplementedError(f"{amount} {currency}")


class Clerk(Actor):
    """Puts goods on shelves."""

    def __init__(self, shelf: ActorRef[Shelf]) -> None:
        self.shelf = shelf

    async def refill(self, good: str, wanted: int) -> int:
        """Put as many there as are missing."""
        missing = wanted - await self.shelf.ask(Shelf.count, good)
        if missing > 0:
            self.shelf.tell(Shelf.put, good, missing)
        return missing


class Watchman(Actor):
    """Makes a round every ten minutes."""

    def __init__(self) -> None:
        self.rounds = 0
        self.is_alarmed = False
        self.every(600, Watchman.go_round)

    def go_round(self) -> None:
        """Look after everything."""
        self.rounds += 1

    def watch_in(self, seconds: float) -> None:
        """Be alarmed later."""
        self.after(seconds, Watchman.be_alarmed)

    def be_alarmed(self) -> None:
        """Wake up."""
        self.is_alarmed = True

    def seen(self) -> tuple[int, bool]:
        """Return the number of rounds, and whether there was an alarm."""
        return self.rounds, self.is_alarmed

    def pid(self) -> int:
        """Return the number of the process."""
        return os.getpid()
