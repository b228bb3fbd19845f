"""Messages between a program and its actors: order, size, full mailboxes, deadlines and refs."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorStoppedError,
    ActorSystem,
    AskTimeoutError,
    Event,
    MailboxFullError,
    Pending,
)
from actors.runtime import loopside, outgoing, waiting
from tests.support.actors_under_test import (
    Blocker,
    Counter,
    Inbox,
    Proxy,
    Recorder,
)
from tests.support.actors_under_test import Gate as ThreeAtOnce
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.inside import transport_of

pytestmark = pytest.mark.parametrize(
    "system", ["shm", "unix", "pipe", "mq"], indirect=True, scope="module"
)

KIB = b"x" * 1024
INLINE = b"x" * 800  # no transport makes a blob of it


def test_messages_of_one_sender_are_handled_in_the_order_they_were_sent(
    system: ActorSystem,
) -> None:
    inbox = system.spawn(Inbox).result()

    for number in range(2_000):
        inbox.tell(Inbox.keep, number)

    assert inbox.ask(Inbox.kept).result() == list(range(2_000))


def test_order_is_kept_between_tells_and_asks_and_over_all_sizes(
    system: ActorSystem,
) -> None:
    inbox = system.spawn(Inbox).result()
    sizes = [0, 20_000, 10, 1_000_000, 16_000, 17_000]

    asks = []
    for number in range(60):
        padding = bytes(sizes[number % len(sizes)])
        if number % 7 == 0:
            asks.append(inbox.ask(Inbox.keep, number, padding))
        else:
            inbox.tell(Inbox.keep, number, padding)

    assert inbox.within(SECONDS).ask(Inbox.kept).result() == list(range(60))
    assert [ask.result() for ask in asks] == [None] * len(asks)


@pytest.mark.parametrize("size", [1_000, 16 * 1024, 20_000, 10**6, 50 * 10**6])
def test_argument_and_result_of_any_size_arrive_whole(
    system: ActorSystem, size: int
) -> None:
    inbox = system.spawn(Inbox).result()
    value = bytes(range(256)) * (size // 256) + b"end"

    reply = inbox.within(SECONDS).ask(Inbox.echo, value).result()

    assert reply == value
    inbox.stop().result()
    inbox.ended().result(SECONDS)


def test_tells_past_the_mailbox_wait_in_the_outbox_and_all_arrive(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = system.spawn(Inbox).result()
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()

    pendings = [inbox.tell(Inbox.keep, number, 4 * KIB) for number in range(500)]

    assert pendings[0].done()
    assert not pendings[-1].done()
    gate.open()
    pendings[-1].result(SECONDS)
    assert inbox.within(SECONDS).ask(Inbox.kept).result() == list(range(500))


def test_tell_is_refused_when_mailbox_and_outbox_are_full_and_nothing_is_lost(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = system.spawn(Inbox).result().within(SECONDS)
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()

    sent = 0
    with pytest.raises(MailboxFullError, match=r"Inbox-.*not sent"):  # noqa: PT012 - any of the calls may be the one
        for sent in range(50_000):
            inbox.tell(Inbox.keep, sent, INLINE)
    gate.open()

    assert sent > 1_000
    assert inbox.within(SECONDS).ask(Inbox.kept).result() == list(range(sent))


def test_a_refused_sender_can_send_again_once_there_is_room(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = system.spawn(Inbox).result().within(SECONDS)
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    last = 0
    with contextlib.suppress(MailboxFullError):
        for last in range(50_000):
            inbox.tell(Inbox.keep, last, INLINE)
    gate.open()

    inbox.within(SECONDS).ask(Inbox.kept).result()
    inbox.tell(Inbox.keep, last)

    assert inbox.ask(Inbox.kept).result() == list(range(last + 1))


@pytest.fixture
def no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody find room by the clock: whoever waits for it has to be woken."""
    for module in (loopside, waiting):
        monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 1000.0)


@pytest.mark.usefixtures("no_second_look")
def test_a_thread_that_waits_for_room_is_woken(
    system: ActorSystem,
) -> None:
    inbox = system.spawn(Inbox).result().within(SECONDS)
    numbers = list(range(1_000))

    for number in numbers:
        inbox.tell(Inbox.keep, number, INLINE).result()

    assert inbox.ask(Inbox.kept).result() == numbers


@pytest.mark.usefixtures("no_second_look")
async def test_a_coroutine_that_waits_for_room_is_woken(
    system: ActorSystem,
) -> None:
    inbox = (await system.spawn(Inbox)).within(SECONDS)
    numbers = list(range(1_000))

    for number in numbers:
        await inbox.tell(Inbox.keep, number, INLINE)

    assert await inbox.ask(Inbox.kept) == numbers


