"""A fast producer and a slow consumer with a bounded buffer between them: the consumer's mailbox.

    python examples/producer_consumer.py [--items N]

The producer awaits every tell, which waits when the mailbox is full, so it goes no faster than the consumer
and memory stays bounded.  Half way the consumer gets faster, and the producer with it.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import attrs

import actors
from actors import Actor, ActorRef, ActorSystem

BUFFER_BYTES = 4096  # the smallest mailbox
SLOW_SECONDS, FAST_SECONDS = 0.004, 0.0005  # of work for one item
PACE_SECONDS = 0.2  # between two lines


class Consumer(Actor):
    """Works for a while on each item."""

    def __init__(self) -> None:
        self.seconds = SLOW_SECONDS
        self.items: list[int] = []

    def take(self, item: int) -> None:
        """Work on *item*."""
        time.sleep(self.seconds)  # noqa: TID251 - stands for work
        self.items.append(item)

    def hurry(self) -> None:
        """Work faster from now on."""
        self.seconds = FAST_SECONDS

    def taken(self) -> int:
        """Return how many items have been worked on."""
        return len(self.items)

    def is_in_order(self) -> bool:
        """Return whether they came in the order in which they were sent."""
        return self.items == list(range(len(self.items)))


@attrs.define
class Producer:
    """Sends as fast as the consumer's mailbox lets it."""

    consumer: ActorRef[Consumer]
    sent: int = 0
    waited: float = 0.0  # seconds

    async def run(self, items: int) -> None:
        """Send *items* numbers."""
        for item in range(items):
            if item == items // 2:
                await self.consumer.tell(Consumer.hurry)
            began = time.perf_counter()
            await self.consumer.tell(Consumer.take, item)
            self.waited += time.perf_counter() - began
            self.sent += 1


async def main() -> None:
    """Run both, and print how far each has come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=800, metavar="N")
    items = parser.parse_args().items
    async with ActorSystem() as system:
        consumer = await system.options(mailbox_bytes=BUFFER_BYTES).spawn(Consumer)
        producer = Producer(consumer)
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(producer.run(items))
            while not run.done():
                await asyncio.wait([run], timeout=PACE_SECONDS)
                taken = await consumer.ask(Consumer.taken)
                print(
                    f"{time.perf_counter() - began:4.1f} s  produced {producer.sent:5}  consumed {taken:5}"
                    f"  between them {producer.sent - taken:3}  producer waited {producer.waited:4.1f} s",
                    flush=True,
                )
        taken = await consumer.ask(Consumer.taken)
        is_in_order = await consumer.ask(Consumer.is_in_order)
        print(f"lost: {items - taken}, in order: {'yes' if is_in_order else 'no'}")


if __name__ == "__main__":
    actors.run(main)
