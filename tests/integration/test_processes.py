"""What the processes of a system start with, whatever the program that owns it has set for its own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Actor, ActorSystem, Event, ExitKind, SystemFailedError
from actors.supervision.linux import status_of
from tests.support.gates import SECONDS, wait_until
from tests.support.inside import root_pid
from tests.support.lives import is_alive
from tests.support.programs import SCRIPTS, Program

NextEvent = Callable[[str, str], Event]
NONE = "0" * 16  # a set of signals, as /proc shows it


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """A program that blocks and ignores signals and has descriptors that are inherited."""
    odd = Program(str(SCRIPTS / "odd_program.py"), interactive=True)
    yield odd
    odd.kill()


@pytest.fixture(scope="module")
def facts(program: Program) -> dict[str, Any]:
    """What an actor of the program has found in its process."""
    assert program.process.stdout is not None
    found: dict[str, Any] = json.loads(program.process.stdout.readline())
    return found


def test_signals_of_an_actor_are_as_a_program_expects_them(
    facts: dict[str, Any],
) -> None:
    ignored, default = str(signal.SIG_IGN), str(signal.SIG_DFL)

    assert facts["blocked"] == []
    assert facts["signals"] == {
        "SIGCHLD": default,
        "SIGINT": ignored,
        "SIGPIPE": ignored,
        "SIGHUP": default,
        "SIGUSR1": default,
    }


def test_an_actor_leads_a_session_and_dies_with_its_supervisor(
    facts: dict[str, Any],
) -> None:
    assert facts["session"] == facts["pid"]
    assert facts["parent"] == facts["root"]
    assert facts["dies_of"] == signal.SIGKILL


def test_an_actor_reads_nothing_and_writes_to_streams_of_its_own(
    facts: dict[str, Any],
) -> None:
    null, output, errors = facts["streams"]

    assert null == "/dev/null"
    assert Path(output).suffix == ".out"
    assert Path(errors).suffix == ".err"


def test_nothing_that_an_actor_executes_inherits_a_descriptor(
    facts: dict[str, Any],
) -> None:
    assert facts["inherited"] == ["0", "1", "2", "3"]  # the last one is that of ls


def test_an_actor_dumps_no_core_and_may_be_told_to(facts: dict[str, Any]) -> None:
    assert facts["core_limit"] == [0, facts["core_limit_of_program"][1]]


def test_the_kernel_prefers_an_actor_when_memory_runs_out(
    facts: dict[str, Any],
) -> None:
    assert facts["oom_score_adj"] == min(1000, facts["oom_score_adj_of_program"] + 100)


def test_the_root_has_one_thread_and_hears_every_signal(facts: dict[str, Any]) -> None:
    """It inherited what the program had blocked, and did not hear a SIGTERM."""
    root = status_of(facts["root"])

    assert root["Threads"] == "1"
    assert root["SigBlk"] == NONE


def test_a_root_of_a_program_that_blocks_signals_ends_by_sigterm_in_order(
    program: Program, facts: dict[str, Any]
) -> None:
    os.kill(facts["root"], signal.SIGTERM)

    wait_until(lambda: not is_alive(facts["pid"]), "the end of the actor")
    wait_until(lambda: not is_alive(facts["root"]), "the end of the root")
    program.say("go on")
    status, _, errors = program.wait()
    assert status == 1
    assert "SystemFailedError: the actor system has ended: stopped by SIGTERM" in errors


# What a program may do about children, as libraries do.


class Quick(Actor):
    """Answers."""

    def greet(self) -> str:
        return "hello"


def test_a_system_does_not_mind_that_somebody_else_reaps_its_root() -> None:
    system = ActorSystem().start()
    quick = system.spawn(Quick).result()
    os.kill(root_pid(system), signal.SIGKILL)
    os.waitpid(root_pid(system), 0)

    with pytest.raises(SystemFailedError, match="root supervisor died"):
        quick.ask(Quick.greet).result(SECONDS)
    with pytest.raises(SystemFailedError, match="root supervisor died"):
        system.close()


def test_a_system_does_not_mind_that_its_program_ignores_the_deaths_of_children() -> (
    None
):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with ActorSystem() as system:
            greeting = system.spawn(Quick).result().ask(Quick.greet).result()
            root = root_pid(system)
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert greeting == "hello"
    assert not is_alive(root)


# What user code may do to its own process.


class Closer(Actor):
    """Closes descriptors that it has not opened."""

    def close_streams(self) -> None:
        os.closerange(0, 3)
        raise ValueError("told all the same")

    def close_all(self) -> None:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))

    def take_all(self, folder: Path) -> None:
        self.close_all()
        for number in range(40):
            flags = os.O_RDWR | os.O_CREAT
            os.write(os.open(folder / str(number), flags), b"mine")

    def greet(self) -> str:
        return "hello"


def test_a_crash_is_told_although_the_streams_are_closed(
    system: ActorSystem, next_event: NextEvent
) -> None:
    closer = system.spawn(Closer).result()

    closer.tell(Closer.close_streams)

    reason = next_event("child_exit", closer.name).reason
    assert reason is not None
    assert reason.kind is ExitKind.EXCEPTION
    assert "in close_streams" in (reason.traceback or "")
    assert closer.ask(Closer.greet).result(SECONDS) == "hello"


def test_an_actor_that_closes_everything_is_restarted(
    system: ActorSystem, next_event: NextEvent
) -> None:
    closer = system.spawn(Closer).result()

    closer.tell(Closer.close_all)

    reason = next_event("child_exit", closer.name).reason
    assert reason is not None
    assert reason.kind is ExitKind.CONTROL_LOST
    assert not reason.clean
    assert closer.ask(Closer.greet).result(SECONDS) == "hello"


def test_nothing_is_written_to_files_that_have_taken_the_numbers_of_ours(
    system: ActorSystem, next_event: NextEvent, tmp_path: Path
) -> None:
    closer = system.spawn(Closer).result()

    closer.tell(Closer.take_all, tmp_path)

    reason = next_event("child_exit", closer.name).reason
    assert reason is not None
    assert reason.kind is ExitKind.CONTROL_LOST
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"mine"}


def test_a_process_shows_the_name_of_its_actor(
    system: ActorSystem, next_event: NextEvent
) -> None:
    system.options(name="bookkeeper").spawn(Quick).result()

    pid = next_event("child_ready", "bookkeeper").pid
    assert Path(f"/proc/{pid}/comm").read_text() == "bookkeeper\n"
