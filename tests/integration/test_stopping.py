"""How an actor's process ends when it is asked to: what it finishes, in which order, and how long it has for that."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import (
    Actor,
    ActorRef,
    ActorSystem,
    AskTimeoutError,
    Event,
    ExitKind,
    ExitReason,
)
from actors.runtime.loop import RingLoop
from tests.support.actors_under_test import Blocker, Counter
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.lives import Troubled, note, notes

NextEvent = Callable[[str, str], Event]


class Lingerer(Actor):
    """Takes its time on its way out."""

    concurrency = 2

    async def linger(self) -> int:
        """Stop with a message in the mailbox; return how often the loop turns before this ends."""
        self.stop()
        self.ref.tell(Lingerer.linger)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, RingLoop)
        before = loop.rings._turns
        await asyncio.sleep(0.1)
        return loop.rings._turns - before


class Clerk(Actor):
    """Notes what it does on its way out."""

    def __init__(self, path: str) -> None:
        self.path = path
        atexit.register(note, path, "atexit")
        weakref.finalize(self, note, path, "finalized")

    def note(self, text: str) -> None:
        note(self.path, text)

    def hold(self, gate: str) -> str:
        Path(gate + ".entered").touch()
        Path(gate).read_bytes()
        self.note("handled")
        return "handled"

    async def hold_later(self, gate: str) -> str:
        await asyncio.to_thread(self.hold, gate)
        return "handled"

    def leave_thread(self, gate: str) -> None:
        """Stop, with a thread that goes on until the gate is open."""
        threading.Thread(target=self.hold, args=(gate,)).start()
        self.stop()

    def leave_thread_for_ever(self) -> None:
        threading.Thread(target=threading.Event().wait).start()
        self.stop()

    def pid(self) -> int:
        return os.getpid()

    def on_stop(self, reason: ExitReason) -> None:
        del reason
        self.note("on_stop")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a clerk notes."""
    return tmp_path / "notes"


def texts(path: Path) -> list[str]:
    return [text for _, text in notes(path)]


