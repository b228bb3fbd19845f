"""Actors that die: what becomes of their messages, of those who asked, and of themselves."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorCrashedError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    Event,
    Events,
    ExitKind,
)
from tests.support.accounts import Account
from tests.support.actors_under_test import Blocker, Counter
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.inside import transport_of
from tests.support.lives import AsyncLedger, Ledger, Trouble, Troubled, notes

pytestmark = pytest.mark.parametrize(
    "system", ["shm", "unix", "pipe", "mq"], indirect=True, scope="module"
)

NextEvent = Callable[[str, str], Event]


def die(pid: int, signum: int = signal.SIGKILL) -> None:
    os.kill(pid, signum)


# What was queued.


@pytest.mark.parametrize(
    "batch",
    [0, *(pytest.param(batch, marks=pytest.mark.slow) for batch in range(1, 5))],
)
def test_ten_thousand_queued_tells_outlive_a_sigkill_in_order_and_once(
    system: ActorSystem, tmp_path: Path, batch: int
) -> None:
    runs = 10 if batch or transport_of(system) == "shm" else 1  # sockets are slow
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
    letters: list[tuple[str, str]] = []
    while len(letters) < 31:
        event = events.next().result(SECONDS)
        if event.kind == "dead_letter" and event.actor == blocker.name:
            letters.append((event.facts["cause"], event.facts["method"]))
    assert letters.count(("crashed", "Blocker.wait_for")) == 1
    assert letters.count(("stopped", "Blocker.hello")) == 30
    events.close()


# Several at once.


def test_a_crash_with_three_messages_in_hand_reports_exactly_those_three(
    system: ActorSystem, tmp_path: Path
) -> None:
    events = system.events()
    path, held_path = tmp_path / "ledger", tmp_path / "held"
    ledger = system.spawn(AsyncLedger, str(path)).result().within(None)
    first = ledger.ask(AsyncLedger.pid).result()
    ledger.tell(AsyncLedger.hold_async, str(held_path), 0)
    asked = [ledger.ask(AsyncLedger.hold_async, str(held_path), n) for n in (1, 2)]
    queued = [ledger.ask(AsyncLedger.record_later, number) for number in range(20)]
    wait_until(lambda: len(notes(held_path)) == 3, "three messages in hand")

    die(first)

    for ask in asked:
        with pytest.raises(ActorCrashedError, match=r"AsyncLedger\.hold_async"):
            ask.result(SECONDS)
    assert [ask.result(SECONDS) for ask in queued] == list(range(20))
    ledger.kill().result()
    letters = [
        event
        for event in until_stopped(events, ledger)
        if is_letter(event) and event.incarnation == 1
    ]
    assert [event.facts["method"] for event in letters] == 3 * [
        "AsyncLedger.hold_async"
    ]
    assert sorted(event.facts["is_question"] for event in letters) == [
        False,
        True,
        True,
    ]


def is_letter(event: Event) -> bool:
    return event.kind == "dead_letter"


def until_stopped(events: Events, ref: ActorRef[Any]) -> list[Event]:
    """Return the events of an actor up to its end."""
    seen: list[Event] = []
    while not seen or seen[-1].kind != "child_stopped":
        event = events.next().result(SECONDS)
        assert event.kind != "events_dropped"
        if event.actor == ref.name:
            seen.append(event)
    events.close()
    return seen


def test_a_storm_of_kills_leaves_no_asker_without_an_answer(
    system: ActorSystem, tmp_path: Path
) -> None:
    """Askers and tellers in threads, an actor that handles three at once, and a kill every few milliseconds."""
    events = system.events()
    ledger = (
        system.options(intensity=math.inf)
        .spawn(AsyncLedger, str(tmp_path / "ledger"))
        .result()
        .within(None)
    )
    kills, askers, each = 25, 3, 400
    outcomes: list[list[int]] = [[] for _ in range(askers)]
    crashes: list[int] = []

    def ask(asker: int) -> None:
        for number in range(each):
            value = asker * each + number
            try:
                answer = ledger.ask(AsyncLedger.record_later, value).result(SECONDS)
            except ActorCrashedError:
                crashes.append(value)
            else:
                outcomes[asker].append(answer - value)

    threads = [threading.Thread(target=ask, args=(asker,)) for asker in range(askers)]
    rng = random.Random(7)
    for thread in threads:
        thread.start()
    killed, seen = 0, list[Event]()
    while killed < kills and any(thread.is_alive() for thread in threads):
        seen.append(event := events.next().result(SECONDS))
        if event.actor == ledger.name and event.kind == "child_ready":
            threading.Event().wait(rng.random() / 100)
            die(event.pid)
            killed += 1
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()

    assert [len(outcome) for outcome in outcomes] != [0] * askers
    assert all(set(outcome) == {0} for outcome in outcomes)
    assert sum(map(len, outcomes)) + len(crashes) == askers * each
    ledger.kill().result()
    seen += until_stopped(events, ledger)
    # A letter more than those that were told: the answer was on its way, and the message still in its slot.
    assert len(crashes) <= sum(map(is_letter, seen)) <= 3 * (killed + 1)


def test_a_kill_of_every_incarnation_before_it_is_ready_is_survived(
    system: ActorSystem, tmp_path: Path
) -> None:
    events = system.events()
    ledger = (
        system.options(intensity=math.inf)
        .spawn(Ledger, str(tmp_path / "ledger"))
        .result()
        .within(None)
    )
    for number in range(100):
        ledger.tell(Ledger.record, number)

    killed = 0
    die(ledger.ask(Ledger.pid).result())
    while killed < 10:
        event = events.next().result(SECONDS)
        if (event.kind, event.actor) == ("child_starting", ledger.name):
            with contextlib.suppress(ProcessLookupError):
                die(event.pid)
                killed += 1

    assert ledger.ask(Ledger.pid).result(SECONDS) not in {0, os.getpid()}
    numbers = [int(text) for _, text in notes(tmp_path / "ledger")]
    assert numbers == list(range(100))
    events.close()
    ledger.kill().result()


# Giving up.


def test_an_actor_that_crashes_too_often_ends_alone_with_the_chain_of_reasons(
    system: ActorSystem, gate: Gate, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    other = system.spawn(Counter, 1).result()
    spawner = system.options(name="hopeless", intensity=2, period=60)
    troubled = spawner.spawn(Troubled, str(flag), "nowhere", "raise").result()
    troubled = troubled.within(None)
    events = system.events()

    for _ in range(3):
        troubled.tell(Troubled.crash)
    waiting = [troubled.ask(Troubled.pid) for _ in range(30)]

    reason = troubled.ended().result(SECONDS)
    for ask in waiting:
        with pytest.raises(ActorStoppedError) as failure:
            ask.result(SECONDS)
        assert failure.value.reason == reason
        assert (
            "gave up after 3 crashes of hopeless in 60 s; last: raised LookupError: "
            "asked to while running Troubled.crash" in str(failure.value)
        )
    assert reason.kind is ExitKind.INTENSITY_EXCEEDED
    assert (reason.count, reason.period, reason.incarnation) == (3, 60, 3)
    assert reason.inner is not None
    assert reason.inner.exc_type == "LookupError"
    assert "in crash" in (reason.inner.traceback or "")
    kinds = [event.kind for event in until_stopped(events, troubled)]
    assert kinds[-4:] == ["dead_letter", "child_exit", "giving_up", "child_stopped"]
    assert other.ask(Counter.add, 1).result() == 2
    again = spawner.spawn(Troubled, str(flag), "nowhere", "raise").result()
    assert again != troubled
    again.kill().result()


@pytest.mark.parametrize("place", ["__init__", "on_start"])
@pytest.mark.parametrize("trouble", ["raise", "die"])
def test_a_restart_that_fails_every_time_counts_each_time_and_gives_up(
    system: ActorSystem, tmp_path: Path, place: str, trouble: Trouble
) -> None:
    flag = tmp_path / "flag"
    troubled = (
        system.options(intensity=3, period=60)
        .spawn(Troubled, str(flag), place, trouble)
        .result()
    )
    flag.touch()

    die(troubled.ask(Troubled.pid).result())

    reason = troubled.ended().result(SECONDS)
    assert reason.kind is ExitKind.INTENSITY_EXCEEDED
    assert len(notes(f"{flag}.entered")) == 3
    last = reason.inner
    assert last is not None
    if trouble == "raise":
        assert last.kind is ExitKind.FAILED_TO_START
        assert last.inner is not None
        assert f"trouble in {place}" in (last.inner.traceback or "")
    else:
        assert (last.kind, last.exit_code) == (ExitKind.EXIT_CODE, 4)


def test_a_restart_that_fails_once_is_tried_again_with_the_queue_kept(
    system: ActorSystem, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    troubled = (
        system.spawn(Troubled, str(flag), "on_start", "raise").result().within(None)
    )
    first = troubled.ask(Troubled.pid).result()
    flag.touch()
    die(first)
    wait_until(lambda: len(notes(f"{flag}.entered")) == 1, "a failed restart")
    flag.unlink()

    assert troubled.ask(Troubled.pid).result(SECONDS) != first
    troubled.kill().result()
