"""The actor that sends to the one that is measured."""

from __future__ import annotations

from actors import Actor, ActorRef
from tests.bench.echo import Echo
from tests.bench.measuring import BATCH, laps, run_on


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
