"""A message that kills every process it is given to: tried again, put aside with the evidence, and sent once more when the cause is gone.

    python examples/poison_message.py

The printer dies of a page whose font is missing, and of one that nothing can print.
Both are tried twice and then kept in quarantine, while all other pages are printed.
The font is installed, and its page is sent again; the other one is thrown away, and is what is lost.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import actors
from actors import Actor, ActorCrashedError, ActorRef, ActorSystem, Redeliver

PAGES = ("plain", "gothic", "plain", "torn", "plain")


class Printer(Actor):
    """Prints pages into a file, and trusts a C library that does not check much."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def print_page(self, number: int, kind: str) -> str:
        """Print a page, and return what is printed."""
        if kind == "torn" or not (self.folder / f"{kind}.font").exists():
            os.kill(os.getpid(), signal.SIGSEGV)
        with (self.folder / "printed").open("a") as paper:
            paper.write(f"page {number}, {kind}\n")
        return f"page {number} is printed"


async def print_all(printer: ActorRef[Printer]) -> None:
    """Ask for all pages at once, and print what becomes of each."""
    asked = [
        printer.ask(Printer.print_page, number, kind)
        for number, kind in enumerate(PAGES)
    ]
    for number, each in enumerate(asked):
        try:
            print(await each)
        except ActorCrashedError as error:
            print(f"page {number} was tried {error.attempt} times: {error.reason}")


async def main() -> None:
    """Print, see to what was poison, and count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plain.font").touch()
        async with ActorSystem("print-shop") as system:
            settings = system.options(
                name="printer", on_crash=Redeliver(2), intensity=10
            )
            printer = await settings.spawn(Printer, name)
            await print_all(printer)

            (folder / "gothic.font").touch()
            for message in await system.quarantine.messages():
                (number, kind), _ = await system.quarantine.inspect(message)
                deaths = ", ".join(str(reason.signal) for reason in message.deaths)
                print(f"in quarantine: page {number}, {kind}; died of {deaths}")
                if kind == "torn":
                    await system.quarantine.drop(message)
                    print(f"    dropped: page {number}")
                else:
                    await system.quarantine.replay(message)
                    print(f"    sent again: page {number}")
        # Leaving the system lets the printer finish what is queued.
        printed = (folder / "printed").read_text().splitlines()
        print("on paper:", *printed, sep="\n    ")
        print(f"lost: {len(PAGES) - len(printed)}")


if __name__ == "__main__":
    actors.run(main)
