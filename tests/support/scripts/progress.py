"""A program that maps with progress, while workers print and one of them dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

from actors import Actor, ActorSystem

ITEMS = 60


class Worker(Actor):
    def work(self, item: int) -> int:
        sys.stdout.write(f"item {item}\n")
        os.write(2, f"half {item}".encode())
        time.sleep(0.01)  # noqa: TID251 - work
        os.write(2, b" whole\n")
        if item == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 40:
            msg = "no good"
            raise ValueError(msg)
        return item


async def in_a_loop() -> None:
    async with ActorSystem() as system:
        pool = await system.options(size=2, name="pool").pool(Worker)
        results = pool.map(
            Worker.work, range(ITEMS), progress=True, return_exceptions=True
        )
        async for result in results:
            if result == 30:
                sys.stdout.write("the program prints\n")


def without_a_loop() -> None:
    with ActorSystem() as system:
        pool = system.options(size=2, name="pool").pool(Worker).result()
        results = pool.map(
            Worker.work, range(ITEMS), progress=True, return_exceptions=True
        )
        for result in results:
            if result == 30:
                sys.stdout.write("the program prints\n")


if __name__ == "__main__":
    if sys.argv[1] == "loop":
        asyncio.run(in_a_loop())
    else:
        without_a_loop()
