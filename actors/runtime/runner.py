"""The tasks that await ``async`` handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from actors.runtime import offspring
from transports._ring import Slot

# A message in hand: slot, kind, method, lane of the answer, correlation id. A tuple, because it is made for every message.
Job = tuple[Slot, int, bytes, int, int]


class Owner(Protocol):
    """Whose messages they are."""

    runners: dict[asyncio.Task[None], Runner]
    is_copy: bool  # in a process that the actor has forked

    def finished(self, job: Job, result: object) -> None:
        """The handler of *job* has returned."""

    def failed(self, job: Job, error: BaseException) -> None:
        """It has raised."""

    def step_done(self, runner: Runner) -> None:
        """*runner* is free for another message."""


class Runner:
    """A task that awaits the ``async`` handlers of one message after the other.

    A task of its own for each message would cost more than everything else that is done for it.
    """

    def __init__(self, cell: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._cell = cell
        self._loop = loop
        self._given: asyncio.Future[tuple[Job, Coroutine[Any, Any, Any]]] = (
            loop.create_future()
        )
        self.slot: Slot  # of the message in hand
        self.task = loop.create_task(self._run())
        cell.runners[self.task] = self

    def give(self, job: Job, coro: Coroutine[Any, Any, Any]) -> None:
        """Await *coro*, the handler of *job*."""
        self.slot = job[0]
        self._given.set_result((job, coro))

    async def _run(self) -> None:
        cell = self._cell
        while True:
            job, coro = await self._given
            self._given = self._loop.create_future()
            try:
                result = await coro
            except BaseException as exc:  # noqa: BLE001 - the boundary between user code and the runtime
                if cell.is_copy:
                    offspring.leave(exc)
                cell.failed(job, exc)
            else:
                if cell.is_copy:
                    offspring.leave()
                cell.finished(job, result)
            cell.step_done(self)
