"""Actors whose processes are signalled, frozen, limited and looked at from outside."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from pathlib import Path

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

    def vanish(self) -> None:
        os._exit(3)
