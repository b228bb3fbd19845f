"""The end of a main program, in every way: nothing of its systems is left, and nobody waits for ever."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import ActorSystem
from actors.runtime.systems import sweep
from actors.supervision.spare import UNBORN
from tests.support import programs
from tests.support.actors_under_test import Counter
from tests.support.gates import wait_until
from tests.support.programs import SCRIPTS, Program
from tests.support.queues import has_queue, queues_of

PROMISED_SECONDS = 2.0
GONE_SECONDS = 5.0  # the promise is 2 s; the rest is for machines that have more to do

WAITING = [
    "script",
    "script-events",
    "thread",
    "asyncio:wait",
    "asyncio:events",
    "run:wait",
    "run:events",
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where an actor of the program notes its hooks."""
    return tmp_path / "log"


@pytest.fixture
def start(base: Path, log: Path) -> Iterator[Callable[..., Program]]:
    """Return a function that starts the program and waits until it is ready."""
    started: list[Program] = []

    def start_program(how: str, tty: int | None = None) -> Program:
        script = str(SCRIPTS / "program.py")
        program = Program(script, str(base), str(log), how, tty=tty)
        started.append(program)
        assert program.line() == ["ready"]
        return program

    yield start_program
    for program in started:
        program.kill()
        program.wait_until_all_is_gone(GONE_SECONDS)
    sweep(base)


def systems(base: Path) -> list[str]:
    return [path.name for path in base.iterdir() if path.is_dir()]


def hooks(log: Path) -> list[str]:
    """Return the hooks that ran: the line of each without the pid."""
    return [line.rpartition(" ")[0] for line in log.read_text().splitlines()]


# SIGKILL.


@pytest.mark.parametrize(
    "how", ["script", "thread", "asyncio:wait", "run:wait", "run:slow"]
)
def test_sigkill_of_the_main_program_leaves_no_process_and_no_file(
    start: Callable[..., Program], base: Path, log: Path, how: str
) -> None:
    program = start(how)
    assert len(program.pids()) >= 4  # itself, the root and two or three actors

    program.signal(signal.SIGKILL)
    program.process.wait()

    program.wait_until_all_is_gone(GONE_SECONDS)
    assert systems(base) == []
    assert hooks(log)[-1] == "stop shutdown"


@pytest.mark.parametrize("how", WAITING)
def test_a_main_program_that_lost_its_root_gets_an_error_wherever_it_waits(
    start: Callable[..., Program], base: Path, how: str
) -> None:
    program = start(how)

    os.kill(program.root(), signal.SIGKILL)

    status, output, errors = program.wait()
    assert output.split() == ["SystemFailedError"] or how.startswith("run")
    assert "the actor system has ended: " in errors
    assert status == (70 if how.startswith("run") else 1)
    program.wait_until_all_is_gone(GONE_SECONDS)
    assert systems(base) == []


def test_the_next_start_sweeps_what_a_killed_root_and_a_killed_program_left(
    start: Callable[..., Program], base: Path
) -> None:
    program = start("script")
    root = program.root()
    os.kill(program.process.pid, signal.SIGSTOP)  # so that it cannot clean up
    os.kill(root, signal.SIGKILL)
    program.signal(signal.SIGKILL)
    program.process.wait()
    program.wait_until_all_is_gone(GONE_SECONDS)
    (stale,) = systems(base)
    queues = queues_of(base / stale)
    assert list(map(has_queue, queues)) == [True]

    start("script")

    (live,) = systems(base)
    assert live != stale
    assert list(map(has_queue, queues)) == [False]


@pytest.mark.slow  # with the long tests, which have the machine for themselves
@pytest.mark.parametrize("how", ["script", "run:slow"])
@pytest.mark.parametrize("victim", ["program", "root"])
def test_nothing_is_left_two_seconds_after_a_sigkill(
    start: Callable[..., Program], how: str, victim: str
) -> None:
    program = start(how)
    root = program.root()

    os.kill(root if victim == "root" else program.process.pid, signal.SIGKILL)
    begun = time.monotonic()
    program.process.wait()
    program.wait_until_all_is_gone(GONE_SECONDS)

    assert time.monotonic() - begun < PROMISED_SECONDS


# Signals.


@pytest.mark.parametrize("how", ["script", "asyncio:wait", "run:wait"])
def test_ctrl_c_on_a_terminal_stops_everything_in_order(
    start: Callable[..., Program], base: Path, log: Path, how: str
) -> None:
    with programs.terminal() as (keyboard, screen):
        program = start(how, tty=screen)

        os.write(keyboard, b"\x03")

        status, _, errors = program.wait()
    assert status == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    program.wait_until_all_is_gone(GONE_SECONDS)
    assert systems(base) == []
    assert hooks(log)[-1] == "stop shutdown"


@pytest.mark.parametrize("how", ["slow", "asyncio:slow", "run:slow"])
def test_ctrl_c_says_what_is_waited_for_and_a_second_one_ends_that(
    start: Callable[..., Program], base: Path, how: str
) -> None:
    program = start(how)
    program.signal(signal.SIGINT)
    assert program.process.stderr is not None
    line = program.process.stderr.readline()

    program.signal(signal.SIGINT)

    assert re.search(
        r"closing_takes_long +waits_for='Attentive-\d+ \(Attentive.hang for \d+\.\d s\)' "
        r"text='Ctrl-C ends them now'",
        line,
    )
    assert program.wait()[0] == -signal.SIGINT
    program.wait_until_all_is_gone(GONE_SECONDS)
    assert systems(base) == []


