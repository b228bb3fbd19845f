"""The hooks of an actor: in which order and process they run, and what they do when they raise."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import (
    ActorRef,
    ActorSystem,
    Event,
    ExitKind,
    SpawnError,
)
from tests.support.actors_under_test import AsyncHooked, Hooked
from tests.support.gates import SECONDS, wait_until
from tests.support.lives import Worker, notes

NextEvent = Callable[[str, str], Event]
Lines = list[tuple[str, int]]

both = pytest.mark.parametrize("cls", [Hooked, AsyncHooked])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def lines(log: Path) -> Lines:
    """Return what ran, and the pid it ran in."""
    split = (line.rpartition(" ") for line in log.read_text().splitlines())
    return [(text, int(pid)) for text, _, pid in split]


@both
def test_hooks_run_in_order_and_in_the_process_that_handles_the_messages(
    system: ActorSystem, log: Path, cls: type[Hooked]
) -> None:
    hooked = system.spawn(cls, str(log)).result()

    pid = hooked.ask(Hooked.work).result()
    hooked.stop().result()
    hooked.ended().result(SECONDS)

    assert pid != os.getpid()
    assert lines(log) == [
        ("init", pid),
        ("start", pid),
        ("work", pid),
        ("stop normal", pid),
    ]


@both
def test_hooks_run_again_in_the_next_incarnation(
    system: ActorSystem, log: Path, cls: type[Hooked]
) -> None:
    hooked = system.spawn(cls, str(log)).result()
    first = hooked.ask(Hooked.work).result()

    hooked.tell(Hooked.crash)
    second = hooked.ask(Hooked.work).result()
    hooked.kill().result()

    assert lines(log) == [
        ("init", first),
        ("start", first),
        ("work", first),
        ("stop exception", first),
        ("init", second),
        ("start", second),
        ("work", second),
    ]


@both
@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (lambda ref, _pid: ref.stop(), "normal"),
        (lambda ref, _pid: ref.restart(), "shutdown"),
        (lambda _ref, pid: os.kill(pid, signal.SIGTERM), "shutdown"),
    ],
    ids=["stop", "restart", "SIGTERM"],
)
def test_on_stop_is_told_why(
    system: ActorSystem,
    log: Path,
    cls: type[Hooked],
    end: Callable[[ActorRef[Hooked], int], object],
    kind: str,
) -> None:
    hooked = system.spawn(cls, str(log)).result()
    pid = hooked.ask(Hooked.work).result()

    end(hooked, pid)

    wait_until(lambda: (f"stop {kind}", pid) in lines(log), "on_stop")
    hooked.kill().result()


def test_on_stop_does_not_run_when_the_process_is_killed(
    system: ActorSystem, log: Path
) -> None:
    hooked = system.spawn(Hooked, str(log)).result()

    hooked.kill().result()

    assert [text for text, _ in lines(log)] == ["init", "start"]


@both
@pytest.mark.parametrize("hook", ["init", "start"])
def test_a_hook_that_raises_at_the_first_start_fails_the_spawn(
    system: ActorSystem, log: Path, cls: type[Hooked], hook: str
) -> None:
    with pytest.raises(SpawnError, match=f"raised ValueError: {hook}") as failure:
        system.spawn(cls, str(log), fail=hook).result()

    assert ", in note" in str(failure.value)
    assert "stop" not in log.read_text()


@both
def test_an_on_stop_that_raises_makes_a_stop_a_crash(
    system: ActorSystem, log: Path, cls: type[Hooked]
) -> None:
    hooked = system.spawn(cls, str(log), fail="stop").result()

    hooked.stop().result()

    reason = hooked.ended().result(SECONDS)
    assert reason.kind is ExitKind.EXCEPTION
    assert reason.message == "stop normal"
    assert reason.during == "on_stop"


@both
def test_an_on_stop_that_raises_after_a_crash_leaves_the_first_reason(
    system: ActorSystem, log: Path, cls: type[Hooked], next_event: NextEvent
) -> None:
    hooked = system.spawn(cls, str(log), fail="stop").result()

    hooked.tell(Hooked.crash)

    reason = next_event("child_exit", hooked.name).reason
    assert reason is not None
    assert reason.message == "crash"
    hooked.kill().result()


# Background tasks.


def test_a_background_task_is_cancelled_before_on_stop(
    system: ActorSystem, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    worker = system.spawn(Worker, str(path)).result()
    pid = worker.ask(Worker.work).result()
    wait_until(lambda: notes(path), "the task")

    worker.stop().result()
    worker.ended().result(SECONDS)

    assert notes(path) == [(pid, "begun"), (pid, "cancelled"), (pid, "on_stop normal")]


def test_an_exception_in_a_background_task_crashes_the_actor(
    system: ActorSystem, tmp_path: Path, next_event: NextEvent
) -> None:
    path = tmp_path / "notes"
    worker = system.spawn(Worker, str(path)).result()

    first = worker.ask(Worker.fail).result()

    reason = next_event("child_exit", worker.name).reason
    assert reason is not None
    assert (reason.exc_type, reason.message) == ("LookupError", "in the background")
    assert reason.during == "Worker._fail"
    assert worker.ask(Worker.pid).result() != first
    assert notes(path) == [(first, "on_stop exception")]
    worker.kill().result()


@pytest.mark.parametrize(
    ("status", "kind"), [(None, ExitKind.NORMAL), (3, ExitKind.EXIT_CODE)]
)
def test_a_background_task_may_exit_the_process_as_a_handler_may(
    system: ActorSystem,
    tmp_path: Path,
    next_event: NextEvent,
    status: int | None,
    kind: ExitKind,
) -> None:
    worker = system.spawn(Worker, str(tmp_path / "notes")).result()

    worker.ask(Worker.leave, status).result()

    reason = next_event("child_exit", worker.name).reason
    assert reason is not None
    assert reason.kind is kind
    assert len(notes(tmp_path / "notes")) == 1
    worker.kill().result()