def test_who_waits_long_for_room_is_an_event(
    system: ActorSystem, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "LONG_NS", 1_000_000)
    events = system.events()
    inbox = system.options(name="inbox").spawn(Inbox).result().within(SECONDS)
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    while inbox.tell(Inbox.keep, 1, 15 * KIB).done():
        pass

    late = inbox.tell(Inbox.keep, 2)
    with pytest.raises(TimeoutError):
        late.result(0.3)

    told = next(event for event in events if event.kind == "mailbox_full")
    gate.open()
    late.result(SECONDS)
    assert told.actor == "inbox"
    assert (told.facts["sender"], told.facts["waiters"]) == ("a program", 2)


async def test_awaiting_a_tell_waits_until_the_mailbox_has_room(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = (await system.spawn(Inbox)).within(SECONDS)
    inbox.tell(Inbox.wait_for, gate.path)
    await asyncio.to_thread(gate.wait_until_entered)
    while inbox.tell(Inbox.keep, 1, 15 * KIB).done():
        pass

    waiting = asyncio.ensure_future(inbox.tell(Inbox.keep, 2))
    await (await system.spawn(Counter)).ask(Counter.add, 1)  # takes many turns

    assert not waiting.done()
    gate.open()
    await waiting
    kept = await inbox.ask(Inbox.kept)
    assert kept[-1] == 2


async def test_awaiting_a_tell_fails_at_its_deadline_and_is_not_sent_later(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = (await system.spawn(Inbox)).within(SECONDS)
    inbox.tell(Inbox.wait_for, gate.path)
    await asyncio.to_thread(gate.wait_until_entered)
    count = 1
    while inbox.tell(Inbox.keep, 1, 15 * KIB).done():
        count += 1

    with pytest.raises(AskTimeoutError, match=r"within 0\.05 s"):
        await inbox.within(0.05).tell(Inbox.keep, 2)
    gate.open()

    assert await inbox.ask(Inbox.kept) == [1] * count


async def test_an_actor_that_is_held_up_does_not_delay_messages_to_another(
    system: ActorSystem, gate: Gate
) -> None:
    slow = (await system.spawn(Inbox)).within(SECONDS)
    quick = await system.spawn(Counter)
    held = slow.ask(Inbox.wait_for, gate.path)
    await asyncio.to_thread(gate.wait_until_entered)
    while slow.tell(Inbox.keep, 1, 15 * KIB).done():
        pass

    totals = [await quick.ask(Counter.add, 1) for _ in range(100)]

    assert totals == list(range(1, 101))
    assert not held.done()
    gate.open()
    assert await held == "released"


def test_an_ask_whose_deadline_passed_in_the_queue_is_not_run_and_is_a_dead_letter(
    system: ActorSystem, gate: Gate, next_event: Callable[[str, str], Event]
) -> None:
    inbox = system.spawn(Inbox).result()
    held = inbox.within(SECONDS).ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()

    with pytest.raises(AskTimeoutError):
        inbox.within(0.02).ask(Inbox.keep, 1).result()
    gate.open()

    assert held.result() == "released"
    assert inbox.ask(Inbox.kept).result() == []
    assert system._opened().questions.open == {}  # its credit came back
    letter = next_event("dead_letter", inbox.name)
    assert letter.facts["cause"] == "expired"
    assert letter.facts["method"] == "Inbox.keep"


async def test_an_actor_with_concurrency_three_has_three_messages_in_hand_at_once(
    system: ActorSystem,
) -> None:
    actor = (await system.spawn(ThreeAtOnce)).within(SECONDS)

    inside = await asyncio.gather(*(actor.ask(ThreeAtOnce.enter) for _ in range(3)))

    assert inside == [3, 3, 3]


async def test_an_actor_with_concurrency_three_does_not_take_a_fourth_message(
    system: ActorSystem, tmp_path: Path
) -> None:
    actor = await system.spawn(ThreeAtOnce)
    for number in range(4):
        actor.tell(ThreeAtOnce.stay, str(tmp_path / str(number)))
    taken = [tmp_path / str(number) for number in range(3)]
    await asyncio.to_thread(
        wait_until, lambda: all(path.exists() for path in taken), "three messages"
    )

    with pytest.raises(AskTimeoutError):
        await actor.within(0.05).ask(ThreeAtOnce.pid)

    assert not (tmp_path / "3").exists()
    await actor.kill()


# The end of a system.


@pytest.fixture
def transport(system: ActorSystem) -> str:
    return transport_of(system)


def test_a_normal_end_lets_actors_finish_what_is_queued(
    transport: str, tmp_path: Path
) -> None:
    path = tmp_path / "record"
    with ActorSystem(transport=transport) as system:
        recorder = system.spawn(Recorder, str(path)).result()
        for number in range(3_000):
            recorder.tell(Recorder.record, number)

    assert path.read_text().split() == list(map(str, range(3_000)))


def test_a_normal_end_sends_asks_that_nobody_awaited(
    transport: str, tmp_path: Path
) -> None:
    path = tmp_path / "record"
    with ActorSystem(transport=transport) as system:
        recorder = system.spawn(Recorder, str(path)).result()
        for number in range(3_000):  # more than may be open at once
            recorder.ask(Recorder.record, number)

    assert path.read_text().split() == list(map(str, range(3_000)))


async def test_a_normal_end_in_a_coroutine_lets_actors_finish_what_is_queued(
    transport: str, tmp_path: Path
) -> None:
    path = tmp_path / "record"
    async with ActorSystem(transport=transport) as system:
        recorder = await system.spawn(Recorder, str(path))
        for number in range(3_000):
            recorder.tell(Recorder.record, number)

    assert path.read_text().split() == list(map(str, range(3_000)))


def test_an_exception_ends_the_system_without_waiting_for_what_is_queued(
    transport: str, gate: Gate, tmp_path: Path
) -> None:
    queued: Pending[Any] | None = None

    def fail() -> None:
        nonlocal queued
        with ActorSystem(transport=transport, drain=60) as system:
            inbox = system.options(shutdown=0).spawn(Inbox).result()
            inbox.tell(Inbox.wait_for, gate.path)
            gate.wait_until_entered()
            queued = inbox.within(60).ask(Inbox.kept)
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert queued is not None
    with pytest.raises(
        ActorStoppedError, match="is gone: killed because it did not stop"
    ):
        queued.result()


# Refs are values.


def test_a_ref_equals_its_copies_and_hashes_like_them(system: ActorSystem) -> None:
    one, other = system.spawn(Counter).result(), system.spawn(Counter).result()

    assert one == copy.copy(one) == one.within(1)
    assert hash(one) == hash(copy.copy(one))
    assert one != other
    assert len({one, other, one.within(None)}) == 2
    assert one != one.name


def test_a_ref_travels_to_an_actor_and_back_and_still_works(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter, 10).result()
    proxy = system.spawn(Proxy, counter).result()

    returned = system.spawn(Inbox).result().ask(Inbox.echo, counter).result()

    assert proxy.ask(Proxy.pass_on, counter).result() is True
    assert proxy.ask(Proxy.add, 1).result() == 11
    assert proxy.ask(Proxy.tell_me).result() == proxy
    assert returned == counter
    assert returned.ask(Counter.add, 1).result() == 12


def test_a_ref_keeps_its_deadline_on_the_way(system: ActorSystem, gate: Gate) -> None:
    blocker = system.spawn(Blocker).result()
    echo = system.spawn(Inbox).result()

    returned = echo.ask(Inbox.echo, blocker.within(0.05)).result()

    held_up = blocker.ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    with pytest.raises(AskTimeoutError, match=r"0\.05 s"):
        returned.ask(Blocker.hello).result()
    gate.open()
    held_up.result()


def test_a_ref_is_frozen(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()

    with pytest.raises(AttributeError, match="frozen"):
        counter._timeout = 3


def test_a_method_called_on_a_ref_says_what_to_write_instead(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()

    with pytest.raises(AttributeError, match=r"write ref\.ask\(Counter\.add"):
        counter.add(1)  # type: ignore[attr-defined]  # the mistake


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (lambda _: None, "pass a method of the actor's class"),
        (Counter().add, r"Counter\.add, not a bound method"),
        (Blocker.hello, r"Counter has no handler 'hello'; it has: add"),
        ("add", "pass a method of the actor's class"),
        (Counter.__init__, r"__init__ is private, and no message"),
        (Counter.stop, r"Counter\.stop is for the actor itself, and no message"),
    ],
    ids=["lambda", "bound", "foreign", "name", "dunder", "runtime's own"],
)
def test_what_is_no_method_of_the_class_is_refused_at_the_call(
    system: ActorSystem, method: Callable[..., object], text: str
) -> None:
    counter = system.spawn(Counter).result()

    with pytest.raises(TypeError, match=text):
        counter.ask(method)
    with pytest.raises(TypeError, match=text):
        counter.tell(method)
