"""Actors that spawn actors, and that can be found by what they note."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path

from actors import Actor, ActorRef, ExitReason, SupervisorRef, options
from actors.pool.pool import Pool
from tests.support.lives import Ledger, note


class Child(Actor):
    """One at the bottom."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name

    def on_stop(self, reason: ExitReason) -> None:
        note(self.path, f"{self.name} {reason.kind}")

    def pids(self) -> tuple[int, int]:
        return os.getpid(), os.getppid()

    def wait(self, gate: str) -> None:
        Path(gate + ".entered").touch()
        with Path(gate).open("rb") as fifo:
            fifo.read()

    def fail(self) -> None:
        raise RuntimeError("as it was told to")


class Late(Child):
    """One that is not ready before a gate opens."""

    def __init__(self, path: str, name: str, gate: str) -> None:
        super().__init__(path, name)
        self.wait(gate)


class Parent(Actor):
    """Spawns children as it starts, and others when it is told to."""

    def __init__(self, path: str, *names: str) -> None:
        self.path, self.names = path, names
        self.children: dict[str, ActorRef[Child]] = {}
        self.pool: Pool[Child] | None = None
        self.tree: SupervisorRef | None = None

    async def on_start(self) -> None:
        for name in self.names:
            await self.spawn(name)

    def on_stop(self, reason: ExitReason) -> None:
        note(self.path, f"parent {reason.kind}")

    async def spawn(
        self, name: str, intensity: float = 3, shutdown: float = 5
    ) -> ActorRef[Child]:
        spawner = self.system.options(name=name, intensity=intensity, shutdown=shutdown)
        self.children[name] = ref = await spawner.spawn(Child, self.path, name)
        return ref

    async def spawn_late(self, name: str, gate: str) -> None:
        await self.system.options(name=name).spawn(Late, self.path, name, gate)

    async def supervise(self, *names: str) -> dict[str, ActorRef[Child]]:
        specs = [options(name=name).child(Child, self.path, name) for name in names]
        spawner = self.system.options(intensity=0)
        self.tree = tree = await spawner.supervise(*specs)
        return {spec.settings.id: tree.ref(spec) for spec in specs}

    async def open_pool(self, size: int) -> list[tuple[int, int]]:
        self.pool = pool = await self.system.options(size=size).pool(
            Child, self.path, "worker"
        )
        asked = [pool.ask(Child.pids) for _ in range(8 * size)]
        return sorted({await each for each in asked})

    async def spawn_parent(self, name: str, *names: str) -> ActorRef[Parent]:
        spawner = self.system.options(name=name)
        return await spawner.spawn(Parent, self.path, *names)

    def family(self) -> dict[str, ActorRef[Child]]:
        return self.children

    def pids(self) -> tuple[int, int]:
        return os.getpid(), os.getppid()

    async def wait(self) -> None:
        await asyncio.Event().wait()


class Barren(Actor):
    """Spawns a child, and does not start itself."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def on_start(self) -> None:
        await self.system.options(name="orphan").spawn(Child, self.path, "orphan")
        raise RuntimeError("no more")


class Stem(Actor):
    """Spawns two like itself as it starts, or at the bottom two ledgers, and puts up with every death."""

    def __init__(self, folder: str, name: str, levels: int) -> None:
        self.folder, self.name, self.levels = folder, name, levels

    async def on_start(self) -> None:
        for name in (f"{self.name}0", f"{self.name}1"):
            spawner = self.system.options(name=name, intensity=math.inf)
            if self.levels > 1:
                await spawner.spawn(Stem, self.folder, name, self.levels - 1)
            else:
                await spawner.spawn(Ledger, f"{self.folder}/{name}")
