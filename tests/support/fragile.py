"""Actors that die of their messages."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors import Actor


class Fragile(Actor):
    """Dies of some messages, as often as it is told to; writes down what it begins with."""

    def __init__(self, path: str) -> None:
        self.path = path

    def note(self, text: str) -> int:
        with Path(self.path).open("a") as file:
            file.write(f"{text}\n")
        return self._notes()

    def _notes(self) -> int:
        return len(Path(self.path).read_text().splitlines())

    def die(self, times: int, text: str = "die") -> int:
        begun = self.note(text)
        if begun <= times:
            os.kill(os.getpid(), signal.SIGKILL)
        return begun

    def fail(self, text: str) -> None:
        self.note(text)
        raise ValueError(text)

    def weigh(self, times: int, array: NDArray[np.uint8]) -> int:
        self.die(times, "weigh")
        return int(array.sum())

    async def die_together(self, text: str) -> None:
        self.note(text)
        while self._notes() < 3:  # noqa: ASYNC110 - those of all three
            await asyncio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)


class FragileThree(Fragile):
    """The same, three at a time."""

    concurrency = 3
