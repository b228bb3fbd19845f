"""How a service ends: SIGTERM arrives while work is queued, and everything that was accepted is either done or counted.

    python examples/graceful_shutdown.py [--drain SECONDS]

A hundred orders are on their way when the program gets SIGTERM, as from ``systemctl stop`` or a container's host.
It takes no more of them, and gives the actors *drain* seconds for what is queued; what they do not manage is counted.
An actor may clean up in ``on_stop``; one that does not listen is killed when its own time is up.
Then the program dies of the signal, as whoever sent it expects.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import actors
from actors import Actor, ActorSystem, ExitReason

ORDERS = 100
SECONDS = 0.003  # of work for one order
STUBBORN_SECONDS = 0.1  # until one that does not listen is killed


class Ledger(Actor):
    """Writes orders into a file, and a last line when it is stopped."""

    def __init__(self, path: str) -> None:
        self.file = Path(path).open("a")  # noqa: SIM115 - closed in on_stop

    def write(self, order: int) -> None:
        """Write *order*."""
        time.sleep(SECONDS)  # noqa: TID251 - stands for work
        self.file.write(f"{order}\n")

    def on_stop(self, reason: ExitReason) -> None:
        """Say that nothing is missing at the end of the file."""
        self.file.write(f"closed: {reason}\n")
        self.file.close()


class Stubborn(Actor):
    """Does not care about SIGTERM."""

    def __init__(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def service(drain: float) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return a main function that serves until it is told to end."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ledger.txt"
            async with ActorSystem("orders", drain=drain) as system:
                ledger = await system.options(name="ledger").spawn(Ledger, str(path))
                impatient = system.options(name="stubborn", shutdown=STUBBORN_SECONDS)
                stubborn = await impatient.spawn(Stubborn)
                end = stubborn.ended()
                for order in range(ORDERS):
                    await ledger.tell(Ledger.write, order)
                os.kill(os.getpid(), signal.SIGTERM)
                # To leave the block in order is to drain; had the exception left it, nothing more would have been handled.
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()  # serve
                print("SIGTERM: no more orders", flush=True)
            print(f"stubborn: {await end}")
            report(path)

    return main


def report(path: Path) -> None:
    """Print what became of the orders."""
    *written, last = path.read_text().splitlines()
    in_order = written == [str(number) for number in range(len(written))]
    print(f"ledger: {last}")
    print(f"written: {len(written)}, in order: {'yes' if in_order else 'no'}")
    print(f"lost: {ORDERS - len(written)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="End a service with SIGTERM.")
    parser.add_argument("--drain", type=float, default=5.0, help="seconds (5)")
    actors.run(service(parser.parse_args().drain))
