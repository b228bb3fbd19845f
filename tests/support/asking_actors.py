"""Actors that ask each other, and may wait in a circle."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from actors import Actor, ActorRef
from tests.support.gates import wait_until

Path_ = list[ActorRef[Any]]


class Node(Actor):
    """Asks the next of a path to go on with it."""

    def __init__(self) -> None:
        self.count = 0
        self.kept: object = None
        self.result: object = None

    def hello(self) -> int:
        self.count += 1
        return self.count

    def last_result(self) -> object:
        return self.result

    async def walk(self, path: Path_) -> list[str]:
        rest = await path[0].ask(type(self).walk, path[1:]) if path else []
        return [self.ref.name, *rest]

    def walk_plain(self, path: Path_) -> list[str]:
        rest = path[0].ask(Node.walk_plain, path[1:]).result() if path else []
        return [self.ref.name, *rest]

    async def gather(self, path: Path_) -> list[str]:
        (rest,) = await asyncio.gather(path[0].ask(Node.walk, path[1:]))
        return [self.ref.name, *rest]

    def give_up(self, path: Path_, seconds: float) -> str:
        try:
            path[0].ask(Node.walk, path[1:]).result(timeout=seconds)
        except TimeoutError:
            return "gave up"
        return "answered"

    def ask_only(self, other: ActorRef[Any]) -> None:
        self.kept = other.ask(Node.hello)

    def tell_on(self, path: Path_) -> None:
        path[0].tell(Node.keep_walk, path[1:])

    async def keep_walk(self, path: Path_) -> None:
        self.result = await self.walk(path)

    def walk_in_background(self, path: Path_) -> None:
        self.start_task(self.keep_walk(path))

    def walk_in_timer(self, path: Path_) -> None:
        self.after(0, Node.catch_walk, path)

    async def catch_walk(self, path: Path_) -> None:
        try:
            self.result = await self.walk(path)
        except Exception as exc:  # noqa: BLE001 - it is what the test asks for
            self.result = str(exc)

    async def cross(self, other: ActorRef[Any], mine: str, its: str) -> int:
        Path(mine).touch()  # noqa: ASYNC240 - takes no time
        await asyncio.to_thread(wait_until, Path(its).exists, "the other handler")
        answer: int = await other.ask(Node.hello)
        return answer


class Wide(Node):
    """Handles two messages at once."""

    concurrency = 2
