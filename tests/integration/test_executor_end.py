"""The end of an executor, of its program, and of the system it works in: nobody waits for ever, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from actors import (
    Actor,
    ActorCrashedError,
    ActorSystem,
    Executor,
    ForkedHandleError,
    SystemClosedError,
    SystemFailedError,
    run,
)
from tests.support import executor_calls as calls
from tests.support.gates import SECONDS, wait_until
from tests.support.procfs import is_gone, parent_of
from tests.support.programs import SCRIPTS

PROGRAM = str(SCRIPTS / "executor_program.py")


def pid_in(path: Path) -> int:
    """Return the process that has written *path*."""
    wait_until(path.exists, "a call that runs")
    return int(path.read_text())


# Shutting down.


def test_shutdown_waits_for_every_call(system: ActorSystem) -> None:
    executor = Executor(2, system=system)
    futures = [executor.submit(calls.double, number) for number in range(20)]

    executor.shutdown()

    assert all(future.done() for future in futures)
    assert [future.result() for future in futures] == [*range(0, 40, 2)]


def test_a_call_after_shutdown_is_refused(system: ActorSystem) -> None:
    executor = Executor(1, system=system)
    executor.shutdown()
    executor.shutdown()

    with pytest.raises(RuntimeError, match="cannot schedule new futures"):
        executor.submit(calls.double, 1)


def test_shutdown_cancels_what_waits_and_finishes_what_runs(
    system: ActorSystem, tmp_path: Path
) -> None:
    executor = Executor(1, system=system)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    running = executor.submit(Path.read_text, gate)
    waiting = [executor.submit(calls.double, number) for number in range(5)]
    wait_until(running.running, "a call that runs")

    executor.shutdown(wait=False, cancel_futures=True)
    wait_until(waiting[-1].cancelled, "the waiting calls to be cancelled")
    gate.write_text("open")
    executor.shutdown()

    assert all(future.cancelled() for future in waiting)
    assert running.result(SECONDS) == "open"


def test_a_dropped_executor_finishes_its_calls_and_ends(system: ActorSystem) -> None:
    executor = Executor(1, system=system)
    pid = executor.submit(os.getpid).result(SECONDS)
    futures = [executor.submit(calls.double, number) for number in range(10)]

    del executor

    assert [future.result(SECONDS) for future in futures] == [*range(0, 20, 2)]
    wait_until(lambda: is_gone(pid), "the end of the worker")


def test_a_deadline_keeps_the_executor_that_it_is_of(system: ActorSystem) -> None:
    limited = Executor(1, system=system).within(SECONDS)

    assert limited.submit(calls.double, 4).result(SECONDS) == 8

    limited.shutdown()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_ends_every_call_at_once(
    error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "pid"

    futures: list[Future[Any]] = []

    def leave() -> None:
        with Executor(1) as executor:
            futures.append(executor.submit(calls.hang, str(path)))
            futures.append(executor.submit(calls.double, 1))
            pid_in(path)
            raise error

    with pytest.raises(error):
        leave()

    assert is_gone(pid_in(path))
    assert all(future.cancelled() for future in futures)


def test_an_ordinary_error_in_the_block_waits_for_every_call(
    system: ActorSystem,
) -> None:
    futures = []

    def leave() -> None:
        with Executor(1, system=system) as executor:
            futures.append(executor.submit(calls.double, 4))
            raise LookupError

    with pytest.raises(LookupError):
        leave()

    assert futures[0].result(0) == 8


# The end of the program.


@pytest.mark.parametrize(
    "how",
    [
        "falls-off",
        "shut-down-without-waiting",
        "dropped",
        "uses-what-the-initializer-sets",
    ],
)
def test_the_end_of_a_program_waits_for_its_calls(how: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, how, str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Return a function that starts the program and waits until a call hangs in it."""
    started = []

    def start_program(how: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, PROGRAM, how, str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        wait_until((tmp_path / "begun").exists, "a worker")
        return process

    yield start_program
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "how",
    [
        "hangs-in-block",
        "hangs-at-the-end-of-block",
        "hangs-without-block",
        "hangs-at-the-end",
    ],
)
def test_ctrl_c_ends_a_program_at_once_wherever_it_waits(
    how: str, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = start(how)

    process.send_signal(signal.SIGINT)

    _, text = process.communicate(timeout=SECONDS)
    assert "KeyboardInterrupt" in text
    assert process.returncode in {-signal.SIGINT, 0}


def interrupted(point: str) -> subprocess.CompletedProcess[str]:
    """Return what has come of a program that has pressed Ctrl-C at a *point* of its end."""
    return subprocess.run(
        [sys.executable, str(SCRIPTS / "executor_interrupted.py"), point],
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.parametrize(
    "point",
    [
        "as-threads-are-joined",
        "before-threads-are-joined",
        "while-a-thread-is-joined",
        "in-another-call-at-exit",
        "as-waiting-begins",
        "with-a-call-back-that-hangs",
    ],
)
def test_ctrl_c_counts_wherever_it_meets_the_end_of_a_program(point: str) -> None:
    done = interrupted(point)

    assert done.stderr.count("KeyboardInterrupt: ") == 1, done.stderr
    assert "warning" not in done.stderr, done.stderr
    assert done.returncode == 0


def test_a_handler_of_ctrl_c_that_goes_on_lets_the_calls_be_finished() -> None:
    done = interrupted("with-a-handler-that-goes-on")

    assert (done.returncode, done.stdout.split(), done.stderr) == (
        0,
        ["heard", "done"],
        "",
    )


# Forks.


def test_a_forked_process_is_told_to_make_an_executor_of_its_own(
    system: ActorSystem, tmp_path: Path
) -> None:
    with Executor(1, system=system) as executor:
        future: Future[Any] = executor.submit(calls.hang, str(tmp_path / "pid"))
        told = []
        pid = os.fork()  # noqa: TID251 - as a program may
        if not pid:
            for call in (
                future.result,
                future.cancel,
                lambda: executor.submit(calls.double, 1),
            ):
                try:
                    call()
                except ForkedHandleError:
                    told.append(True)
            executor.shutdown()
            os._exit(0 if len(told) == 3 else 1)
        _, status = os.waitpid(pid, 0)
        future.cancel()

        assert os.waitstatus_to_exitcode(status) == 0
        assert executor.submit(calls.double, 4).result(SECONDS) == 8


# The end of the system.


def test_calls_fail_when_their_system_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with ActorSystem(drain=0) as system:
        executor = Executor(1, system=system, shutdown=0)
        running: Future[Any] = executor.submit(calls.hang, str(path))
        waiting = executor.submit(calls.double, 1)
        pid_in(path)

    with pytest.raises((ActorCrashedError, SystemClosedError)):
        running.result(SECONDS)
    with pytest.raises(SystemClosedError):
        waiting.result(SECONDS)
    with pytest.raises(SystemClosedError):
        executor.submit(calls.double, 1)
    executor.shutdown()


def test_calls_fail_when_the_supervisor_dies(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with Executor(1) as executor:
        future: Future[Any] = executor.submit(calls.hang, str(path))
        root = parent_of(pid_in(path))

        os.kill(root, signal.SIGKILL)

        with pytest.raises(SystemFailedError):
            future.result(SECONDS)
        with pytest.raises(SystemFailedError):
            executor.submit(calls.double, 1)


def test_a_system_that_is_closed_is_refused() -> None:
    with ActorSystem() as system:
        pass

    with pytest.raises(SystemClosedError):
        Executor(system=system)


# Other places.


class Office(Actor):
    """Has an executor in the system that it lives in."""

    def __init__(self) -> None:
        """Make it."""
        self._executor = Executor(2, system=self.system)

    def double_all(self, count: int) -> list[int]:
        """Return twice the numbers below *count*."""
        return list(self._executor.map(calls.double, range(count)))

    def on_stop(self, reason: object) -> None:
        """Shut it down."""
        del reason
        self._executor.shutdown()


def test_an_actor_has_calls_executed_in_its_own_system(system: ActorSystem) -> None:
    office = system.spawn(Office).result()

    assert office.ask(Office.double_all, 5).result() == [0, 2, 4, 6, 8]

    office.stop().result()
    office.ended().result()


def test_a_program_in_run_mode_uses_one_beside_its_actors() -> None:
    async def main() -> list[int]:
        async with ActorSystem() as system:
            with Executor(2, system=system) as executor:
                return list(executor.map(calls.double, range(5)))

    assert run(main) == [0, 2, 4, 6, 8]