def is_stopping(pid: int) -> bool:
    """Return whether a SIGTERM that was sent to *pid* has been taken from the kernel."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("ShdPnd:"):
            return not int(line.split()[1], 16) & 1 << (signal.SIGTERM - 1)
    raise AssertionError(pid)


@pytest.mark.parametrize("method", [Clerk.hold, Clerk.hold_later])
def test_a_handler_is_finished_and_nothing_behind_it_is_begun(
    system: ActorSystem,
    path: Path,
    gate: Gate,
    method: Callable[[Clerk, str], str],
) -> None:
    clerk = system.options(restart="permanent").spawn(Clerk, str(path)).result()
    pid = clerk.ask(Clerk.pid).result()
    held = clerk.within(SECONDS).ask(method, gate.path)
    clerk.tell(Clerk.note, "queued")
    gate.wait_until_entered()

    for _ in range(3):  # the second and the third change nothing
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: is_stopping(pid), "the signal")
    gate.open()

    assert held.result(SECONDS) == "handled"
    second = clerk.ask(Clerk.pid).result(SECONDS)
    assert notes(path) == [
        (pid, "handled"),
        (pid, "on_stop"),
        (pid, "atexit"),
        (pid, "finalized"),
        (second, "queued"),
    ]
    clerk.kill().result(SECONDS)


def test_an_actor_that_finishes_what_it_has_in_hand_sleeps_meanwhile(
    system: ActorSystem,
) -> None:
    """What waited in its mailbox, and was for the next one, kept it awake."""
    lingerer = system.options(transport="pipe").spawn(Lingerer).result()

    turns = lingerer.ask(Lingerer.linger).result(SECONDS)

    lingerer.ended().result(SECONDS)
    assert turns < 50


def test_an_actor_that_stops_itself_waits_for_its_threads_and_then_runs_atexit(
    system: ActorSystem, path: Path, gate: Gate
) -> None:
    clerk = system.spawn(Clerk, str(path)).result()

    clerk.tell(Clerk.leave_thread, gate.path)
    gate.wait_until_entered()
    wait_until(lambda: texts(path), "its on_stop")
    gate.open()

    assert clerk.ended().result(SECONDS).kind is ExitKind.NORMAL
    assert texts(path) == ["on_stop", "handled", "atexit", "finalized"]


def test_an_actor_that_has_stopped_itself_and_lingers_is_killed_and_told(
    system: ActorSystem, path: Path, next_event: NextEvent
) -> None:
    clerk = system.options(shutdown=0.2).spawn(Clerk, str(path)).result()

    clerk.tell(Clerk.leave_thread_for_ever)

    reason = clerk.ended().result(SECONDS)
    assert reason.kind is ExitKind.NORMAL
    assert reason.signal == "SIGKILL"
    assert (reason.uptime or 0) >= 0.2
    told = next_event("shutdown_error", clerk.name)
    assert told.reason is not None
    assert told.reason.kind is ExitKind.NORMAL


def test_an_actor_without_time_to_stop_is_killed_at_once(path: Path) -> None:
    with ActorSystem(drain=0) as own:
        spawner = own.options(shutdown=0)
        ended = spawner.spawn(Troubled, str(path), "on_stop", "hang").result().ended()
        path.touch()

    reason = ended.result()
    assert (reason.kind, reason.cause) == (ExitKind.KILLED, "shutdown_timeout")


class Twin(Actor):
    """Ends when its twin does."""

    def __init__(self, mine: str, other: str) -> None:
        self.mine, self.other = Path(mine), Path(other)

    def on_stop(self, reason: ExitReason) -> None:
        del reason
        self.mine.touch()
        while not self.other.exists():
            time.sleep(0.001)  # noqa: TID251 - an actor that polls, not a test


def test_actors_are_stopped_all_at_once(tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")

    with ActorSystem(drain=0) as own:
        spawner = own.options(shutdown=SECONDS)
        ends = [
            spawner.spawn(Twin, *paths).result().ended()
            for paths in ((first, second), (second, first))
        ]

    assert [end.result().kind for end in ends] == [ExitKind.SHUTDOWN] * 2


def test_a_start_that_takes_its_time_holds_up_nothing_else(
    system: ActorSystem, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    starting = system.spawn(Troubled, str(flag), "on_start", "hang")
    wait_until(lambda: notes(f"{flag}.entered"), "the start")

    counter = system.options(name="other").spawn(Counter).result(SECONDS)
    counter.restart().result(SECONDS)
    found = system.lookup("other", Counter).result(SECONDS)
    counter.kill().result(SECONDS)

    assert found == counter
    assert not starting.done()
    os.kill(notes(f"{flag}.entered")[0][0], signal.SIGKILL)
    with pytest.raises(Exception, match="killed by SIGKILL"):
        starting.result(SECONDS)


# What the dead one had asked.


class Asker(Actor):
    """Asks one actor after the other."""

    async def ask(self, blocker: ActorRef[Blocker], gate: str) -> str:
        return await blocker.within(SECONDS).ask(Blocker.wait_for, gate)

    async def greet(self, blocker: ActorRef[Blocker]) -> str:
        return await blocker.within(SECONDS).ask(Blocker.hello)

    def pid(self) -> int:
        return os.getpid()


def test_an_answer_to_the_dead_incarnation_is_not_one_to_the_next(
    system: ActorSystem, gate: Gate
) -> None:
    blocker, asker = system.spawn(Blocker).result(), system.spawn(Asker).result()
    pid = asker.ask(Asker.pid).result()
    asker.tell(Asker.ask, blocker, gate.path)
    gate.wait_until_entered()

    os.kill(pid, signal.SIGKILL)
    assert asker.within(SECONDS).ask(Asker.pid).result() != pid
    greeting = asker.within(SECONDS).ask(Asker.greet, blocker)
    with pytest.raises((TimeoutError, AskTimeoutError)):
        greeting.result(0.05)  # behind what the dead one has asked
    gate.open()

    assert greeting.result(SECONDS) == "hello"
