"""Actor classes that the other files here use, written as a user would write them."""

from __future__ import annotations

import asyncio
from typing import Protocol

from actors import Actor, ActorRef, ExitReason, Terminated, handler


class Adder(Protocol):
    """An interface: whatever has this method can be meant."""

    def add(self, amount: int) -> int: ...


class Counter(Actor):
    concurrency = 4
    on_error = "continue"

    def __init__(self, start: int = 0, *, step: int = 1) -> None:
        self.value = start
        self.step = step

    def on_start(self) -> None:
        self.every(60.0, Counter.add, self.step)

    def on_stop(self, reason: ExitReason) -> None:
        self.log.info("counted", value=self.value, reason=str(reason))

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    async def add_later(self, amount: int, delay: float = 0.0) -> int:
        await asyncio.sleep(delay)
        return self.add(amount)

    @handler(on_error="crash")
    def add_or_crash(self, amount: int) -> int:
        return self.add(amount)

    @handler(on_error="crash")
    async def add_later_or_crash(self, amount: int) -> int:
        return self.add(amount)


class LoudCounter(Counter):
    def shout(self) -> str:
        return f"{self.value}!"


class Sleeper(Actor):
    async def on_start(self) -> None:
        await asyncio.sleep(0)

    async def on_stop(self, reason: ExitReason) -> None:
        await asyncio.sleep(0)
        self.log.info("slept", reason=str(reason))


class Greeter(Actor):
    def __init__(self, friend: ActorRef[Counter] | None = None) -> None:
        self.friend = friend

    def greet(self, name: str) -> str:
        return f"hello {name}"

    def befriend(self, friend: ActorRef[Counter]) -> None:
        self.friend = friend


class WatcherOfEnds(Actor):
    def over(self, end: Terminated) -> None:
        self.log.info("over", reason=end.reason)
