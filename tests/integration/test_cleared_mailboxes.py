"""``mailbox_on_restart="clear"``: a new process begins with an empty mailbox."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, Event, MessagePurgedError, Redeliver, options
from tests.support.fragile import Fragile
from tests.support.gates import SECONDS
from tests.support.trees import Member, pids

NextEvent = Callable[[str, str], Event]


@pytest.fixture
def member(system: ActorSystem) -> Iterator[ActorRef[Member]]:
    spec = options(name="member", mailbox_on_restart="clear").child(Member)
    tree = system.supervise(spec).result(SECONDS)
    yield tree.ref(spec).within(SECONDS)
    tree.stop().result(SECONDS)


def freeze(ref: ActorRef[Member]) -> int:
    (pid,) = pids(ref)
    ref.freeze().result()
    return pid


def test_what_was_queued_is_not_handled_and_whoever_asked_is_told(
    member: ActorRef[Member], next_event: NextEvent
) -> None:
    pid = freeze(member)
    asked = member.ask(Member.add, 1)
    _ = member.tell(Member.add, 10)

    os.kill(pid, signal.SIGKILL)

    with pytest.raises(MessagePurgedError):
        asked.result()
    causes = {}
    while "Member.add" not in causes:  # what was answered may be in hand still
        facts = next_event("dead_letter", "member").facts
        causes[facts["method"]] = facts["cause"]
    assert causes["Member.add"] == "cleared"
    assert member.ask(Member.add, 100).result() == 100


def test_queued_stop_is_not_cleared(member: ActorRef[Member]) -> None:
    pid = freeze(member)
    _ = member.tell(Member.add, 10)
    _ = member.stop()

    os.kill(pid, signal.SIGKILL)

    member.ended().result(SECONDS)


def test_what_the_process_has_died_of_is_tried_again_all_the_same(
    system: ActorSystem, tmp_path: Path
) -> None:
    settings = options(
        id="again", mailbox_on_restart="clear", on_crash=Redeliver(3), shutdown=0
    )
    spec = settings.child(Fragile, str(tmp_path / "notes"))
    tree = system.supervise(spec).result(SECONDS)
    ref = tree.ref(spec).within(SECONDS)

    asked = ref.ask(Fragile.die, 2)

    assert asked.result() >= 0
    tree.stop().result(SECONDS)
