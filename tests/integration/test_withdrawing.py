"""Cancelling an await withdraws its message: what has not been taken is never run, on any transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from actors import ActorRef, ActorSystem, Event, Pending
from actors.runtime import lanes, status
from tests.support.actors_under_test import Counter, Inbox, Trouble
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.inside import transport_of

pytestmark = pytest.mark.parametrize(
    "system", ["shm", "unix", "pipe", "mq"], indirect=True, scope="module"
)


@pytest.fixture
async def inbox(system: ActorSystem, gate: Gate) -> AsyncIterator[ActorRef[Inbox]]:
    """An actor that is held up at the gate."""
    ref = (await system.spawn(Inbox)).within(SECONDS)
    ref.tell(Inbox.wait_for, gate.path)
    await asyncio.to_thread(gate.wait_until_entered)
    yield ref
    await ref.kill()


async def cancelled(pending: Pending[None]) -> None:
    """Await *pending* in a task and cancel that."""
    task = asyncio.create_task(pending)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def open_questions(system: ActorSystem) -> int:
    return len(system._opened().questions.open)


def marks(system: ActorSystem) -> int:
    return system._opened().status.words[status.WITHDRAWN]


async def test_of_a_thousand_cancelled_asks_none_is_run_and_all_others_are(
    system: ActorSystem,
    inbox: ActorRef[Inbox],
    gate: Gate,
    next_event: Callable[[str, str], Event],
) -> None:
    tasks = [
        asyncio.create_task(inbox.ask(Inbox.keep, number)) for number in range(1_100)
    ]
    await asyncio.sleep(0)
    for number, task in enumerate(tasks):
        if number % 11:
            task.cancel()
    await asyncio.wait([task for number, task in enumerate(tasks) if number % 11])

    await asyncio.to_thread(gate.open)
    await asyncio.gather(*tasks[::11])

    assert sum(task.cancelled() for task in tasks) == 1_000
    assert await inbox.ask(Inbox.kept) == list(range(0, 1_100, 11))
    assert (open_questions(system), marks(system)) == (0, 0)
    # It is no dead letter: the next one is that of a message that fits nothing.
    inbox.tell(Inbox.keep, bogus=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    letter = await asyncio.to_thread(next_event, "dead_letter", inbox.name)
    assert letter.facts["cause"] == "unhandled"


async def test_a_wait_for_that_gives_up_withdraws(
    inbox: ActorRef[Inbox], gate: Gate
) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.ask(Inbox.keep, 1), 0.01)

    await asyncio.to_thread(gate.open)

    assert await inbox.ask(Inbox.kept) == []


async def test_a_task_group_that_fails_withdraws(
    system: ActorSystem, inbox: ActorRef[Inbox], gate: Gate
) -> None:
    trouble = await system.spawn(Trouble)

    async def ask_both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(inbox.ask(Inbox.keep, 1))
            group.create_task(trouble.ask(Trouble.divide, 0))

    with pytest.raises(ExceptionGroup):
        await ask_both()
    await asyncio.to_thread(gate.open)

    assert await inbox.ask(Inbox.kept) == []


async def test_a_task_that_is_cancelled_before_its_first_step_withdraws(
    inbox: ActorRef[Inbox], gate: Gate
) -> None:
    task = asyncio.create_task(inbox.ask(Inbox.keep, 1))
    task.cancel()
    await asyncio.wait([task])

    await asyncio.to_thread(gate.open)

    assert await inbox.ask(Inbox.kept) == []


async def test_what_waits_for_room_is_withdrawn_too(
    inbox: ActorRef[Inbox], gate: Gate
) -> None:
    count = 1
    while inbox.tell(Inbox.keep, 1, bytes(15 * 1024)).done():
        count += 1

    await cancelled(inbox.ask(Inbox.keep, 2))
    await cancelled(inbox.tell(Inbox.keep, 3))
    await asyncio.to_thread(gate.open)

    assert await inbox.ask(Inbox.kept) == [1] * count


async def test_what_is_in_hand_is_finished_and_its_result_can_be_had(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = (await system.spawn(Inbox)).within(SECONDS)
    pending = inbox.ask(Inbox.wait_for, gate.path)
    await asyncio.to_thread(gate.wait_until_entered)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pending, 0.01)
    await asyncio.to_thread(gate.open)

    assert await pending == "released"


async def test_whoever_awaits_again_takes_the_withdrawal_back(
    system: ActorSystem, inbox: ActorRef[Inbox], gate: Gate
) -> None:
    pending = inbox.ask(Inbox.keep, 1)
    await cancelled(pending)
    assert marks(system) == 1

    again = asyncio.create_task(pending)
    await asyncio.sleep(0)
    await asyncio.to_thread(gate.open)
    await again

    assert await inbox.ask(Inbox.kept) == [1]


async def test_awaiting_what_was_withdrawn_and_dropped_is_cancelled_again(
    inbox: ActorRef[Inbox], gate: Gate
) -> None:
    pending = inbox.ask(Inbox.keep, 1)
    await cancelled(pending)

    await asyncio.to_thread(gate.open)
    await inbox.ask(Inbox.kept)

    with pytest.raises(asyncio.CancelledError, match="withdrawn"):
        await pending


async def test_a_message_that_another_task_waits_for_is_not_withdrawn(
    inbox: ActorRef[Inbox], gate: Gate
) -> None:
    pending = inbox.ask(Inbox.keep, 1)

    async def wait() -> None:
        await pending

    patient = asyncio.create_task(wait())
    await cancelled(pending)
    await asyncio.to_thread(gate.open)
    await patient

    assert await inbox.ask(Inbox.kept) == [1]


async def test_a_message_that_a_thread_waits_for_is_not_withdrawn(
    system: ActorSystem, inbox: ActorRef[Inbox], gate: Gate
) -> None:
    pending = inbox.ask(Inbox.keep, 1)
    waiting = system._opened().waiting
    blocked = asyncio.create_task(asyncio.to_thread(pending.result))
    await asyncio.to_thread(wait_until, lambda: waiting.has_waiter(pending), "a thread")

    await cancelled(pending)
    await asyncio.to_thread(gate.open)
    await blocked

    assert await inbox.ask(Inbox.kept) == [1]


async def test_the_blob_of_a_withdrawn_message_goes_with_it(
    system: ActorSystem, inbox: ActorRef[Inbox], gate: Gate
) -> None:
    folder = system._opened().directory.path / "blob"
    await cancelled(inbox.ask(Inbox.keep, 1, bytes(100_000)))
    assert len(list(folder.iterdir())) == 1

    await asyncio.to_thread(gate.open)
    await inbox.ask(Inbox.kept)

    assert list(folder.iterdir()) == []


async def test_a_cancelled_spawn_starts_its_actor_all_the_same(
    system: ActorSystem,
) -> None:
    pending = system.options(name="wanted").spawn(Counter)
    task = asyncio.create_task(pending)
    task.cancel()
    await asyncio.wait([task])

    counter = await pending

    assert await counter.ask(Counter.add, 1) == 1
    await counter.kill()


async def test_no_more_questions_are_open_than_the_lane_has_places_for_answers(
    system: ActorSystem, inbox: ActorRef[Inbox], gate: Gate
) -> None:
    """Without the limit a thousand large answers would not fit into the lane."""
    credits_ = lanes.credits_of(lanes.MAIN_LANE_BYTES)
    asks = [inbox.ask(Inbox.keep, number) for number in range(credits_ + 100)]
    opened = open_questions(system)

    await asyncio.to_thread(gate.open)
    await asyncio.gather(*asks)

    assert opened <= credits_
    if transport_of(system) == "shm":  # the others' mailboxes are smaller than that
        assert opened == credits_ - credits_ // 4
