"""Shared memory that somebody has scribbled on: an error for those concerned, and everybody goes on."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator

import pytest

from actors import ActorRef, ActorSystem, Event, MailboxLostError
from actors.errors import ActorError
from tests.support.actors_under_test import Inbox
from tests.support.gates import SECONDS, Gate

NextEvent = Callable[[str, str], Event]


@pytest.fixture
def inbox(system: ActorSystem) -> Iterator[ActorRef[Inbox]]:
    ref = system.options(intensity=10**6).spawn(Inbox).result().within(SECONDS)
    yield ref
    ref.kill().result()


def smash(system: ActorSystem, ref: ActorRef[Inbox], seed: int) -> None:
    """Write random bytes over the whole ring, or over a part of it that every sender and receiver reads."""
    chance = random.Random(seed)
    assert system._client is not None
    path = system._client.directory.path / f"{ref._number}.mail"
    fd = os.open(path, os.O_RDWR)
    size = os.fstat(fd).st_size if seed % 2 else 512
    os.pwrite(fd, chance.randbytes(size), 0)
    os.close(fd)


def check_idle(system: ActorSystem, inbox: ActorRef[Inbox], seed: int) -> None:
    inbox.ask(Inbox.keep, 1).result()

    smash(system, inbox, seed)

    with contextlib.suppress(MailboxLostError):  # accepted before anybody noticed
        inbox.ask(Inbox.kept).result()
    assert inbox.ask(Inbox.kept).result() == []  # by another incarnation


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
    patient = inbox.within(None)
    holding = patient.ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    asked = [patient.ask(Inbox.echo, number) for number in range(20)]

    smash(system, inbox, seed)
    gate.open()

    assert holding.result(SECONDS) == "released"
    for pending in asked:
        with pytest.raises(MailboxLostError, match=r"echo: the mailbox of Inbox-"):
            pending.result(SECONDS)
    assert patient.ask(Inbox.echo, "on").result(SECONDS) == "on"


def test_the_loss_is_told(
    system: ActorSystem, inbox: ActorRef[Inbox], next_event: NextEvent
) -> None:
    smash(system, inbox, 1)
    with contextlib.suppress(MailboxLostError):
        inbox.ask(Inbox.kept).result()

    assert next_event("child_exit", inbox.name).facts["text"].startswith("found its")
    next_event("mailbox_lost", inbox.name)


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
