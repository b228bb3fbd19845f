"""Who gets the next event when waiting for it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest

from actors.events import Event, Events
from actors.pending import Pending
from actors.runtime.client import Client


class Sender:
    """Stands for a client: hands events over when it is told to."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        self.takers: list[Pending[Event]] = []
        self.subscription = self
        self.ending = self

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> None:
        self.listeners.append(listener)

    def include(self, taker: Pending[Event]) -> None:
        self.takers.append(taker)

    def suspend(self, pending: Pending[Any]) -> Generator[Any, Any, None]:
        woken = asyncio.Event()
        pending.wakers = [woken.set]
        yield from woken.wait().__await__()

    def is_breath_due(self) -> bool:
        return False

    def withdraw(self, pending: Pending[Any]) -> None:
        """An event is no message that could be called back."""

    def send(self, kind: str) -> None:
        for listener in self.listeners:
            listener({"event": kind})


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def events(sender: Sender) -> Events:
    return Events(cast("Client", sender))


async def begin(events: Events) -> asyncio.Task[Event]:
    """Return a task that waits for the next event."""
    task = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    return task


async def cancel(task: asyncio.Task[Event]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_event_goes_past_a_wait_that_was_cancelled(
    sender: Sender, events: Events
) -> None:
    await cancel(await begin(events))

    sender.send("first")

    assert (await anext(events)).kind == "first"


async def test_an_event_that_comes_while_its_wait_is_cancelled_is_the_next_ones(
    sender: Sender, events: Events
) -> None:
    task = await begin(events)
    sender.send("first")  # wakes the task, which is cancelled before it runs
    sender.send("second")

    await cancel(task)

    assert [(await anext(events)).kind for _ in range(2)] == ["first", "second"]


async def test_an_event_that_comes_while_its_wait_is_cancelled_goes_to_who_waits_behind(
    sender: Sender, events: Events
) -> None:
    first, second = await begin(events), await begin(events)
    sender.send("event")

    await cancel(first)

    assert (await second).kind == "event"


async def test_waits_that_were_cancelled_leave_nothing_that_waits(
    sender: Sender, events: Events
) -> None:
    for _ in range(3):
        await cancel(await begin(events))

    assert [taker.done() for taker in sender.takers] == [True] * 3
