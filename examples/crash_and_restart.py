"""What a crash costs: one message, the state of one process, and some milliseconds.

    python examples/crash_and_restart.py [--crashes N]

An actor counts messages and crashes in between, each time in another way.
Its mailbox outlives it, so all that was queued is handled by the next process, in order.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

import actors
from actors import Actor, ActorCrashedError, ActorRef, ActorSystem, handler, options

WAYS = ("an exception", "SIGKILL", "SIGSEGV", "os._exit")


class Counter(Actor):
    """Counts in memory, and loses its count with its process."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> tuple[int, int]:
        """Return the process and how much it has counted."""
        self.count += 1
        return os.getpid(), self.count

    @handler(on_error="crash")
    def crash(self, way: str) -> None:
        """End the process."""
        if way == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        if way == "SIGSEGV":
            os.kill(os.getpid(), signal.SIGSEGV)
        if way == "os._exit":
            os._exit(1)
        raise ValueError("told to")


async def crash(counter: ActorRef[Counter], way: str) -> None:
    """Crash *counter* with five messages queued behind, and print what became of them."""
    before, _ = await counter.ask(Counter.add)
    started = time.perf_counter()
    crashing = counter.ask(Counter.crash, way)
    queued = [counter.ask(Counter.add) for _ in range(5)]
    try:
        await crashing
    except ActorCrashedError as error:
        print(f"{way}: {error.reason}")
    except ValueError as error:  # a handler can still say what it failed with
        print(f"{way}: {error}")
    after = [await each for each in queued]
    took = (time.perf_counter() - started) * 1000
    moved = sum(pid != before for pid, _ in after)
    print(
        f"    answered: {len(after)} of 5, {moved} of them by the next process; {took:.0f} ms"
    )


def program(crashes: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return a main function that crashes *crashes* times."""

    async def main() -> None:
        spec = options(name="counter").child(Counter)
        async with ActorSystem("crashes") as system:
            settings = system.options(name="all", intensity=crashes)
            supervisor = await settings.supervise(spec)
            counter = supervisor.ref(spec)
            for number in range(crashes):
                await crash(counter, WAYS[number % len(WAYS)])
            await counter.ask(Counter.add)
            print(f"lives: {(await supervisor.children())[0].incarnation}")

    return main


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Show what a crash costs.")
    parser.add_argument("--crashes", type=int, default=4, help="how many (4)")
    actors.run(program(parser.parse_args().crashes))
