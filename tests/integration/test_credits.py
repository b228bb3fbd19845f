"""Actors that answer nothing: others can still be asked, they themselves be killed, and the system be closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors import ActorRef, ActorSystem, AskTimeoutError, Pending
from actors.runtime import lanes
from tests.support.actors_under_test import Counter, Inbox
from tests.support.gates import SECONDS, Gate

CREDITS = lanes.credits_of(lanes.MAIN_LANE_BYTES)


@pytest.fixture
def running() -> Iterator[ActorSystem]:
    with ActorSystem(drain=0) as system:
        yield system


@pytest.fixture
def counter(running: ActorSystem) -> ActorRef[Counter]:
    return running.spawn(Counter).result(SECONDS).within(SECONDS)


@pytest.fixture
def hung(running: ActorSystem, gate: Gate) -> ActorRef[Inbox]:
    """An actor that answers nothing until it is killed."""
    inbox = running.options(shutdown=0.1).spawn(Inbox).result(SECONDS).within(None)
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    return inbox


def ask_often(ref: ActorRef[Inbox]) -> list[Pending[list[int]]]:
    return [ref.ask(Inbox.kept) for _ in range(CREDITS + 100)]


def test_others_answer_while_one_is_asked_in_vain(
    hung: ActorRef[Inbox], counter: ActorRef[Counter]
) -> None:
    """It held all credits: asks to others timed out."""
    ask_often(hung)

    assert counter.ask(Counter.add, 1).result(SECONDS) == 1


def test_an_actor_that_is_asked_in_vain_can_be_killed(hung: ActorRef[Inbox]) -> None:
    """The request waited for a credit that only its effect could have given back."""
    ask_often(hung)
    ends = [hung.ended() for _ in range(CREDITS + 100)]

    hung.kill().result(SECONDS)

    assert {end.result(SECONDS).cause for end in ends} == {"api"}


def test_a_system_with_an_actor_that_is_asked_in_vain_can_be_closed(
    running: ActorSystem, hung: ActorRef[Inbox]
) -> None:
    """It waited for ever."""
    asked = ask_often(hung)

    running.close(drain=0)

    assert all(pending.done() for pending in asked)


def test_asks_that_have_timed_out_keep_no_credit(
    running: ActorSystem, hung: ActorRef[Inbox]
) -> None:
    for pending in ask_often(hung.within(0.01)):
        with pytest.raises(AskTimeoutError):
            pending.result(SECONDS)

    assert running._opened().questions.open == {}
