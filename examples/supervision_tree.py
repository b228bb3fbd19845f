"""A small shop under supervisors: who restarts whom is visible, in the processes and in what is printed.

python examples/supervision_tree.py

shop              one_for_one
├── till          remembers nothing that a restart would lose
└── stock         rest_for_one: who comes later works with what comes earlier
├── shelf     holds the goods
└── clerk     asks the shelf
"""

from __future__ import annotations

import asyncio
import os
import signal

import actors
from actors import Actor, ActorRef, ActorSystem, SupervisorRef, options


class Till(Actor):
    """Takes money."""

    def total(self, prices: list[int]) -> int:
        """Return the sum of *prices*."""
        return sum(prices)


class Shelf(Actor):
    """Holds goods; a delivery that makes no sense is a crash."""

    def __init__(self) -> None:
        self.goods = {"tea": 10}

    def put(self, good: str, count: int) -> None:
        """Add *count* of *good*."""
        if count < 0:
            raise ValueError(f"{count} of {good} delivered")
        self.goods[good] = self.goods.get(good, 0) + count

    def take(self, good: str) -> int:
        """Take one of *good*, and return how many are left."""
        self.goods[good] -= 1
        return self.goods[good]


class Clerk(Actor):
    """Fetches what customers want from the shelf that was there when the clerk came."""

    def __init__(self, shelf: ActorRef[Shelf]) -> None:
        self.shelf = shelf

    async def fetch(self, good: str) -> int:
        """Return how many of *good* are left."""
        return await self.shelf.ask(Shelf.take, good)


async def show(name: str, supervisor: SupervisorRef, depth: int = 0) -> None:
    """Print a supervisor's children."""
    counts = await supervisor.counts()
    print(f"{'    ' * depth}{name}: {counts.active} of {counts.specs} run")
    for child in await supervisor.children():
        print(f"{'    ' * (depth + 1)}{child.id}: life {child.incarnation}")


async def main() -> None:
    """Run the shop, break it, and look."""
    till = options(name="till").child(Till)
    shelf = options(name="shelf").child(Shelf)
    clerk = options(name="clerk").child(Clerk, shelf.ref)
    stock = options(name="stock", strategy="rest_for_one").supervisor(shelf, clerk)
    async with ActorSystem("shop", drain=0) as system:
        shop = await system.options(name="shop").supervise(till, stock)
        print(f"left: {await shop.ref(clerk).ask(Clerk.fetch, 'tea')}")

        await shop.ref(shelf).tell(Shelf.put, "tea", -1)
        await lives(shop.ref(stock), [2, 2])
        print(f"left: {await shop.ref(clerk).ask(Clerk.fetch, 'tea')}")
        await show("stock", shop.ref(stock))

        (_, supervisor) = await shop.children()
        assert supervisor.pid is not None  # noqa: S101 - it runs
        os.kill(supervisor.pid, signal.SIGKILL)
        await lives(shop, [1, 2])
        print(f"left: {await shop.ref(clerk).ask(Clerk.fetch, 'tea')}")
        print(f"sum: {await shop.ref(till).ask(Till.total, [3, 4])}")
        await show("shop", shop)


async def lives(supervisor: SupervisorRef, expected: list[int]) -> None:
    """Wait until the children of *supervisor* run, each in this one of its lives."""
    while [  # noqa: ASYNC110 - nobody tells of it
        child.incarnation
        for child in await supervisor.children()
        if child.phase == "running"
    ] != expected:
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    actors.run(main)
