"""Shared memory that somebody has scribbled on: an error for those concerned, and everybody goes on."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, Event, MailboxLostError
from actors.errors import ActorError
from actors.runtime.outgoing import mailbox_name
from tests.support.actors_under_test import Inbox
from tests.support.damage import scribble
from tests.support.gates import SECONDS, Gate
from tests.support.lives import Chatter, Ledger, notes
from transports.kernel import landing_name

NextEvent = Callable[[str, str], Event]
MOST = 10**9  # messages of one sender


@pytest.fixture
def inbox(system: ActorSystem) -> Iterator[ActorRef[Inbox]]:
    ref = system.options(intensity=10**6).spawn(Inbox).result().within(SECONDS)
    yield ref
    ref.kill().result()


def smash(
    system: ActorSystem, ref: ActorRef[Any], seed: int, name: str | None = None
) -> None:
    """Write random bytes over the whole ring, or over a part of it that every sender and receiver reads."""
    scribble(system, name or mailbox_name(ref._number), seed, None if seed % 2 else 512)


def check_idle(system: ActorSystem, inbox: ActorRef[Inbox], seed: int) -> None:
    inbox.ask(Inbox.keep, 1).result()

    smash(system, inbox, seed)

    with contextlib.suppress(MailboxLostError):  # accepted before anybody noticed
        inbox.ask(Inbox.kept).result()
    assert inbox.ask(Inbox.kept).result() == []  # by another incarnation


def check_asks(
    system: ActorSystem,
    gate: Gate,
    inbox: ActorRef[Inbox],
    count: int,
    seed: int,
    name: str | None = None,
) -> None:
    """Damage the mailbox of an actor that is held up, with *count* questions in it."""
    patient = inbox.within(None)
    holding = patient.ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    asked = [patient.ask(Inbox.echo, number) for number in range(count)]

    smash(system, inbox, seed, name)
    gate.open()

    assert holding.result(SECONDS) == "released"
    for pending in asked:
        with pytest.raises(MailboxLostError, match=r"echo: the mailbox of Inbox-"):
            pending.result(SECONDS)
    assert patient.ask(Inbox.echo, "on").result(SECONDS) == "on"


@pytest.mark.parametrize("seed", range(10))
def test_actor_with_a_damaged_mailbox_gets_another_one_and_senders_go_on(
    system: ActorSystem, inbox: ActorRef[Inbox], seed: int
) -> None:
    check_idle(system, inbox, seed)


@pytest.mark.slow
def test_two_hundred_damaged_mailboxes_are_replaced(
    system: ActorSystem, inbox: ActorRef[Inbox]
) -> None:
    for seed in range(10, 210):
        check_idle(system, inbox, seed)


@pytest.mark.parametrize("seed", range(10))
def test_asks_in_a_damaged_mailbox_fail_and_do_not_wait(
    system: ActorSystem, gate: Gate, inbox: ActorRef[Inbox], seed: int
) -> None:
    check_asks(system, gate, inbox, 20, seed)


@pytest.mark.parametrize("transport", ["unix", "pipe", "mq"])
def test_asks_in_a_mailbox_whose_landing_is_damaged_fail_and_do_not_wait(
    system: ActorSystem, gate: Gate, transport: str
) -> None:
    """Of a socket or a queue the root named what the askers did not know it by: they waited for ever."""
    options = system.options(transport=transport, intensity=10**6)
    inbox = options.spawn(Inbox).result()

    check_asks(system, gate, inbox, 3, 3, landing_name(mailbox_name(inbox._number)))

    inbox.kill().result(SECONDS)


def test_the_loss_is_told(
    system: ActorSystem, inbox: ActorRef[Inbox], next_event: NextEvent
) -> None:
    smash(system, inbox, 1)
    with contextlib.suppress(MailboxLostError):
        inbox.ask(Inbox.kept).result()

    assert next_event("child_exit", inbox.name).facts["text"].startswith("found its")
    next_event("mailbox_lost", inbox.name)


@pytest.mark.parametrize("kind", ["a part of the header", "all of it"])
@pytest.mark.parametrize(
    ("seed", "times"),
    [
        (1, 20),
        *(pytest.param(seed, 100, marks=pytest.mark.slow) for seed in range(2, 7)),
    ],
)
def test_actor_under_load_gets_another_mailbox_and_no_sender_dies(
    system: ActorSystem, tmp_path: Path, kind: str, seed: int, times: int
) -> None:
    """A sender that held the mutex when it was written over died of SIGSEGV, in the C library."""
    chance = random.Random(seed)
    endless = system.options(intensity=float("inf"), mailbox_bytes=4096)
    ledger = endless.spawn(Ledger, str(tmp_path / "ledger")).result()
    tellers = [system.spawn(Chatter).result() for _ in range(2)]
    asker = system.spawn(Chatter).result()
    senders = [*tellers, asker]
    events = system.events()
    for place, teller in enumerate(tellers):
        teller.tell(Chatter.tell_for_ever, ledger, place * MOST)
    asker.tell(Chatter.ask_for_ever, ledger, len(tellers) * MOST)
    seen = Counter[tuple[str, str | None]]()

    for _ in range(times):
        let_run(chance.random() / 100)
        smash(system, ledger, 2 * chance.randrange(2**32) + (kind == "all of it"))
        while (event := events.next().result(SECONDS)).kind != "child_ready":
            seen[event.kind, event.actor] += 1

    assert {actor for kind, actor in seen if kind == "child_exit"} == {ledger.name}
    assert seen["mailbox_lost", ledger.name] == times  # told of each
    for each in [*senders, ledger]:
        each.kill().result()
    handled = [int(text) for _, text in notes(tmp_path / "ledger")]
    for place in range(len(senders)):
        ours = [number for number in handled if number // MOST == place]
        assert ours == sorted(set(ours))
        assert len(ours) > times  # they did go on
    events.close()


def let_run(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251 - the moment is what is random


def test_system_with_a_damaged_mailbox_closes(gate: Gate) -> None:
    with ActorSystem(drain=0.2) as system:
        inbox = system.spawn(Inbox).result()
        inbox.tell(Inbox.wait_for, gate.path)
        gate.wait_until_entered()
        asked = inbox.within(None).ask(Inbox.kept)
        smash(system, inbox, 1)
        gate.open()

    with pytest.raises(ActorError):
        asked.result(SECONDS)
