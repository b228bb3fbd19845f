"""What waits for one actor, over all its senders: frames in the mailbox, and payloads outside of it."""

from __future__ import annotations

import math
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, MailboxState
from tests.support.gates import SECONDS, wait_until
from tests.support.heavy import LOAD_BYTES, SENDERS, Board, Carrier, Depot

TRANSPORTS = ["shm", "unix", "pipe", "mq"]
BOUND = 256 * 1024
FITTING = 7  # loads, the last of which passes the bound
IN_A_QUEUE = {"mq": 6}  # messages that it holds

pytestmark = pytest.mark.parametrize("system", TRANSPORTS, indirect=True)


def state(depot: ActorRef[Depot]) -> MailboxState:
    return depot.mailbox().inspect().result(SECONDS)


def is_empty(depot: ActorRef[Depot]) -> bool:
    seen = state(depot)
    return not (seen.messages or seen.payloads or seen.in_hand)


def spawn_all(
    system: ActorSystem, board: Board
) -> tuple[ActorRef[Depot], list[ActorRef[Carrier]]]:
    depot = system.options(mailbox_payload_bytes=BOUND).spawn(Depot).result()
    lasting = system.options(intensity=math.inf)
    senders = [lasting.spawn(Carrier, depot, n, board.path) for n in range(SENDERS)]
    return depot, [sender.result() for sender in senders]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    made = Board.create(tmp_path / "board")
    yield made
    made.close()


def test_eight_senders_pass_the_bound_by_no_more_than_one_message_each(
    system: ActorSystem, request: pytest.FixtureRequest, board: Board
) -> None:
    board.end()
    depot, senders = spawn_all(system, board)
    depot.freeze().result()

    for done in [sender.ask(Carrier.throw, 5) for sender in senders]:
        done.result(SECONDS)
    full = state(depot)
    depot.thaw().result()
    wait_until(
        lambda: len(depot.ask(Depot.all).result()) == 5 * SENDERS, "all the loads"
    )
    taken = depot.ask(Depot.all).result()

    fitting = IN_A_QUEUE.get(request.node.callspec.params["system"], FITTING)
    assert fitting <= full.payloads == full.messages < FITTING + SENDERS
    assert full.payload_bytes == full.payloads * (LOAD_BYTES + 1024)  # and the pickle
    assert full.capacity_payload_bytes == BOUND
    assert {message.payload for message in full.waiting or ()} <= {
        LOAD_BYTES + extra for extra in range(1024)
    }
    for sender in range(SENDERS):
        assert [number for who, number in taken if who == sender] == [*range(5)]
    wait_until(lambda: is_empty(depot), "an empty mailbox")
    for each in (depot, *senders):
        each.kill().result()


def kill_one(board: Board) -> None:
    sender = random.randrange(SENDERS)
    wait_until(lambda: board.pid(sender), "a sender")
    pid = board.pid(sender)
    board.leave(sender)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_senders_lose_nothing_that_was_accepted_and_leave_the_room_as_it_was(
    system: ActorSystem,
    request: pytest.FixtureRequest,
    board: Board,
    kills: int,
) -> None:
    depot, senders = spawn_all(system, board)

    for _ in range(kills):
        kill_one(board)
        assert state(depot).payloads < FITTING + SENDERS
    board.end()
    wait_until(lambda: not any(map(board.pid, range(SENDERS))), "the last sender")
    wait_until(lambda: is_empty(depot), "an empty mailbox")
    taken = depot.ask(Depot.all).result(SECONDS)
    depot.freeze().result()
    senders[0].ask(Carrier.throw, 2 * FITTING).result(SECONDS)

    for sender in range(SENDERS):
        numbers = [number for who, number in taken if who == sender]
        assert numbers == sorted(set(numbers))
        assert board.accepted(sender) <= set(numbers)
    fitting = IN_A_QUEUE.get(request.node.callspec.params["system"], FITTING)
    assert state(depot).payloads == fitting
    for each in (depot, *senders):
        each.kill().result()
