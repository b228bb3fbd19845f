"""A pipeline that loses no row although its processes are killed: extract, transform, load, under rest_for_one.

    python examples/pipeline.py [--rows N]

    pipeline      rest_for_one: who comes later works with what comes earlier
    ├── load      knows what has arrived, and takes rows in order, each once
    ├── transform passes rows on as fast as load takes them
    └── extract   reads rows from where load is, as fast as transform takes them

Each awaits what it tells the next, whose mailbox is small: the fastest waits for the slowest.
A killed transform takes the rows in its hand with it; extract, which came after it, is restarted too and begins where load is.
What is queued outlives the process, so some rows come twice, and load knows them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import signal

import attrs

import actors
from actors import Actor, ActorRef, ActorSystem, SupervisorRef, options

BUFFER_BYTES = 4096  # the smallest mailbox


@attrs.frozen
class Progress:
    """How far load has come."""

    loaded: int
    repeated: int


class Load(Actor):
    """The end of the pipeline: its rows are the state that must not be lost."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.repeated = 0

    def store(self, number: int, row: str) -> None:
        """Keep a row, if it is the next one."""
        if number == len(self.rows):
            self.rows.append(row)
        else:  # it comes again, or one before it was lost and will come again
            self.repeated += 1

    def progress(self) -> Progress:
        """Return how many rows there are, which is also the number of the next."""
        return Progress(len(self.rows), self.repeated)

    def all_rows(self) -> list[str]:
        """Return what has been loaded."""
        return self.rows


class Transform(Actor):
    """Does the work, and keeps nothing."""

    def __init__(self, load: ActorRef[Load]) -> None:
        self.load = load.within(None)

    async def row(self, number: int, text: str) -> None:
        """Work on one row."""
        await self.load.tell(Load.store, number, transformed(text))


class Extract(Actor):
    """Reads rows, from the one that load waits for."""

    def __init__(
        self, load: ActorRef[Load], transform: ActorRef[Transform], rows: int
    ) -> None:
        self.load = load
        self.transform = transform.within(None)
        self.end = rows
        self.start_task(self._read())  # not a handler: it must not keep a stop waiting

    async def _read(self) -> None:
        first = (await self.load.ask(Load.progress)).loaded
        for number in range(first, self.end):
            await self.transform.tell(Transform.row, number, source(number))


def source(number: int) -> str:
    """Return row *number* as it is read."""
    return f"row {number}"


def transformed(text: str) -> str:
    """Return what is made of a row."""
    return hashlib.sha256(text.encode()).hexdigest()


async def kill(tree: SupervisorRef, child_id: str) -> None:
    """SIGKILL the process of a child, and wait for those that come after it."""
    before = {child.id: child for child in await tree.children()}
    pid = before[child_id].pid
    assert pid is not None  # noqa: S101 - it runs
    os.kill(pid, signal.SIGKILL)
    while True:
        after = {child.id: child for child in await tree.children()}
        if after[child_id].incarnation > before[child_id].incarnation and all(
            child.phase == "running" for child in after.values()
        ):
            break
        await asyncio.sleep(0.01)
    lives = ", ".join(f"{child.id} {child.incarnation}" for child in after.values())
    print(f"killed {child_id}; lives: {lives}")


async def main() -> None:
    """Run the pipeline, kill two of its processes, and count."""
    parser = argparse.ArgumentParser(description="Kill parts of a pipeline.")
    parser.add_argument("--rows", type=int, default=20_000, help="how many (20000)")
    rows = parser.parse_args().rows
    load = options(id="load", mailbox_bytes=BUFFER_BYTES).child(Load)
    transform = options(id="transform", mailbox_bytes=BUFFER_BYTES).child(
        Transform, load.ref
    )
    extract = options(id="extract").child(Extract, load.ref, transform.ref, rows)
    async with ActorSystem("pipeline", drain=0) as system:
        settings = system.options(name="pipeline", strategy="rest_for_one")
        tree = await settings.supervise(load, transform, extract)
        end = tree.ref(load)
        victims = ["transform", "extract"]
        while (progress := await end.ask(Load.progress)).loaded < rows or victims:
            if victims and progress.loaded > rows * (3 - len(victims)) / 3:
                await kill(tree, victims.pop(0))
            await asyncio.sleep(0.002)
        expected = [transformed(source(number)) for number in range(rows)]
        is_whole = await end.ask(Load.all_rows) == expected
        print(f"came again: {progress.repeated}")
        print(f"loaded: {progress.loaded}, in order: {'yes' if is_whole else 'no'}")
        print(f"lost: {rows - progress.loaded}")


if __name__ == "__main__":
    actors.run(main)
