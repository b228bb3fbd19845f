"""The protocol of ring, bell and slot, in every order and with a kill anywhere."""

from __future__ import annotations

import attrs
import pytest

from tests.support import ring_model
from tests.support.explorer import Exploration, explore
from tests.support.ring_model import (
    LIVE,
    PUT,
    PUT_AT_ONCE,
    Model,
    Program,
    Sender,
    World,
    moved,
    replaced,
    without,
)


def exploration(model: Model, first: World) -> Exploration[World]:
    return explore(first, model.steps, ring_model.wrong, ring_model.is_kill)


@pytest.mark.parametrize(
    ("senders", "kills", "states"),
    [
        (ring_model.ONE_SENDER, 2, 10_000),
        pytest.param(World().senders, 1, 100_000, marks=pytest.mark.slow),
        pytest.param(World().senders, 2, 100_000, marks=pytest.mark.slow),
    ],
    ids=["one sender, two kills", "two senders, one kill", "two senders, two kills"],
)
def test_every_committed_message_is_answered_or_reported_in_all_orders(
    senders: tuple[ring_model.Sender, ...], kills: int, states: int
) -> None:
    found = exploration(Model(), World(senders=senders, kills=kills))

    assert (found.wrong, found.trace) == (None, ())
    assert found.states > states  # it did look


@attrs.frozen
class Mistake:
    """A protocol that somebody may find simpler, and what comes of it."""

    model: Model
    consequence: str


MISTAKES = {
    "the actor sleeps without looking again": Mistake(
        Model(live=without(LIVE, "look again")), "asleep on a message"
    ),
    "the actor looks again before it has armed": Mistake(
        Model(live=moved(LIVE, "look again", before="arm")), "asleep on a message"
    ),
    "the store of armed may pass the load of the tail": Mistake(
        Model(live=replaced(LIVE, "arm", ring_model.arm_weakly)), "asleep on a message"
    ),
    "the bell is silenced just before the sleep": Mistake(
        Model(live=moved(LIVE, "hush", before="sleep")), "asleep on a message"
    ),
    "a sender looks for a sleeper before the message is there": Mistake(
        Model(put=moved(PUT, "look whether it sleeps", before="move the tail")),
        "asleep on a message",
    ),
    "a sender clears its note before the bell": Mistake(
        Model(put=moved(PUT, "clear the note", before="ring")), "asleep on a message"
    ),
    "a sender notes its mailbox after the message is there": Mistake(
        Model(put=moved(PUT, "note the mailbox", before="unlock")),
        "asleep on a message",
    ),
    "nobody rings for a dead sender": Mistake(
        Model(ring_for=ring_model.ring_for_nobody), "asleep on a message"
    ),
    "senders do without the mutex": Mistake(Model(put=without(PUT, "lock")), "torn"),
    "a sender does not look for room": Mistake(
        Model(put=without(PUT, "look for room")), "torn"
    ),
    "a sender sleeps without looking for room again": Mistake(
        Model(put=without(PUT, "look for room again")), "a sender waits for ever"
    ),
    "a sender looks for room again before it says that it waits": Mistake(
        Model(put=moved(PUT, "look for room again", before="say that it waits")),
        "a sender waits for ever",
    ),
    "the actor does not look for waiters before it sleeps": Mistake(
        Model(live=replaced(LIVE, "look for waiters at rest", ring_model.rest)),
        "a sender waits for ever",
    ),
    "the actor forgets the waiters before it has woken them": Mistake(
        Model(
            live=replaced(
                replaced(LIVE, "say that it wakes", ring_model.forget_the_waiters),
                "say that it wakes at rest",
                ring_model.forget_the_waiters,
            )
        ),
        "a sender waits for ever",
    ),
    "the tail moves before the record is whole": Mistake(
        Model(put=moved(PUT, "move the tail", before="copy the rest")), "torn"
    ),
    "the mutex is not robust": Mistake(
        Model(put=replaced(PUT, "lock", ring_model.lock_unless_dead)),
        "a sender waits for ever",
    ),
    "the record is taken before the copy": Mistake(
        Model(live=moved(LIVE, "mark it as taken", before="copy to the slot")), "torn"
    ),
    "the record is taken before the slot is marked": Mistake(
        Model(live=moved(LIVE, "mark it as taken", before="mark the slot")),
        "lost without a word",
    ),
    "the slot is marked before the copy": Mistake(
        Model(live=moved(LIVE, "mark the slot", before="copy to the slot")), "torn"
    ),
    "what a dead actor had claimed is not settled": Mistake(
        Model(settle=ring_model.leave_unsettled), "asleep on a message"
    ),
    "started before the slot holds the message": Mistake(
        Model(live=moved(LIVE, "start", before="copy to the slot")), "torn"
    ),
    "handled before it is started": Mistake(
        Model(
            live=replaced(
                replaced(LIVE, "start", ring_model.handle), "handle", ring_model.start
            )
        ),
        "handled twice",
    ),
    "done before the answer": Mistake(
        Model(live=moved(LIVE, "empty the slot again", before="answer")),
        "lost without a word",
    ),
    "the start is forgotten before the slot is empty": Mistake(
        Model(
            live=moved(LIVE, "forget the start again", before="empty the slot again")
        ),
        "handled twice",
    ),
}


def among_two(live: Program = LIVE) -> Model:
    return Model(put=PUT_AT_ONCE, live=live)


def two_actors(kills: int, first_message: int) -> World:
    """Two actors and one sender, which begins with this message of two."""
    senders = (Sender(message=first_message), ring_model.ONE_SENDER[1])
    return World(kills=kills, senders=senders, actors=ring_model.TWO_ACTORS)


@pytest.mark.parametrize(
    ("kills", "first_message"),
    [
        pytest.param(0, 1, id="1-message"),
        pytest.param(1, 1, id="1-kill-1-message", marks=pytest.mark.slow),
        pytest.param(1, 0, id="1-kill-2-messages", marks=pytest.mark.slow),
    ],
)
def test_two_actors_answer_every_committed_message_once_in_all_orders(
    kills: int, first_message: int
) -> None:
    found = exploration(among_two(), two_actors(kills, first_message))

    assert (found.wrong, found.trace) == (None, ())
    assert found.states > 1000


def test_two_actors_need_an_exchange_to_claim_a_message() -> None:
    mistaken = replaced(LIVE, "claim", ring_model.claim_without_a_look)

    found = exploration(among_two(mistaken), two_actors(1, 0))

    assert found.wrong == "torn"


@pytest.mark.slow
def test_claim_of_a_dead_actor_is_lost_if_the_next_one_has_not_noted_it() -> None:
    mistaken = without(LIVE, "note the last claim")

    found = exploration(among_two(mistaken), two_actors(1, 0))

    assert found.wrong == "asleep on a message"


# These take hundreds of thousands of states each.
LONG = {
    "a sender sleeps without looking for room again",
    "a sender looks for room again before it says that it waits",
    "the actor does not look for waiters before it sleeps",
    "the actor forgets the waiters before it has woken them",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
        for name in MISTAKES
    ],
)
def test_mistake_in_the_protocol_is_found_with_one_kill(name: str) -> None:
    few = World(kills=1, senders=ring_model.ONE_SENDER)  # where that shows it: sooner
    found = exploration(MISTAKES[name].model, few)
    if found.wrong is None:
        found = exploration(MISTAKES[name].model, World(kills=1))

    assert found.wrong == MISTAKES[name].consequence, "\n".join(found.trace)
