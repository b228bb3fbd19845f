"""Workers that the tests of pools use; here, so that actor processes can import them."""

from __future__ import annotations

import asyncio
import os

from actors import Actor


class Hand(Actor):
    """A worker that says who it is."""

    def index(self) -> int:
        return self.worker_index

    def pid(self) -> int:
        return os.getpid()

    def double(self, number: int) -> int:
        return 2 * number

    async def double_later(self, number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    def divide(self, by: int) -> float:
        return 1 / by

    def pass_through(self, turnstile: str) -> int:
        fd = os.open(turnstile, os.O_RDWR)
        os.read(fd, 1)
        os.close(fd)
        return self.worker_index

    def die(self, _item: object = None) -> None:
        os.kill(os.getpid(), 9)

    def quit(self) -> None:
        self.stop()


class Indexed(Actor):
    """Knows its place from the beginning."""

    def __init__(self) -> None:
        self.known = self.worker_index

    def place(self) -> tuple[int, int]:
        return self.known, os.getpid()


class Brittle(Actor):
    """Does not start in one place."""

    def __init__(self, broken: int) -> None:
        if self.worker_index == broken:
            msg = f"place {broken} is broken"
            raise ValueError(msg)
