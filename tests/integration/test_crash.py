"""Actors that die: what becomes of their messages, of those who asked, and of themselves."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import (
    ActorCrashedError,
    ActorStoppedError,
    ActorSystem,
    Event,
    ExitKind,
)
from tests.support.accounts import Account
from tests.support.actors_under_test import Blocker, Counter
from tests.support.gates import SECONDS, Gate
from tests.support.lives import Ledger, Troubled, notes

pytestmark = pytest.mark.parametrize(
    "system", ["shm", "unix"], indirect=True, scope="module"
)

NextEvent = Callable[[str, str], Event]


def die(pid: int, signum: int = signal.SIGKILL) -> None:
    os.kill(pid, signum)


# What was queued.


@pytest.mark.parametrize("runs", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_ten_thousand_queued_tells_outlive_a_sigkill_in_order_and_once(
    system: ActorSystem, tmp_path: Path, runs: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)

    for run in range(runs):
        account = Account.open(system, tmp_path / str(run))
        for _ in range(10_000):
            account.send()
        account.let_run(rng.random() / 20)
        account.kill()

        assert account.close() == []
        assert account.sent == 10_000


def test_messages_queued_behind_the_one_that_kills_are_handled_by_the_next_incarnation(
    system: ActorSystem, gate: Gate, tmp_path: Path, next_event: NextEvent
) -> None:
    path = tmp_path / "ledger"
    ledger = system.spawn(Ledger, str(path)).result()
    first = ledger.ask(Ledger.pid).result()
    ledger.tell(Ledger.hold, gate.path)
    gate.wait_until_entered()
    for number in range(200):
        ledger.tell(Ledger.record, number)

    die(first)
    second = ledger.ask(Ledger.pid).result()

    assert notes(path) == [(second, str(number)) for number in range(200)]
    letter = next_event("dead_letter", ledger.name)
    assert letter.facts["cause"] == "crashed"
    assert letter.facts["method"] == "Ledger.hold"
    assert letter.incarnation == 1
    assert letter.pid == first
    assert letter.reason is None


# Asks.


def test_an_ask_in_the_hands_of_a_killed_actor_fails_at_once_and_says_how(
    system: ActorSystem, gate: Gate
) -> None:
    blocker = system.options(name="victim").spawn(Blocker).result()
    pid = blocker.ask(Blocker.pid).result()
    held = blocker.within(None).ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()

    killed = time.monotonic()
    die(pid)
    with pytest.raises(ActorCrashedError) as failure:
        held.result(SECONDS)
    took = time.monotonic() - killed

    error = failure.value
    assert (error.name, error.method, error.attempt) == (
        "victim",
        "Blocker.wait_for",
        1,
    )
    assert error.reason.kind is ExitKind.SIGNAL
    assert error.reason.signal == "SIGKILL"
    assert error.reason.pid == pid
    assert error.reason.during == "Blocker.wait_for"
    assert (
        str(error) == "victim died in Blocker.wait_for (attempt 1): killed by SIGKILL"
    )
    assert took < 2
    blocker.kill().result()


def test_asks_queued_behind_a_crash_are_answered_by_the_next_incarnation(
    system: ActorSystem, gate: Gate
) -> None:
    blocker = system.spawn(Blocker).result().within(SECONDS)
    first = blocker.ask(Blocker.pid).result()
    held = blocker.ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    queued = [blocker.ask(Blocker.pid) for _ in range(30)]

    die(first)

    with pytest.raises(ActorCrashedError):
        held.result()
    (second,) = {ask.result() for ask in queued}
    assert second != first


async def test_waiting_coroutines_learn_of_a_crash_as_threads_do(
    system: ActorSystem, gate: Gate
) -> None:
    blocker = (await system.spawn(Blocker)).within(SECONDS)
    pid = await blocker.ask(Blocker.pid)
    held = asyncio.ensure_future(blocker.ask(Blocker.wait_for, gate.path))
    queued = asyncio.ensure_future(blocker.ask(Blocker.hello))
    await asyncio.to_thread(gate.wait_until_entered)

    die(pid)

    with pytest.raises(ActorCrashedError):
        await held
    assert await queued == "hello"


def test_an_ask_of_an_actor_that_has_ended_fails_with_the_reason_of_its_end(
    system: ActorSystem, tmp_path: Path
) -> None:
    troubled = (
        system.options(restart="temporary")
        .spawn(Troubled, str(tmp_path / "flag"), "nowhere", "raise")
        .result()
    )
    troubled.tell(Troubled.crash)
    troubled.ended().result(SECONDS)

    with pytest.raises(
        ActorStoppedError, match="is gone: raised LookupError: asked to"
    ) as failure:
        troubled.within(None).ask(Troubled.pid).result(SECONDS)

    assert failure.value.name == troubled.name
    assert failure.value.reason.exc_type == "LookupError"


def test_a_tell_to_an_actor_that_has_ended_fails_and_is_a_dead_letter(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()
    events = system.events()
    counter.kill().result()

    sent = counter.tell(Counter.add, 1)

    with pytest.raises(ActorStoppedError, match="killed on request"):
        sent.result(SECONDS)
    letter = events.next().result(SECONDS)
    while letter.kind != "dead_letter":
        letter = events.next().result(SECONDS)
    assert letter.facts["cause"] == "stopped"
    assert letter.facts["method"] == "Counter.add"
    assert letter.actor == counter.name
    events.close()


def test_what_is_queued_when_an_actor_ends_is_answered_or_becomes_dead_letters(
    system: ActorSystem, gate: Gate
) -> None:
    events = system.events()
    blocker = system.spawn(Blocker).result().within(None)
    held = blocker.ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    queued = [blocker.ask(Blocker.hello) for _ in range(30)]
    for _ in range(30):
        blocker.tell(Blocker.hello)

    blocker.kill().result()

    with pytest.raises(ActorCrashedError, match="killed on request"):
        held.result(SECONDS)
    for ask in queued:
        with pytest.raises(ActorStoppedError, match="killed on request"):
            ask.result(SECONDS)
    letters = []
    while len(letters) < 31:
        event = events.next().result(SECONDS)
        if event.kind == "dead_letter" and event.actor == blocker.name:
            letters.append((event.facts["cause"], event.facts["method"]))
    assert letters.count(("crashed", "Blocker.wait_for")) == 1
    assert letters.count(("stopped", "Blocker.hello")) == 30
    events.close()
