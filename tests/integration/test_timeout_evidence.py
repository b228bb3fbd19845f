"""An ask that times out says where it hung."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from actors import ActorRef, ActorSystem, AskTimeoutError, Pending
from tests.support.actors_under_test import Inbox, Proxy, SlowSecondStart
from tests.support.gates import SECONDS, Gate
from tests.support.inside import transport_of

pytestmark = pytest.mark.parametrize(
    "system", ["shm", "unix"], indirect=True, scope="module"
)
SHORT = 0.05


def text_of(pending: Pending[object]) -> str:
    with pytest.raises(AskTimeoutError) as caught:
        pending.result()
    return caught.value.where


@pytest.fixture
def held(system: ActorSystem, gate: Gate) -> ActorRef[Inbox]:
    inbox = system.spawn(Inbox).result()
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    return inbox


def test_queued_says_behind_how_many_and_what_runs(
    system: ActorSystem, held: ActorRef[Inbox], gate: Gate
) -> None:
    for number in range(5):
        held.tell(Inbox.keep, number)

    where = text_of(held.within(SHORT).ask(Inbox.kept))

    is_seen = transport_of(system) in {"shm", "pipe"}
    queued = "queued behind 6" if is_seen else "queued"
    assert re.fullmatch(rf"{queued}, running 0\.\d s in Inbox\.wait_for", where), where
    gate.open()
    held.ask(Inbox.kept).result()


def test_running_says_since_when_and_where(system: ActorSystem, gate: Gate) -> None:
    inbox = system.spawn(Inbox).result()

    where = text_of(inbox.within(SHORT * 4).ask(Inbox.wait_for, gate.path))

    assert re.fullmatch(r"running 0\.\d s in Inbox\.wait_for", where), where
    gate.open()


async def test_an_awaited_ask_says_so_too(
    system: ActorSystem, held: ActorRef[Inbox], gate: Gate
) -> None:
    with pytest.raises(AskTimeoutError, match=r"running 0\.\d s in Inbox.wait_for"):
        await held.within(SHORT).ask(Inbox.kept)

    await asyncio.to_thread(gate.open)


@pytest.mark.parametrize("ask", [Proxy.add, Proxy.add_async])
def test_waiting_says_for_whom(
    system: ActorSystem,
    held: ActorRef[Inbox],
    gate: Gate,
    ask: Callable[[Proxy, int], int],
) -> None:
    proxy = system.spawn(Proxy, held.within(SECONDS)).result()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    where = text_of(proxy.within(SHORT * 4).ask(ask, 1))

    assert re.fullmatch(
        rf"running 0\.\d s in Proxy\.{ask.__name__}, waiting for an ask to {held.name} since 0\.\d s",
        where,
    ), where
    proxy.kill().result()
    gate.open()


def test_restarting_says_which_attempt(system: ActorSystem, gate: Gate) -> None:
    slow = system.spawn(SlowSecondStart, gate.path).result()
    restarting = slow.restart()
    gate.wait_until_entered()

    where = text_of(slow.within(SHORT).ask(SlowSecondStart.hello))

    assert where.endswith("restarting (attempt 2)"), where
    gate.open()
    restarting.result(SECONDS)


def test_no_room_says_what_the_receiver_does(
    system: ActorSystem, held: ActorRef[Inbox], gate: Gate
) -> None:
    while held.tell(Inbox.keep, 1, bytes(15 * 1024)).done():
        pass

    with pytest.raises(AskTimeoutError) as caught:
        held.within(SHORT).ask(Inbox.kept).result()

    assert re.search(
        r"had no room for Inbox.kept within 0\.05 s: running 0\.\d s in Inbox.wait_for; it was not sent",
        str(caught.value),
    ), caught.value
    gate.open()
    held.within(SECONDS).ask(Inbox.kept).result()


async def test_many_that_time_out_at_once_each_say_it(
    system: ActorSystem, held: ActorRef[Inbox], gate: Gate
) -> None:
    asks = [held.within(SHORT).ask(Inbox.kept) for _ in range(500)]

    errors = await asyncio.gather(*asks, return_exceptions=True)

    assert all("running" in str(error) for error in errors)
    await asyncio.to_thread(gate.open)
    assert await held.within(SECONDS).ask(Inbox.kept) == []
