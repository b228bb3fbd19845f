"""Ends under ``actors.run``: ``python run.py HOW``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import actors
from actors import ActorSystem, ExitKind, ExitReason, SystemFailedError
from tests.support.actors_under_test import Counter


async def fine() -> int:
    async with ActorSystem() as system:
        return await (await system.spawn(Counter)).ask(Counter.add, 1)


async def fail() -> None:
    async with ActorSystem() as system:
        await system.spawn(Counter)
        raise LookupError("on purpose")


async def leave() -> None:
    async with ActorSystem():
        sys.exit(3)


async def lose_the_system() -> None:
    raise SystemFailedError(ExitReason(ExitKind.SUPERVISOR_DIED))


async def survive_the_loss() -> str:
    with contextlib.suppress(SystemFailedError):
        await lose_the_system()
    return "survived"


async def finish_although_asked_to_end() -> str:
    """Swallow the cancellation and return a result."""
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "finished"
    return "never"


HOW: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
    "fine": fine,
    "fail": fail,
    "leave": leave,
    "lose": lose_the_system,
    "survive": survive_the_loss,
    "finish": finish_although_asked_to_end,
}

if __name__ == "__main__":
    sys.stdout.write(f"{actors.run(HOW[sys.argv[1]])}\n")
