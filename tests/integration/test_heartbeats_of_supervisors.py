"""Supervisors that give no sign of life are ended, and come back with their children."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, Event, ExitKind, Heartbeat, options
from tests.support.gates import SECONDS, wait_until
from tests.support.trees import Member, pids, wait_until_renewed

NextEvent = Callable[[str, str], Event]
HEARTBEAT = Heartbeat(interval=0.02, timeout=0.2)


@pytest.fixture
def member(system: ActorSystem) -> Iterator[ActorRef[Member]]:
    spec = options(id="leaf").child(Member)
    inner = options(name="inner", heartbeat=HEARTBEAT).supervisor(spec)
    tree = system.supervise(inner).result(SECONDS)
    yield tree.ref(spec).within(SECONDS)
    tree.stop().result(SECONDS)


def test_stopped_supervisor_is_ended_and_comes_back(
    member: ActorRef[Member], next_event: NextEvent
) -> None:
    (before,) = pids(member)
    supervisor = member.ask(Member.parent).result()

    os.kill(supervisor, signal.SIGSTOP)

    reason = next_event("child_exit", "inner").reason
    assert reason is not None
    assert (reason.kind, reason.stopped) == (ExitKind.HEARTBEAT_LOST, True)
    assert reason.silent_for is not None
    assert reason.silent_for >= HEARTBEAT.timeout
    assert wait_until_renewed(member, before) != before
    assert member.ask(Member.parent).result() != supervisor


def test_stopped_supervisor_is_stopped_in_order_all_the_same(
    system: ActorSystem,
) -> None:
    spec = options(id="leaf").child(Member)
    inner = options(id="inner", heartbeat=HEARTBEAT).supervisor(spec)
    tree = system.supervise(inner).result(SECONDS)
    os.kill(tree.ref(spec).ask(Member.parent).result(), signal.SIGSTOP)

    tree.stop().result(SECONDS)


def test_supervisor_that_goes_on_in_time_reports_what_happened_meanwhile(
    system: ActorSystem,
) -> None:
    spec = options(id="leaf").child(Member)
    patient = Heartbeat(interval=0.01, timeout=SECONDS)
    inner = options(id="inner", heartbeat=patient).supervisor(spec)
    tree = system.supervise(inner).result(SECONDS)
    ref = tree.ref(spec).within(SECONDS)
    (before,) = pids(ref)
    parent = ref.ask(Member.parent).result()
    os.kill(parent, signal.SIGSTOP)
    os.kill(before, signal.SIGKILL)
    asked = ref.ask(Member.parent)

    os.kill(parent, signal.SIGCONT)

    assert asked.result() == parent
    tree.stop().result(SECONDS)


def test_supervisor_that_works_is_left_alone(
    system: ActorSystem, member: ActorRef[Member]
) -> None:
    quick = Heartbeat(interval=0.001, timeout=5)
    spec = options(id="leaf").child(Member)
    tree = system.supervise(
        options(id="quick", heartbeat=quick).supervisor(spec)
    ).result(SECONDS)
    ref = tree.ref(spec).within(SECONDS)
    parent = ref.ask(Member.parent).result()
    wakeups = _switches(parent)

    wait_until(lambda: _switches(parent) > wakeups + 20, "twenty answers")

    assert ref.ask(Member.parent).result() == parent
    tree.stop().result(SECONDS)


def _switches(pid: int) -> int:
    """Return how often a process has given up its processor to wait."""
    text = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines())
    return int(lines["voluntary_ctxt_switches"])
