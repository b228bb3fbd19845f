"""Processes that SIGKILL does not end, as those in an uninterruptible sleep: told of, and waited for by nobody for ever.

A tracer that does not look at the death of its tracee has the same effect.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, Event, options
from tests.support.actors_under_test import Counter
from tests.support.families import Child, Parent
from tests.support.gates import SECONDS
from tests.support.procfs import parent_of, stat_of

NextEvent = Callable[[str, str], Event]
TRACER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_SEIZE = 0x4206
print(libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None), flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def trace() -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    tracers: list[subprocess.Popen[str]] = []

    def start(pid: int) -> subprocess.Popen[str]:
        tracer = subprocess.Popen(
            [sys.executable, "-c", TRACER, str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        tracers.append(tracer)
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == "0\n"
        return tracer

    yield start
    for tracer in tracers:
        tracer.communicate()


def pid_of(ref: ActorRef[Counter]) -> int:
    return ref.ask(Counter.pid).result()


def cpu_ticks(pid: int) -> int:
    return sum(map(int, stat_of(pid)[11:13]))


def test_unkillable_process_is_told_of_and_costs_its_supervisor_nothing(
    system: ActorSystem,
    next_event: NextEvent,
    trace: Callable[[int], subprocess.Popen[str]],
) -> None:
    """The root asked without pause whether it might reap it."""
    counter = system.spawn(Counter).result()
    pid = pid_of(counter)
    tracer, root = trace(pid), parent_of(pid)
    before = cpu_ticks(root)

    killing = counter.kill()
    event = next_event("unkillable", counter.name)
    spent = (cpu_ticks(root) - before) / os.sysconf("SC_CLK_TCK")

    assert event.pid == pid
    assert spent < 1.0  # of the ten seconds
    assert not killing.done()
    tracer.communicate()
    killing.result(SECONDS)


def test_system_with_an_unkillable_process_closes_without_it(
    trace: Callable[[int], subprocess.Popen[str]],
) -> None:
    with ActorSystem() as system:
        counter = system.options(shutdown=0.1).spawn(Counter).result()
        pid = pid_of(counter)
        trace(pid)
        begun = time.monotonic()

    assert time.monotonic() - begun < 10 + 5
    assert Path(f"/proc/{pid}").exists()  # a zombie that the tracer keeps


def test_system_with_an_unkillable_child_of_a_supervisor_closes_without_it(
    trace: Callable[[int], subprocess.Popen[str]],
) -> None:
    """The supervisor waited for it for ever, and the root for the supervisor."""
    with ActorSystem() as system:
        spec = options(id="counter", shutdown=0.1).child(Counter)
        tree = system.options(kill_grace=0.2).supervise(spec).result()
        pid = pid_of(tree.ref(spec))
        trace(pid)
        begun = time.monotonic()

    assert time.monotonic() - begun < 10 + 5
    assert Path(f"/proc/{pid}").exists()


def test_system_with_an_unkillable_child_of_an_actor_closes_without_it(
    trace: Callable[[int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    with ActorSystem() as system:
        path = str(tmp_path / "notes")
        parent = system.spawn(Parent, path, "tom").result()
        tom = parent.ask(Parent.family).result()["tom"]
        pid, _ = tom.ask(Child.pids).result()
        trace(pid)
        tom.kill()
        begun = time.monotonic()

    assert time.monotonic() - begun < 2 * 10 + 10
    assert Path(f"/proc/{pid}").exists()


def test_the_supervisor_says_how_long_the_end_of_a_killed_process_may_take(
    system: ActorSystem,
    next_event: NextEvent,
    trace: Callable[[int], subprocess.Popen[str]],
) -> None:
    spec = options(id="counter").child(Counter)
    tree = system.options(kill_grace=0.2).supervise(spec).result()
    counter = tree.ref(spec)
    tracer = trace(pid_of(counter))
    begun = time.monotonic()

    stopping = counter.kill()
    next_event("unkillable", counter.name)

    assert 0.2 < time.monotonic() - begun < 5  # and not ten
    assert [child.phase for child in tree.children().result()] == ["unkillable"]
    tracer.communicate()
    stopping.result(SECONDS)
    tree.stop().result(SECONDS)
