"""Workers that take from one shared mailbox, as a pool has them."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

import attrs

from actors import Actor, ActorRef, ActorSystem, planting
from actors.options import OptionKeywords, Options
from actors.supervision.settings import split
from tests.support.gates import SECONDS
from tests.support.lives import Ledger

A = TypeVar("A", bound=Actor)


class Worker(Ledger):
    """Handles one message at a time, in either way."""

    async def linger(self, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return self.pid()

    async def await_gate(self, gate: str) -> None:
        await asyncio.to_thread(self.hold, gate)

    def measure(self, data: bytes) -> int:
        return len(data)


class Opener(Ledger):
    """Opens a mailbox for workers, and never has any."""

    def open(self) -> int:
        client, settings = self.system._opened(), split(Options())
        return planting.open_shared(client, settings, Worker, "crew").result()


@attrs.frozen
class Crew(Generic[A]):
    """Some workers.

    Attributes:
        everybody: Whoever of them is free.
        workers: Each of them.
        number: Of the shared mailbox.
    """

    everybody: ActorRef[A]
    workers: list[ActorRef[A]]
    number: int

    def stop(self) -> None:
        """Let all that is queued be handled, and then all of them end; wait until they have."""
        client = self.everybody._client
        assert client is not None
        for _ in self.workers:
            client.stop(self.number, self.everybody.name).result()
        for worker in self.workers:
            assert worker.ended().result(SECONDS).clean


def hire(
    system: ActorSystem, cls: type[A], size: int, *args: object, **options: object
) -> Crew[A]:
    """Start *size* workers of class *cls* with a mailbox for all of them."""
    client = system._opened()
    keywords: OptionKeywords = {**options}  # type: ignore[typeddict-item]  # as the test has them
    settings = split(Options.from_keywords(keywords))
    number = planting.open_shared(client, settings, cls, "crew").result()
    starting = [
        planting.spawn(client, settings, cls, args, {}, label=f"crew-{index}", shared=number)
        for index in range(size)
    ]  # fmt: skip
    workers = [each.result().within(SECONDS) for each in starting]
    path = str(client.directory.path)
    return Crew(ActorRef(client, path, number, "crew", cls, SECONDS), workers, number)
