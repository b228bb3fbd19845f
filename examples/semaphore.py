"""Permits that come back when their holder dies.

    python examples/semaphore.py [--kills N]

Six workers share two permits, and those who hold one are killed again and again.
The semaphore watches its workers: it hears of each death, and gives the permit to the next who waits.
A worker makes itself known before it asks for a permit: what is heard of a death comes after all that the dead process had sent,
so that no permit can be given to somebody of whose death the semaphore has heard already.

    permits       rest_for_one
    ├── semaphore has the permits in its memory: its successor begins with all of them
    └── workers   one_for_one: so that a worker dies alone, and all begin anew with the semaphore
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import attrs

import actors
from actors import Actor, ActorRef, ActorSystem, Notice, options

WORKERS, PERMITS = 6, 2
WORK_SECONDS = 0.002


@attrs.frozen
class State:
    """Where the permits are."""

    free: int
    holders: tuple[ActorRef[Any], ...]
    given: int
    inherited: int  # from the dead


class Semaphore(Actor):
    """Has so many permits, and knows who holds one."""

    concurrency = 64  # more than can wait: who gives a permit back must get through

    def __init__(self, permits: int) -> None:
        self.free = permits
        self.given = 0
        self.inherited = 0
        self.known: set[ActorRef[Any]] = set()
        self.holders: list[ActorRef[Any]] = []
        self.waiting: deque[tuple[ActorRef[Any], asyncio.Event]] = deque()

    def know(self, worker: ActorRef[Any]) -> None:
        """Hear of the deaths of *worker* from now on."""
        if worker not in self.known:
            self.known.add(worker)
            self.watch(worker, Semaphore.hear, level="incarnation")

    async def acquire(self, worker: ActorRef[Any]) -> None:
        """Return when *worker* has a permit."""
        turn = asyncio.Event()
        self.waiting.append((worker, turn))
        self._give()
        await turn.wait()

    def release(self, worker: ActorRef[Any]) -> None:
        """Take back the permit of *worker*, if it has one."""
        if worker in self.holders:
            self.holders.remove(worker)
            self.free += 1
            self._give()

    def _give(self) -> None:
        while self.free and self.waiting:
            worker, turn = self.waiting.popleft()
            self.free -= 1
            self.given += 1
            self.holders.append(worker)
            turn.set()

    def hear(self, notice: Notice) -> None:
        """Take what a dead process had, and its place among those who wait."""
        for worker, turn in list(self.waiting):
            if worker == notice.ref:
                self.waiting.remove((worker, turn))
                turn.set()  # nobody hears of it any more
        self.inherited += notice.ref in self.holders
        self.release(notice.ref)

    def state(self) -> State:
        """Return where the permits are."""
        return State(self.free, tuple(self.holders), self.given, self.inherited)


class Worker(Actor):
    """Works whenever it has a permit."""

    def __init__(self, semaphore: ActorRef[Semaphore]) -> None:
        self.semaphore = semaphore.within(None)
        self.start_task(self._work())

    async def _work(self) -> None:
        await self.semaphore.ask(Semaphore.know, self.ref)
        while True:
            await self.semaphore.ask(Semaphore.acquire, self.ref)
            await asyncio.sleep(WORK_SECONDS)
            await self.semaphore.tell(Semaphore.release, self.ref)


def program(kills: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return a main function that kills those who hold a permit *kills* times."""

    async def main() -> None:
        semaphore = options(id="semaphore").child(Semaphore, PERMITS)
        workers = [
            options(id=f"worker-{number}").child(Worker, semaphore.ref)
            for number in range(WORKERS)
        ]
        crew = options(id="workers", intensity=kills + WORKERS).supervisor(*workers)
        async with ActorSystem("permits", drain=0) as system:
            settings = system.options(name="permits", strategy="rest_for_one")
            tree = await settings.supervise(semaphore, crew)
            permits = tree.ref(semaphore)
            for _ in range(kills):
                await (await holder(permits)).signal(signal.SIGKILL)
            state = await permits.ask(Semaphore.state)
            print(f"permits given: {state.given}, to workers killed {kills} times")
            print(f"inherited from the dead: {state.inherited}")

            for worker in workers:  # whoever still holds one gives it back by its end
                await tree.ref(crew).stop_child(worker.settings.id)
            state = await permits.ask(Semaphore.state)
            print(f"lost: {PERMITS - state.free} of {PERMITS}")

    return main


async def holder(permits: ActorRef[Semaphore]) -> ActorRef[Any]:
    """Return somebody who holds a permit."""
    while not (holders := (await permits.ask(Semaphore.state)).holders):  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(WORK_SECONDS)
    return random.choice(holders)  # noqa: S311 - no secret


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill those who hold a permit.")
    parser.add_argument("--kills", type=int, default=20, help="how many times (20)")
    actors.run(program(parser.parse_args().kills))
