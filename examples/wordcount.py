"""Count the words of real text with a pool of four supervised actors, while some of them are being killed.

    python examples/wordcount.py [PATH ...] [--kill SECONDS] [--repeat TIMES]

Without a path it reads every .py, .txt, .rst and .md file of the running Python's own library.
With ``--kill 0.2`` a random worker gets SIGKILL every 0.2 s; the count must come out the same.
``--repeat 5`` reads everything five times, to have more to kill.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs

import actors
from actors import Actor, ActorCrashedError, ActorSystem, Events, Pool

WORKERS = 4
BATCH_BYTES = 256 * 1024  # of text in one message
IN_FLIGHT = 2  # messages for each worker: one in hand, one that waits
SUFFIXES = {".py", ".txt", ".rst", ".md"}
TOP = 20

_WORD = re.compile(r"[A-Za-z]+")


class WordCounter(Actor):
    """Counts words; keeps nothing, so it may die at any time."""

    def count(self, paths: list[str]) -> Counter[str]:
        """Return how often each word occurs in the files of *paths*."""
        return count_words(paths)


@attrs.define
class Tally:
    """What the program has seen, counted from its own messages."""

    words: Counter[str] = attrs.field(factory=Counter)
    asked: int = 0
    answered: int = 0
    repeated: int = 0
    restarts: int = 0
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0


def count_words(paths: list[str]) -> Counter[str]:
    """Return how often each word occurs in the files of *paths*."""
    words: Counter[str] = Counter()
    for path in paths:
        words.update(_WORD.findall(Path(path).read_text("utf-8", "replace").lower()))
    return words


def find_files(arguments: list[str]) -> list[Path]:
    """Return the text files at or below the paths given, by default those of Python's library."""
    roots = [Path(argument) for argument in arguments] or [
        Path(sysconfig.get_path("stdlib"))
    ]
    found: list[Path] = []
    for root in roots:
        candidates = [root] if root.is_file() else sorted(root.rglob("*"))
        found += [
            path for path in candidates if path.suffix in SUFFIXES and path.is_file()
        ]
    # What was installed beside the library is not part of it.
    return [path for path in found if arguments or "site-packages" not in path.parts]


def batches(files: list[Path]) -> Iterator[tuple[list[str], int]]:
    """Yield the files in groups, with the size of each group."""
    group: list[str] = []
    size = 0
    for path in files:
        group.append(str(path))
        size += path.stat().st_size
        if size >= BATCH_BYTES:
            yield group, size
            group, size = [], 0
    if group:
        yield group, size


async def ask_until_answered(
    pool: Pool[WordCounter], paths: list[str], tally: Tally
) -> Counter[str]:
    """Ask again when a worker was killed with the question in hand: counting twice does no harm, only the answer counts."""
    while True:
        tally.asked += 1
        try:
            words = await pool.within(60).ask(WordCounter.count, paths)
        except ActorCrashedError:
            tally.answered += 1
            tally.repeated += 1
        else:
            tally.answered += 1
            return words


async def feed(
    pool: Pool[WordCounter], work: Iterator[tuple[list[str], int]], tally: Tally
) -> None:
    """Give whoever is free in *pool* one batch after the other."""
    for paths, size in work:
        tally.words.update(await ask_until_answered(pool, paths, tally))
        tally.files += len(paths)
        tally.bytes += size


async def kill_at_random(pool: Pool[WordCounter], every: float) -> None:
    """Kill a random worker every *every* seconds."""
    while True:
        await asyncio.sleep(every)
        with contextlib.suppress(ProcessLookupError):
            victim = random.choice(pool.stats().workers)  # noqa: S311 - no secret
            os.kill(victim.pid, signal.SIGKILL)


async def watch(events: Events, tally: Tally) -> None:
    """Count the restarts of workers."""
    async for event in events:
        tally.restarts += event.kind == "child_ready" and event.incarnation > 1


async def show_progress(tally: Tally, files: int) -> None:
    """Show what has been done so far: on a terminal in one line that changes, else a line a second."""
    started = time.monotonic()
    is_terminal = sys.stdout.isatty()
    while True:
        await asyncio.sleep(0.1 if is_terminal else 1.0)
        rate = tally.bytes / 1e6 / (time.monotonic() - started)
        line = f"{tally.files:6} of {files} files  {rate:6.1f} MB/s  {tally.restarts:4} restarts"
        print(
            f"\r{line}" if is_terminal else line,
            end="" if is_terminal else "\n",
            flush=True,
        )


async def count(files: list[Path], kill: float) -> Tally:
    """Count with ``WORKERS`` actors, killing one every *kill* seconds unless that is 0."""
    tally = Tally()
    async with ActorSystem("wordcount") as system, asyncio.TaskGroup() as helpers:
        tasks = [
            helpers.create_task(watch(system.events(), tally)),
            helpers.create_task(show_progress(tally, len(files))),
        ]
        pool = await system.options(name="worker", size=WORKERS).pool(WordCounter)
        if kill:
            tasks.append(helpers.create_task(kill_at_random(pool, kill)))
        work = batches(files)
        started = time.monotonic()
        async with asyncio.TaskGroup() as feeders:
            for _ in range(WORKERS * IN_FLIGHT):
                feeders.create_task(feed(pool, work, tally))
        tally.seconds = time.monotonic() - started
        for task in tasks:
            task.cancel()
    print()
    return tally


def report(
    killed: Tally, kill: float, undisturbed: Tally, single: Counter[str], seconds: float
) -> int:
    """Print the result; return the exit status."""
    for word, number in killed.words.most_common(TOP):
        print(f"{number:9,}  {word}")
    is_equal = killed.words == single == undisturbed.words
    lost = killed.asked - killed.answered
    print()
    print(
        f"{killed.files:,} files, {killed.bytes / 1e6:.1f} MB, {killed.words.total():,} words"
    )
    print(f"equal to a single-process count: {'yes' if is_equal else 'NO'}")
    print(f"messages lost: {lost}")
    print(f"asks repeated after ActorCrashedError: {killed.repeated}")
    print(f"restarts: {killed.restarts}")
    if kill:
        print(
            f"time with a SIGKILL every {kill:g} s: {killed.seconds:.2f} s; without kills: {undisturbed.seconds:.2f} s",
            end="",
        )
    else:
        print(f"time: {undisturbed.seconds:.2f} s", end="")
    print(f"; one process alone: {seconds:.2f} s")
    return 0 if is_equal and not lost else 1


def main() -> int:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Count words with supervised actors.")
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files and folders; Python's own library by default",
    )
    parser.add_argument(
        "--kill",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="kill a random worker this often",
    )
    parser.add_argument(
        "--repeat",
        type=int,
        default=1,
        metavar="TIMES",
        help="read everything this often",
    )
    arguments = parser.parse_args()
    files = find_files(arguments.paths) * arguments.repeat
    if not files:
        parser.error(f"no {', '.join(sorted(SUFFIXES))} files found")
    print(f"Counting the words of {len(files)} files with {WORKERS} actors", end="")
    print(f", killing one every {arguments.kill:g} s" if arguments.kill else "")
    undisturbed = actors.run(lambda: count(files, 0.0))
    killed = undisturbed
    if arguments.kill:
        killed = actors.run(lambda: count(files, arguments.kill))
    started = time.monotonic()
    single = count_words([str(path) for path in files])
    return report(
        killed, arguments.kill, undisturbed, single, time.monotonic() - started
    )


if __name__ == "__main__":
    sys.exit(main())
