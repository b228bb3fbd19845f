"""The actors that are measured."""

from __future__ import annotations

import os

from actors import Actor, ActorRef
from tests.bench.measuring import BATCH, laps, run_on


class Echo(Actor):
    """Does nothing, in the ways that can be measured."""

    hits = 0

    def run_on(self, core: int | None) -> None:
        """Stay on one core, if one is named."""
        run_on(core)

    def echo(self, number: int) -> int:
        """Return what came."""
        return number

    def pid(self) -> int:
        """Return the process."""
        return os.getpid()

    def hit(self, _number: int) -> None:
        """Count a message."""
        self.hits += 1

    def count(self) -> int:
        """Return how many messages came."""
        return self.hits


class Sender(Actor):
    """Sends to another actor."""

    def run_on(self, core: int | None) -> None:
        """Stay on one core, if one is named."""
        run_on(core)

    async def send(self, target: ActorRef[Echo], count: int) -> None:
        """Tell *target* *count* times; it has got the last one when this returns."""
        await tell_batches(target, count)


async def tell_batches(target: ActorRef[Echo], count: int) -> None:
    """Tell *target* *count* times, fewer when that takes too long.

    Waiting for every 100th to be accepted keeps what waits for room within the bounds of an outbox.
    """
    for _ in laps(count // BATCH):
        for number in range(BATCH - 1):
            target.tell(Echo.hit, number)
        await target.tell(Echo.hit, BATCH)
