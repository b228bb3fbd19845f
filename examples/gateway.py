"""A trading gateway with state: it knows when its prices are old, reloads its limits on SIGHUP, and fills each order once.

    python examples/gateway.py

Prices come from another actor, which is killed: the gateway watches it, and refuses orders until it has a price of the next process.
SIGHUP, as from ``kill -HUP``, makes it read its limits again.
Then the gateway itself is killed while orders are coming in: positions are in its journal, so the next process has them.
An order in hand at that moment may be filled or not, and nobody can tell from outside: it is sent again, and the journal knows it.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import actors
from actors import (
    Actor,
    ActorCrashedError,
    ActorRef,
    ActorSystem,
    Down,
    Notice,
    Timer,
    options,
)

TICK_SECONDS = 0.005  # between two prices
OLD_SECONDS = 2.0  # after which a price is none, whoever still lives
EXCHANGE_SECONDS = 0.002  # to confirm a fill
ORDERS = 60


class Prices(Actor):
    """Tells whoever asked for it a price again and again."""

    def __init__(self) -> None:
        self.listeners: set[ActorRef[Gateway]] = set()
        self.cents = itertools.count(10_000)
        self.every(TICK_SECONDS, Prices._tick)

    def subscribe(self, listener: ActorRef[Gateway]) -> None:
        """Tell *listener* from now on."""
        self.listeners.add(listener)

    def _tick(self) -> None:
        cents = next(self.cents)
        for listener in self.listeners:
            listener.tell(Gateway.price, cents)


class Gateway(Actor):
    """Fills orders at the last price, within a limit."""

    def __init__(self, prices: ActorRef[Prices], folder: str) -> None:
        self.prices = prices
        self.config = Path(folder) / "limit"
        self.journal = Path(folder) / "journal"
        self.cents: int | None = None
        self.why = "there was none yet"
        self.expiry: Timer | None = None
        self.filled: dict[int, str] = dict(self._read_journal())
        self._load()
        self.on_signal(signal.SIGHUP, Gateway._load)
        self.watch(prices, Gateway.hear, level="incarnation")
        prices.tell(Prices.subscribe, self.ref)

    def _read_journal(self) -> Iterator[tuple[int, str]]:
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        for line in lines:
            number, _, fill = line.partition(" ")
            yield int(number), fill

    def _load(self) -> None:
        self.limit = int(self.config.read_text())

    def price(self, cents: int) -> None:
        """Take note of a price, which is good for a while."""
        self.cents = cents
        if self.expiry is not None:
            self.expiry.cancel()
        self.expiry = self.after(OLD_SECONDS, Gateway._forget_price, "it was too old")

    def _forget_price(self, why: str) -> None:
        self.cents, self.why = None, why

    def hear(self, notice: Notice) -> None:
        """Have no price until there is a new process for it, which knows of no listeners."""
        if isinstance(notice, Down):
            self._forget_price(f"its process was {notice.reason}")
        else:
            self.prices.tell(Prices.subscribe, self.ref)

    def order(self, number: int, quantity: int) -> str:
        """Fill order *number*, once, however often it is sent; return what became of it."""
        if number in self.filled:
            return self.filled[number]
        if quantity > self.limit:
            return f"refused: {quantity} is more than {self.limit}"
        if self.cents is None:
            return f"refused: no price, {self.why}"
        self.filled[number] = fill = f"filled {quantity}"
        with self.journal.open("a") as journal:
            journal.write(f"{number} {fill}\n")
        time.sleep(EXCHANGE_SECONDS)  # noqa: TID251 - stands for the exchange
        return fill

    def fills(self) -> int:
        """Return how many orders have been filled."""
        return len(self.filled)


class Trader:
    """Sends orders, each with a number of its own."""

    def __init__(self, gateway: ActorRef[Gateway]) -> None:
        self.gateway = gateway
        self.numbers = itertools.count()
        self.repeated = 0

    async def wait_for(self, expected: str, quantity: int = 5) -> str:
        """Send one order after the other until an answer has *expected* in it, and return that."""
        while True:
            answer = await self.send(next(self.numbers), quantity)
            if expected in answer:
                return answer
            await asyncio.sleep(TICK_SECONDS)

    async def send(self, number: int, quantity: int) -> str:
        """Send an order, again if it was in hand when the process died: filled or not."""
        while True:
            try:
                return await self.gateway.ask(Gateway.order, number, quantity)
            except ActorCrashedError:
                self.repeated += 1

    async def fill(self, number: int) -> None:
        """Send an order until it is filled."""
        while not (await self.send(number, 1)).startswith("filled"):  # noqa: ASYNC110 - there is no price just now
            await asyncio.sleep(TICK_SECONDS)


async def trade(
    gateway: ActorRef[Gateway], prices: ActorRef[Prices], folder: Path
) -> None:
    """Send orders, break things, and print what becomes of it."""
    trader = Trader(gateway)
    print(await trader.wait_for("filled"))

    await prices.signal(signal.SIGKILL)
    print(await trader.wait_for("killed"))
    print(await trader.wait_for("filled"))

    print(await trader.wait_for("refused", 20))
    (folder / "limit").write_text("100")
    await gateway.signal(signal.SIGHUP)
    print(await trader.wait_for("filled", 20))

    before = await gateway.ask(Gateway.fills)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(ORDERS):
            tasks.create_task(trader.fill(next(trader.numbers)))
        await gateway.signal(signal.SIGKILL)
    after = await gateway.ask(Gateway.fills)
    journal = (folder / "journal").read_text().splitlines()
    print(f"killed with {ORDERS} orders under way; sent again: {trader.repeated}")
    print(f"filled twice: {len(journal) - after}")
    print(f"lost: {before + ORDERS - after}")


async def main() -> None:
    """Trade in a system of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "limit").write_text("10")
        prices = options(name="prices").child(Prices)
        gateway = options(name="gateway").child(Gateway, prices.ref, name)
        async with ActorSystem("trading", drain=0) as system:
            tree = await system.supervise(prices, gateway)
            await trade(tree.ref(gateway), tree.ref(prices), folder)


if __name__ == "__main__":
    actors.run(main)