@pytest.mark.parametrize(
    "how", ["script-events", "thread", "asyncio:events", "run:events"]
)
def test_sigint_to_the_program_alone_stops_everything(
    start: Callable[..., Program], base: Path, how: str
) -> None:
    program = start(how)

    program.signal(signal.SIGINT)

    assert program.wait()[0] == -signal.SIGINT
    program.wait_until_all_is_gone(GONE_SECONDS)
    assert systems(base) == []


@pytest.mark.parametrize("how", ["script", "asyncio:wait"])
def test_sigterm_without_run_is_the_death_of_the_program_and_leaves_nothing(
    start: Callable[..., Program], base: Path, log: Path, how: str
) -> None:
    program = start(how)

    program.signal(signal.SIGTERM)

    assert program.wait()[0] == -signal.SIGTERM
    program.wait_until_all_is_gone(GONE_SECONDS)
    assert systems(base) == []
    assert hooks(log)[-1] == "stop shutdown"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_run_stops_everything_in_order_and_then_dies_of_the_signal(
    start: Callable[..., Program], base: Path, log: Path, signum: int
) -> None:
    program = start("run:wait")

    program.signal(signum)

    status, _, errors = program.wait()
    assert status == -signum
    assert "Traceback" not in errors
    assert program.pids() == {}
    assert systems(base) == []
    assert hooks(log) == ["init", "start", "stop shutdown"]


def test_a_second_signal_cuts_short_what_is_still_waited_for(
    start: Callable[..., Program], base: Path, log: Path
) -> None:
    program = start("run:slow")
    program.signal(signal.SIGTERM)
    wait_until(lambda: hooks(log)[-1] == "stop shutdown", "the first signal")

    program.signal(signal.SIGTERM)

    assert program.wait()[0] == -signal.SIGTERM
    assert program.pids() == {}
    assert systems(base) == []


def test_a_third_signal_ends_the_program_at_once(
    start: Callable[..., Program], base: Path
) -> None:
    program = start("run:hold-out")
    program.signal(signal.SIGTERM)
    assert program.line() == ["ending"]

    program.signal(signal.SIGTERM)
    program.signal(signal.SIGINT)

    assert program.wait()[0] in (-signal.SIGTERM, -signal.SIGINT)
    program.wait_until_all_is_gone(GONE_SECONDS)
    assert systems(base) == []


def test_a_hang_up_is_nothing_to_a_program_under_nohup(
    start: Callable[..., Program], log: Path
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which programs inherit
    try:
        program = start("run:wait")
    finally:
        signal.signal(signal.SIGHUP, before)

    program.signal(signal.SIGHUP)
    program.signal(signal.SIGTERM)

    assert program.wait()[0] == -signal.SIGTERM  # the first one that counted
    assert hooks(log) == ["init", "start", "stop shutdown"]


def test_the_actors_of_a_stopped_program_go_on(
    start: Callable[..., Program], base: Path, log: Path
) -> None:
    program = start("run:wait")
    before = born(program)
    program.signal(signal.SIGSTOP)

    with ActorSystem.attach("program", directory=base) as system:
        counter = system.spawn(Counter).result()
        assert counter.ask(Counter.add, 1).result() == 1
        counter.kill().result()
    program.signal(signal.SIGCONT)

    assert born(program) == before
    program.signal(signal.SIGTERM)
    assert program.wait()[0] == -signal.SIGTERM
    assert hooks(log) == ["init", "start", "stop shutdown"]


def born(program: Program) -> dict[int, str]:
    """Return what runs of *program*, without what waits to be an actor."""
    return {pid: name for pid, name in program.pids().items() if name not in UNBORN}


# Its own end.

ENDS = {
    "raise": 1,
    "exit": 3,
    "forget": 0,
    "raise-open": 1,
    "asyncio:raise": 1,
    "asyncio:exit": 3,
    "run:raise": 1,
    "run:exit": 3,
}


@pytest.mark.parametrize(("how", "status"), ENDS.items(), ids=ENDS)
def test_a_program_that_ends_takes_everything_along_and_keeps_its_status(
    start: Callable[..., Program], base: Path, log: Path, how: str, status: int
) -> None:
    program = start(how)

    code, _, errors = program.wait()

    assert code == status
    assert ("LookupError: on purpose" in errors) == (status == 1)
    assert program.pids() == {}
    assert systems(base) == []
    assert hooks(log) == ["init", "start", "stop shutdown"]


def test_a_forked_child_that_ends_leaves_the_system_to_the_program() -> None:
    program = Program(str(SCRIPTS / "fork.py"))

    status, output, errors = program.wait()

    assert (status, output.splitlines(), errors) == (
        0,
        ["ForkedHandleError", "7 1"],
        "",
    )
    program.wait_until_all_is_gone(GONE_SECONDS)
