"""Handlers and processes that hang are found out and ended; whoever does not hang is left alone."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import (
    Actor,
    ActorCrashedError,
    ActorRef,
    ActorSystem,
    Event,
    ExitKind,
    ExitReason,
    Heartbeat,
    OptionError,
    handler,
)
from tests.support.controlled import Attentive, Both, Quick, Timed
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.procfs import is_asleep, parent_of, switches_of
from tests.support.spares import ready_spare_of

NextEvent = Callable[[str, str], Event]
LONGER = 0.8  # than any limit here
LIMIT = 0.02  # of Quick
TRACER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_SEIZE = 0x4206
print(libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def timed(system: ActorSystem) -> Iterator[ActorRef[Timed]]:
    ref = system.spawn(Timed).result()
    yield ref
    ref.kill().result()


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return str(tmp_path / "mark")


def reason_of(asking: object) -> ExitReason:
    with pytest.raises(ActorCrashedError) as crashed:
        asking.result()  # type: ignore[attr-defined]
    return crashed.value.reason


@pytest.mark.parametrize("name", ["hang", "hang_in_c", "spin", "hang_async"])
def test_handler_that_hangs_is_ended_with_its_stack_and_the_queue_goes_on(
    timed: ActorRef[Timed], mark: str, name: str
) -> None:
    hanging = timed.ask(getattr(Timed, name), mark)
    queued = timed.ask(Timed.hello)

    reason = reason_of(hanging)

    assert reason.kind is ExitKind.HANDLER_TIMEOUT
    assert reason.signal == "SIGABRT"
    assert str(reason) == f"took too long: more than 0.3 s while running Timed.{name}"
    assert "most recent call first" in (reason.dump or "")
    assert name == "hang_async" or f"in {name}\n" in (reason.dump or "")
    assert queued.result() == "hello"


def test_limit_of_a_handler_comes_before_that_of_its_class(
    timed: ActorRef[Timed], mark: str, gate: Gate
) -> None:
    reason = reason_of(timed.ask(Timed.hurry, mark))
    patient = timed.ask(Timed.take_your_time, gate.path)
    with pytest.raises(TimeoutError):
        patient.result(timeout=LONGER)
    gate.open()

    assert "more than 0.1 s" in str(reason)
    assert patient.result() == "released"


def test_option_comes_before_the_limit_of_the_class(
    system: ActorSystem, mark: str, gate: Gate
) -> None:
    patient = system.options(handler_timeout=math.inf).spawn(Timed).result()
    strict = system.options(handler_timeout=0.1).spawn(Attentive).result()

    waiting = patient.ask(Timed.wait_for, gate.path)
    reason = reason_of(strict.ask(Attentive.hang, mark))
    with pytest.raises(TimeoutError):
        waiting.result(timeout=LONGER)
    gate.open()

    assert "more than 0.1 s" in str(reason)
    assert waiting.result() == "released"
    patient.kill().result()
    strict.kill().result()


def test_timer_that_hangs_is_ended_as_a_handler_is(
    timed: ActorRef[Timed], next_event: NextEvent
) -> None:
    timed.ask(Timed.hang_in_a_tick).result()

    reason = next_event("child_exit", timed.name).reason

    assert reason is not None
    assert reason.kind is ExitKind.HANDLER_TIMEOUT
    assert reason.during == "a timer"
    assert "in _hang\n" in (reason.dump or "")


def test_of_several_messages_the_one_that_hangs_is_the_reason(
    system: ActorSystem, mark: str, gate: Gate
) -> None:
    both = system.options(handler_timeout=30).spawn(Both).result()
    waiting = both.ask(Both.wait_long, gate.path)
    gate.wait_until_entered()

    hurrying = both.ask(Both.hurry, mark)

    assert reason_of(hurrying).during == "Both.hurry"
    assert reason_of(waiting).during == "Both.hurry"
    both.kill().result()


def test_events_tell_what_was_done_to_a_process_that_hangs(
    timed: ActorRef[Timed], mark: str, next_event: NextEvent
) -> None:
    timed.tell(Timed.hang, mark)

    event = next_event("watchdog", timed.name)

    assert (event.facts["stage"], event.facts["method"]) == ("abort", "Timed.hang")
    assert event.facts["seconds"] >= 0.3


def test_process_that_ignores_the_abort_is_killed_in_the_same_message(
    timed: ActorRef[Timed], mark: str
) -> None:
    timed.ask(Timed.deafen).result()

    reason = reason_of(timed.within(30).ask(Timed.hang, mark))

    assert (reason.kind, reason.signal) == (ExitKind.HANDLER_TIMEOUT, "SIGKILL")


def test_process_that_ignores_the_abort_and_goes_on_is_left_alone(
    timed: ActorRef[Timed], gate: Gate, next_event: NextEvent
) -> None:
    pid = timed.ask(Timed.pid).result()
    waiting = timed.within(30).ask(Timed.wait_deaf, gate.path)
    event = next_event("watchdog", timed.name)
    assert event.facts["stage"] == "abort"

    gate.open()

    assert waiting.result() == "released"
    assert next_event("watchdog", timed.name).facts["stage"] == "spare"
    assert timed.ask(Timed.pid).result() == pid


def test_sentence_never_hits_the_message_after_the_one_it_was_for(
    system: ActorSystem,
) -> None:
    """Each message takes about as long as it may, so that many end between the verdict and the signal."""
    events = system.events()
    quick = system.options(intensity=math.inf).spawn(Quick).result()
    for number in range(100):
        quick.tell(Quick.work, LIMIT * (0.98 + number % 10 / 200))
        for _ in range(3):
            quick.tell(Quick.rest)
    quick.stop()
    condemned, lost = [], []
    while (event := events.next().result(SECONDS)).kind != "child_stopped":
        if event.kind == "child_exit" and event.reason is not None:
            if event.reason.kind is ExitKind.HANDLER_TIMEOUT:
                condemned.append(event.reason.during)
        elif event.kind == "dead_letter":
            lost.append(event.facts["method"])

    assert "Quick.work" in condemned
    assert lost == condemned
    events.close()


def test_frozen_handler_has_all_its_time_left_when_it_is_thawed(
    timed: ActorRef[Timed], gate: Gate
) -> None:
    waiting = timed.ask(Timed.wait_for, gate.path)
    gate.wait_until_entered()
    timed.freeze().result()
    with pytest.raises(TimeoutError):
        waiting.result(timeout=LONGER)

    timed.thaw().result()
    gate.open()

    assert waiting.result() == "released"


def test_process_in_a_debugger_has_time(timed: ActorRef[Timed], gate: Gate) -> None:
    pid = timed.ask(Timed.pid).result()
    command = [sys.executable, "-c", TRACER, str(pid)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == "0\n"
        waiting = timed.ask(Timed.wait_for, gate.path)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=LONGER)
        tracer.communicate()
        gate.open()

        assert waiting.result() == "released"


def test_supervisor_that_stood_still_condemns_nobody_for_it(
    system: ActorSystem, timed: ActorRef[Timed], gate: Gate
) -> None:
    pid = timed.ask(Timed.pid).result()
    root = parent_of(pid)
    options = system.options(handler_timeout=1.0)
    slow = options.spawn(Attentive).result()
    waiting = slow.ask(Attentive.wait_for, gate.path)
    gate.wait_until_entered()
    os.kill(root, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        waiting.result(timeout=2.5)

    os.kill(root, signal.SIGCONT)
    gate.open()

    assert waiting.result() == "released"
    slow.kill().result()


@pytest.mark.parametrize("name", ["hang_in_c", "spin", "hang"])
def test_silent_process_is_ended_and_a_busy_one_is_not(
    system: ActorSystem, mark: str, name: str
) -> None:
    heartbeat = Heartbeat(interval=0.05, timeout=0.5)
    ref = system.options(heartbeat=heartbeat).spawn(Attentive).result()
    asking = ref.within(None).ask(getattr(Attentive, name), mark)

    if name == "hang_in_c":
        reason = reason_of(asking)
        assert reason.kind is ExitKind.HEARTBEAT_LOST
        assert (reason.silent_for or 0) >= 0.5
        assert not reason.stopped
        assert "in hang_in_c\n" in (reason.dump or "")
    else:
        with pytest.raises(TimeoutError):
            asking.result(timeout=LONGER)
    ref.kill().result()


def test_process_that_somebody_has_stopped_is_silent(
    system: ActorSystem, mark: str
) -> None:
    heartbeat = Heartbeat(interval=0.05, timeout=0.5)
    ref = system.options(heartbeat=heartbeat).spawn(Attentive).result()
    pid = ref.ask(Attentive.pid).result()
    asking = ref.ask(Attentive.hang, mark)
    wait_until(Path(mark).exists, "the handler")
    os.kill(pid, signal.SIGSTOP)

    reason = reason_of(asking)

    assert reason.kind is ExitKind.HEARTBEAT_LOST
    assert reason.stopped
    assert "stopped" in str(reason)
    ref.kill().result()


def test_frozen_process_need_give_no_sign_of_life(system: ActorSystem) -> None:
    heartbeat = Heartbeat(interval=0.05, timeout=0.3)
    ref = system.options(heartbeat=heartbeat).spawn(Attentive).result()
    pid = ref.ask(Attentive.pid).result()
    ref.freeze().result()
    asking = ref.ask(Attentive.pid)
    with pytest.raises(TimeoutError):
        asking.result(timeout=LONGER)

    ref.thaw().result()

    assert asking.result() == pid
    ref.kill().result()


def test_system_without_limits_costs_no_processor_time_while_it_is_idle(
    system: ActorSystem,
) -> None:
    system.spawn(Attentive).result().kill().result()
    ref = system.spawn(Attentive).result()
    pid = ref.ask(Attentive.pid).result()
    pids = (pid, parent_of(pid))
    ready_spare_of(parent_of(pid))
    wait_until(lambda: all(map(is_asleep, pids)), "both to sleep")
    before = [switches_of(each) for each in pids]
    with pytest.raises(TimeoutError):
        ref.ended().result(timeout=LONGER)

    after = [switches_of(each) for each in pids]

    # The question whether it has ended woke the supervisor once.
    assert after[0] == before[0]
    assert after[1] - before[1] <= 2
    ref.kill().result()


@pytest.mark.parametrize("value", [0, -1, "2", True, math.nan])
def test_time_limits_that_are_none_are_refused(
    system: ActorSystem, value: float
) -> None:
    with pytest.raises(OptionError, match=r"handler_timeout=.*above 0, math\.inf"):
        system.options(handler_timeout=value)
    with pytest.raises(OptionError, match=r"timeout=.*above 0, math\.inf"):
        handler(timeout=value)
    with pytest.raises(OptionError, match=r"Wrong.handler_timeout=.*above 0"):
        type("Wrong", (Actor,), {"handler_timeout": value})


def test_heartbeat_must_be_one(system: ActorSystem) -> None:
    with pytest.raises(OptionError, match="heartbeat=3: a Heartbeat, or None"):
        system.options(heartbeat=3)  # type: ignore[arg-type]
