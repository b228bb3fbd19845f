"""Workers that the tests of pools use; here, so that actor processes can import them."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from actors import Actor, ActorError, Pool


class Hand(Actor):
    """A worker that says who it is."""

    def index(self) -> int:
        return self.worker_index

    def pid(self) -> int:
        return os.getpid()

    def pid_for(self, _item: object) -> int:
        return os.getpid()

    def same(self, number: int) -> int:
        return number

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

    def die_of(self, number: int, fatal: int) -> int:
        if number == fatal:
            self.die()
        return number

    def die_of_three(self, number: int) -> int:
        return self.die_of(number, 3)

    def count_up_to(self, path: str, enough: int) -> int:
        """Fail until it has been called *enough* times, in whatever process."""
        with Path(path).open("ab") as file:
            file.write(b".")
        done = Path(path).stat().st_size
        if done < enough:
            msg = f"only {done}"
            raise ConnectionError(msg)
        return done

    def die_until(self, path: str, enough: int) -> int:
        """Die until it has been called *enough* times."""
        try:
            return self.count_up_to(path, enough)
        except ConnectionError:
            self.die()
            raise

    def index_of(self, _item: object) -> int:
        return self.worker_index

    def lock(self, number: int) -> object:
        return threading.Lock() if number == 1 else number

    def die(self, _item: object = None) -> None:
        os.kill(os.getpid(), 9)

    def quit(self) -> None:
        self.stop()


class Client(Actor):
    """Uses a pool that it was sent."""

    def __init__(self, pool: Pool[Hand]) -> None:
        self.pool = pool

    async def ask(self, number: int) -> int:
        return await self.pool.ask(Hand.double, number)

    async def ask_often(self, path: str) -> int:
        patient = self.pool.options(retries=3, redeliver=True)
        return await patient.ask(Hand.die_until, path, 3)

    async def tell(self, path: str) -> None:
        await self.pool.tell(Hand.count_up_to, path, 1)

    async def map(self, count: int) -> list[int]:
        return [each async for each in self.pool.map(Hand.double, range(count))]

    def block(self, number: int) -> int:
        return self.pool.within(5).ask(Hand.double, number).result()

    async def pass_on(self, pool: Pool[Hand], number: int) -> int:
        client = await self.system.spawn(Client, pool)
        return await client.ask(Client.ask, number)

    def give(self) -> Pool[Hand]:
        return self.pool

    def use(self, name: str) -> str:
        try:
            found = getattr(self.pool, name)
            arguments = {"resize": (1,), "broadcast": (Hand.pid,)}
            found(*arguments.get(name, ()))
        except ActorError as exc:
            return str(exc)
        return ""


class Keeper(Actor):
    """Writes down what it gets for a key."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def keep(self, key: int, number: int) -> int:
        fd = os.open(
            self.folder / str(key), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        os.write(fd, b"%d\n" % number)
        os.close(fd)
        return number


class Glutton(Actor):
    """Takes more memory with each message."""

    def __init__(self) -> None:
        self.eaten: list[bytes] = []

    def eat(self, size: int) -> int:
        self.eaten.append(os.urandom(size))
        return os.getpid()

    def eat_for(self, number: int) -> int:
        self.eat(100_000)
        return number


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
