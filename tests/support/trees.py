"""Actors that are supervised in tests, and what the tests ask about them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from actors import Actor, ActorRef, SupervisorRef
from tests.support.gates import wait_until


class CrashError(Exception):
    """What a member raises that is told to."""


class Member(Actor):
    """One of a tree; tells its process, and dies as it is told."""

    def __init__(self, *friends: ActorRef[Member], crash_at: str = "") -> None:
        self.friends = friends
        self.count = 0
        if crash_at and Path(crash_at).exists():
            raise CrashError(crash_at)

    def pid(self) -> int:
        return os.getpid()

    def parent(self) -> int:
        return os.getppid()

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    async def ask_friend(self) -> int:
        return await self.friends[0].ask(Member.pid)

    def end(self, how: str) -> None:
        """Die: by an exception, a signal, ``os._exit``, or in order."""
        if how == "raise":
            raise CrashError(how)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "exit":
            os._exit(3)
        self.stop()


class Idler(Member):
    """Has nothing to do unless a file exists."""

    def __init__(self, flag: str) -> None:
        super().__init__()
        if not Path(flag).exists():
            self.stop()


class Hopeless(Actor):
    """Crashes as soon as it runs, from when a file exists."""

    def __init__(self, flag: str) -> None:
        self.flag = flag
        self.every(0.01, Hopeless.look)

    def look(self) -> None:
        if Path(self.flag).exists():
            raise CrashError("again")


def pids(*refs: ActorRef[Member]) -> list[int]:
    """Return the processes of *refs*, each once it is ready."""
    return [ref.within(20).ask(Member.pid).result() for ref in refs]


def wait_until_renewed(ref: ActorRef[Member], old: int) -> int:
    """Return the pid of the process that has taken the place of *old*."""
    seen = old

    def look() -> bool:
        nonlocal seen
        seen = pids(ref)[0]
        return seen != old

    wait_until(look, f"another process of {ref!r}")
    return seen


def phases(supervisor: SupervisorRef) -> dict[str, str]:
    """Return the phases of the children by id."""
    return {child.id: child.phase for child in supervisor.children().result(20)}


def wait_until_settled(supervisor: SupervisorRef, expected: dict[str, str]) -> None:
    """Wait until the children are in these phases."""
    wait_until(lambda: phases(supervisor) == expected, f"{expected}")
