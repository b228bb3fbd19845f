"""Actors whose processes are signalled, frozen, limited and looked at from outside."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from pathlib import Path

from actors import Actor, ActorRef
from tests.support.actors_under_test import Blocker


class Attentive(Blocker):
    """Counts the SIGUSR1 it gets; held up at a gate, if there is one, whenever it starts again."""

    def __init__(self, gate: str = "") -> None:
        self.count = 0
        mark = Path(gate + ".started")
        if gate and mark.exists():
            self.wait_for(gate)
        elif gate:
            mark.touch()
        self.on_signal(signal.SIGUSR1, Attentive._on_usr1)

    def _on_usr1(self) -> None:
        self.count += 1

    async def signal_yourself(self) -> None:
        await self.ref.signal(signal.SIGUSR1)

    def counted(self) -> int:
        return self.count

    def hang_in_c(self, mark: str) -> None:
        """Wait inside of C, with the GIL held."""
        Path(mark).touch()
        ctypes.PyDLL(None).pause()

    def hang(self, mark: str) -> None:
        Path(mark).touch()
        threading.Event().wait()

    def spin(self, mark: str) -> None:
        Path(mark).touch()
        while Path(mark).exists():
            pass

    async def ask_for(self, other: ActorRef[Blocker], gate: str, within: float) -> str:
        return await other.within(within).ask(Blocker.wait_for, gate)

    async def hello_from(self, other: ActorRef[Blocker], within: float) -> str:
        return await other.within(within).ask(Blocker.hello)

    def vanish(self) -> None:
        os._exit(3)


class Sink(Actor):
    """Takes numbers."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self, number: int) -> None:
        self.taken += 1
        assert number > 0

    def count(self) -> int:
        return self.taken


class Source(Actor):
    """Sends numbers without end."""

    def __init__(self, sink: ActorRef[Sink]) -> None:
        self.sink = sink
        self.number = 0

    async def flow(self) -> None:
        while True:
            self.number += 1
            await self.sink.within(None).tell(Sink.take, self.number)
