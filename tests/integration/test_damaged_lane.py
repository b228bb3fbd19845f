"""A lane that somebody has scribbled on: an error for those whom it concerns, and nobody waits for an answer that cannot come."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, Event, SystemFailedError
from actors.errors import ActorCrashedError
from actors.runtime import lanes
from actors.runtime.client import MAIN
from actors.runtime.lanes import ROOT
from actors.wire import _header as header
from actors.wire import frame
from actors.wire.frame import Kind
from tests.support.actors_under_test import Counter, Inbox, Proxy
from tests.support.damage import scribble
from tests.support.gates import SECONDS, Gate

NextEvent = Callable[[str, str], Event]


def smash(system: ActorSystem, number: int, seed: int) -> None:
    """Write random bytes over the lane of process *number*, or over the part of it that every reader and sender looks at."""
    scribble(system, lanes.file_name(number), seed, None if seed % 2 else 512)


def answered(ref: ActorRef[Proxy], method: str) -> object:
    """Ask the next incarnation if this one dies of the question."""
    handler = getattr(Proxy, method)
    with contextlib.suppress(ActorCrashedError):
        return ref.ask(handler, 1).result(SECONDS)
    return ref.ask(handler, 1).result(SECONDS)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", ["add", "add_async"])
def test_actor_whose_lane_is_damaged_gets_another_one(
    system: ActorSystem, method: str, seed: int, next_event: NextEvent
) -> None:
    counter = system.spawn(Counter).result()
    # No deadline ends its wait, if nothing else does.
    proxy = system.spawn(Proxy, counter.within(None)).result().within(None)
    assert answered(proxy, method) == 1

    smash(system, proxy._number, seed)

    assert answered(proxy, method) in {2, 3}
    reason = next_event("child_exit", proxy.name).reason
    assert reason is not None
    assert reason.kind == "control_lost"
    for ref in (proxy, counter):
        ref.kill().result()


def test_of_what_waits_for_an_actor_the_damage_costs_at_most_what_is_in_hand(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = system.spawn(Inbox).result().within(SECONDS)
    holding = inbox.ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    asked = [inbox.ask(Inbox.echo, number) for number in range(100)]

    smash(system, inbox._number, 1)
    gate.open()
    lanes.ring_bell(system._opened().directory.fd, inbox._number)

    crashed = 0
    for number, pending in enumerate([holding, *asked], -1):
        try:
            assert pending.result(SECONDS) in {number, "released"}
        except ActorCrashedError:
            crashed += 1
    assert crashed <= 1
    inbox.kill().result()


@pytest.mark.parametrize("seed", range(4))
def test_program_whose_lane_is_damaged_waits_for_nothing_and_leaves_nothing(
    base: Path, gate: Gate, seed: int
) -> None:
    system = ActorSystem(directory=base)
    system.start()
    inbox = system.spawn(Inbox).result().within(None)
    holding = inbox.ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()

    smash(system, MAIN, seed)
    gate.open()

    with pytest.raises(SystemFailedError, match="ring for this program's answers"):
        holding.result(SECONDS)
    with pytest.raises(SystemFailedError):
        inbox.tell(Inbox.keep, 1)
    with pytest.raises(SystemFailedError):
        system.close()
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("seed", range(4))
def test_system_whose_root_is_damaged_ends_and_says_why(base: Path, seed: int) -> None:
    system = ActorSystem(directory=base)
    system.start()
    system.spawn(Inbox).result()

    smash(system, ROOT, seed)

    with pytest.raises(SystemFailedError):
        system.spawn(Inbox).result(SECONDS)
    with pytest.raises(SystemFailedError, match="requests to the root supervisor"):
        system.close()
    assert list(base.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (None, b"abc"),
        (Kind.EVENT, b"no JSON"),
        (Kind.FAILED, b"{}"),
        (Kind.LOST, b"[]"),
    ],
)
def test_bytes_that_are_no_answer_are_told_of_and_keep_nobody_from_theirs(
    capfd: pytest.CaptureFixture[str], kind: Kind | None, body: bytes
) -> None:
    head = b"" if kind is None else header.make(kind, 0, 0, 0, 0, 0, 0, 0)
    with ActorSystem() as system:
        inbox = system.spawn(Inbox).result().within(SECONDS)
        way = lanes.connect(system._opened().directory.fd, MAIN, None)

        way.put(head, body)
        way.close()

        assert inbox.ask(Inbox.echo, 1).result() == 1
    assert "answer_unreadable" in capfd.readouterr().err


def test_bytes_that_are_no_answer_keep_no_incarnation_from_beginning(
    system: ActorSystem, next_event: NextEvent
) -> None:
    """Each cost one its life, before it had begun."""
    counter = system.spawn(Counter).result().within(SECONDS)
    pid = counter.ask(Counter.pid).result()
    way = lanes.connect(system._opened().directory.fd, counter._number, None)
    os.kill(pid, signal.SIGSTOP)
    for body in (b"abc", header.make(Kind.REPLY, frame.BLOB, 0, 0, 0, 0, 0, 0)):
        way.put(b"", body)
    way.close()

    os.kill(pid, signal.SIGKILL)

    assert counter.ask(Counter.add, 1).result() == 1
    ready = [next_event("child_ready", counter.name).incarnation for _ in range(2)]
    assert ready == [1, 2]
    counter.kill().result()
