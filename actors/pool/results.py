"""What ``map`` returns: results that come as the items are taken, in a coroutine or without a loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
)
from itertools import islice
from typing import Any, Generic, TypeVar

from actors.errors import ItemError
from actors.pending import Pending
from actors.pool.flight import Batch, Flight
from actors.pool.progress import Progress
from actors.runtime.client import Client
from actors.runtime.waiting import refuse_in_loop

R = TypeVar("R")

BREATH_SECONDS = 0.0005  # then it looks what has arrived, however fast items come


class Results(Generic[R]):
    """The results of a ``map``: for ``async for``, or ``for`` where no event loop runs; once.

    Nothing is taken or sent before the first is asked for.
    Leaving the loop withdraws what no worker has taken yet.
    """

    def __init__(
        self,
        client: Client,
        flight: Flight,
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        ordered: bool,
        return_exceptions: bool,
        progress: Callable[[], Progress] | None,
    ) -> None:
        """Give out what *flight* makes of *items*; *progress* begins to show how far it is."""
        self._client = client
        self._flight = flight
        self._items = items
        self._ordered = ordered
        self._return_exceptions = return_exceptions
        self._begin_progress = progress
        self._progress: Progress | None = None
        self._looked = 0.0
        self._is_begun = False

    def __repr__(self) -> str:
        return f"<Results: {self._flight.held} items in flight>"

    def _begin(self) -> None:
        if self._is_begun:
            msg = "the results of a map can be gone through once; call map again"
            raise RuntimeError(msg)
        self._is_begun = True

    def __iter__(self) -> Iterator[R]:
        """Go through the results, blocking the thread meanwhile.

        Raises:
            ItemError: An item has failed, unless ``return_exceptions``.
            RuntimeError: An event loop runs in this thread.
            TypeError: The items are asynchronous.
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        refuse_in_loop("'for'", "use 'async for'")
        if not isinstance(self._items, Iterable):
            msg = f"items={self._items!r}: asynchronous, so their results are for 'async for'"
            raise TypeError(msg)
        self._begin()
        return self._go_through(iter(self._items))

    def _go_through(self, items: Iterator[Any]) -> Iterator[R]:
        flight = self._flight
        source = _Taker(items)
        self._show(in_loop=False)
        try:
            while True:
                is_stuck = not source.feed(flight)
                self._look_around()
                batch = flight.take(ordered=self._ordered)
                if batch is not None:
                    yield from self._results(batch)
                elif is_stuck:
                    if flight.is_empty:
                        break
                    self._wait(flight.news(ordered=self._ordered))
            source.check()
        finally:
            self._end()

    def __aiter__(self) -> AsyncIterator[R]:
        """Go through the results in a coroutine.

        Raises:
            As ``__iter__``.
        """
        self._begin()
        if isinstance(self._items, AsyncIterable):
            return self._go_through_async(self._items)
        return self._go_through_in_loop(iter(self._items))

    async def _go_through_in_loop(self, items: Iterator[Any]) -> AsyncIterator[R]:
        flight = self._flight
        source = _Taker(items)
        self._show(in_loop=True)
        try:
            while True:
                is_stuck = not source.feed(flight)
                if self._look_around():
                    await asyncio.sleep(0)
                batch = flight.take(ordered=self._ordered)
                if batch is not None:
                    for result in self._results(batch):
                        yield result
                elif is_stuck:
                    if flight.is_empty:
                        break
                    await flight.news(ordered=self._ordered)
                    # The loop has had its turn, and all that has arrived was taken in.
                    self._looked = time.perf_counter()
            source.check()
        finally:
            self._end()

    async def _go_through_async(self, items: AsyncIterable[Any]) -> AsyncIterator[R]:
        flight = self._flight
        source = _Feeder(items, flight)
        self._show(in_loop=True)
        try:
            while True:
                is_stuck = not source.feed()
                batch = flight.take(ordered=self._ordered)
                if batch is not None:
                    for result in self._results(batch):
                        yield result
                    source.make_room()
                elif is_stuck:
                    if source.is_over and flight.is_empty:
                        break
                    await flight.news(ordered=self._ordered)
            await source.close()  # raises what it has ended with
        finally:
            self._end()
            with contextlib.suppress(BaseException):
                await source.close()

    def _wait(self, news: Pending[None]) -> None:
        """Wait for *news* without a loop, and look at the clock meanwhile."""
        if self._progress is None:
            news.result()
            return
        while not news.done():
            with contextlib.suppress(TimeoutError):
                news.result(self._progress.period)
            self._progress.look()

    def _show(self, *, in_loop: bool) -> None:
        """Begin to show how far it is, if somebody wants to see that."""
        if self._begin_progress is not None:
            self._progress = self._begin_progress()
            if in_loop:
                self._progress.tick()

    def _end(self) -> None:
        self._flight.cancel()
        if self._progress is not None:
            self._progress.close()

    def _look_around(self) -> bool:
        """Take in what has arrived, if that was not done for long; return whether it was time."""
        now = time.perf_counter()
        if now - self._looked < BREATH_SECONDS:
            return False
        self._looked = now
        if self._progress is not None:
            self._progress.look()
        self._client.waiting.glance()
        return True

    def _results(self, batch: Batch) -> Iterator[Any]:
        progress = self._progress
        for result in self._flight.results(batch):
            is_failed = type(result) is ItemError
            if progress is not None:
                progress.done += 1
                progress.failed += is_failed
            if is_failed and not self._return_exceptions:
                raise result from result.error
            yield result
        self._flight.give_out(batch)


class _Taker:
    """Takes items out of an iterator as there is room for them."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._error: Exception | None = None
        self._is_over = False

    def feed(self, flight: Flight) -> bool:
        """Launch the next message; False where there is no room, or nothing left."""
        room = flight.room
        if room <= 0 or self._is_over:
            flight.launch([])
            return False
        taken: list[Any] = []
        began = time.perf_counter()
        try:
            taken.extend(islice(self._items, room))
        except Exception as exc:  # noqa: BLE001 - the user's; it comes after the results of what came before it
            self._error = exc
        self._is_over = len(taken) < room
        flight.took(len(taken), time.perf_counter() - began)
        return flight.launch(taken) and not self._is_over

    def check(self) -> None:
        """Raise what the iterator has ended with."""
        if self._error is not None:
            raise self._error


class _Feeder:
    """A task that takes items out of an asynchronous iterator as there is room for them."""

    def __init__(self, items: AsyncIterable[Any], flight: Flight) -> None:
        self._flight = flight
        self._taken: list[Any] = []
        self._room = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(items))
        self._task.add_done_callback(lambda _: flight.nudge())

    async def _run(self, items: AsyncIterable[Any]) -> None:
        async for item in items:
            self._taken.append(item)
            self._flight.nudge()
            while self._flight.free <= len(self._taken):
                self._room.clear()
                await self._room.wait()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._task.done() and not self._taken

    def make_room(self) -> None:
        """Let it take more."""
        self._room.set()

    def feed(self) -> bool:
        """Launch the next message; False where there is no room, or nothing is here."""
        room = self._flight.room
        if room <= 0 or not self._taken:
            self._flight.launch([])
            return False
        taken, self._taken = self._taken[:room], self._taken[room:]
        return self._flight.launch(taken)

    async def close(self) -> None:
        """End it, and raise what it has ended with."""
        if not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            return
        self._task.result()
