"""Classify images with a neural network whose weights are in memory once, while some of the workers are being killed.

    python examples/inference.py [--images 2000] [--megabytes 64] [--kill SECONDS]

The weights are made up; a real program reads them from a file, once.
``system.share`` puts them into shared memory: all workers look at the same, and so do those that take the places of killed ones.
What they answer is compared with what this process computes alone.
Needs numpy: ``pip install numpy``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

import actors
from actors import Actor, ActorSystem, Pool

WORKERS = 4
PIXELS = 28 * 28
CLASSES = 10


@attrs.frozen
class Network:
    """Two layers."""

    hidden: NDArray[np.float32]
    output: NDArray[np.float32]

    @classmethod
    def random(cls, megabytes: int) -> Network:
        """Return a network of this size."""
        chance = np.random.default_rng(1)
        width = megabytes * 2**20 // (4 * (PIXELS + CLASSES))
        return cls(
            chance.standard_normal((PIXELS, width), np.float32),
            chance.standard_normal((width, CLASSES), np.float32),
        )

    def classify(self, image: NDArray[np.float32]) -> int:
        """Return the class that fits best."""
        return int(np.argmax(np.maximum(image @ self.hidden, 0) @ self.output))


class Classifier(Actor):
    """One worker: the network is not its own."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def classify(self, image: NDArray[np.float32]) -> int:
        """Return the class of one image."""
        return self.network.classify(image)

    def private_bytes(self) -> int:
        """Return how much memory this process has for itself alone."""
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        private = [line.split() for line in lines if line.startswith("Private_")]
        return sum(int(kibibytes) for _, kibibytes, _ in private) * 1024


def images(count: int) -> Iterator[NDArray[np.float32]]:
    """Yield made-up images, the same each time."""
    chance = np.random.default_rng(2)
    for _ in range(count):
        yield chance.random(PIXELS, np.float32)


async def kill_at_random(
    pool: Pool[Classifier], every: float, killed: list[str]
) -> None:
    """Kill a random worker every *every* seconds."""
    while True:
        await asyncio.sleep(every)
        worker = random.choice(pool.stats().workers)  # noqa: S311 - no secret
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.name)


async def classify_all(network: Network, count: int, kill_every: float) -> list[int]:
    """Return the classes of the images, found while workers are killed."""
    killed: list[str] = []
    # One thread for each worker; and what is imported before they are forked must have none of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    async with ActorSystem("inference", preload=("numpy",)) as system:
        options = system.options(name="classifier", size=WORKERS)
        pool = await options.pool(Classifier, system.share(network))
        patient = pool.options(retries=100, redeliver=True)
        killer = asyncio.create_task(kill_at_random(pool, kill_every, killed))
        answers = patient.map(Classifier.classify, images(count), progress=True)
        found = [answer async for answer in answers]
        killer.cancel()
        private = await patient.ask(Classifier.private_bytes)
    print(f"workers killed: {len(killed)}", *sorted(set(killed)))
    print(f"memory of a worker for itself: {private >> 20} MiB")
    return found


async def main() -> None:
    arguments = parse()
    network = Network.random(arguments.megabytes)
    print(f"weights: {arguments.megabytes} MiB, once for {WORKERS} workers")
    found = await classify_all(network, arguments.images, arguments.kill)
    expected = [network.classify(image) for image in images(arguments.images)]
    print(f"images: {len(found)}")
    print(f"equal to one process alone: {'yes' if found == expected else 'NO'}")
    print(f"lost: {arguments.images - len(found)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--megabytes", type=int, default=64, help="of weights")
    parser.add_argument(
        "--kill", type=float, default=1e9, help="kill a worker every so many seconds"
    )
    return parser.parse_args()


if __name__ == "__main__":
    actors.run(main)
