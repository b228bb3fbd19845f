"""Signals by ref: they reach the process that runs the actor, whatever it does, and no other."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import (
    ActorCrashedError,
    ActorNotFoundError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    Event,
    OptionError,
)
from tests.support.controlled import Attentive
from tests.support.gates import Gate, wait_until
from tests.support.lives import is_alive

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
TRIES = 20  # to be the next that gets a process
DECOY = "print('up', flush=True); import signal; signal.pause()"


@pytest.fixture
def take_number() -> Iterator[Callable[[int], int]]:
    """Return a function that starts a process with the number of one that has ended."""
    decoys: list[subprocess.Popen[bytes]] = []

    def take(pid: int) -> int:
        for _ in range(TRIES):
            try:
                LAST_PID.write_text(str(pid - 1))
            except PermissionError:
                pytest.skip("only the superuser may choose the next process's number")
            command = [sys.executable, "-c", DECOY]
            decoy = subprocess.Popen(command, stdout=subprocess.PIPE)
            decoys.append(decoy)
            if decoy.pid == pid:
                assert decoy.stdout is not None
                decoy.stdout.readline()
                return pid
        assert is_alive(pid), f"nobody has got the number {pid}, nor could we"
        pytest.skip("somebody else has got the number, and keeps it")

    yield take
    for decoy in decoys:
        decoy.kill()
        decoy.communicate()


def assert_counts_one(ref: ActorRef[Attentive]) -> None:
    wait_until(lambda: ref.ask(Attentive.counted).result(), "the signal")
    assert ref.ask(Attentive.counted).result() == 1


def test_signal_reaches_the_handler_of_the_actor(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.signal(signal.SIGUSR1).result()

    assert_counts_one(attentive)


def test_signal_can_be_awaited(attentive: ActorRef[Attentive]) -> None:
    async def send() -> None:
        await attentive.signal(signal.SIGUSR1)

    asyncio.run(send())

    assert_counts_one(attentive)


def test_actor_can_signal_itself(attentive: ActorRef[Attentive]) -> None:
    attentive.ask(Attentive.signal_yourself).result()

    assert_counts_one(attentive)


def test_signal_to_a_busy_actor_is_handled_after_the_message_in_hand(
    attentive: ActorRef[Attentive], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    spinning = attentive.ask(Attentive.spin, str(mark))
    wait_until(mark.exists, "the handler")

    attentive.signal(signal.SIGUSR1).result()
    mark.unlink()

    spinning.result()
    assert_counts_one(attentive)


def test_uncaught_signal_crashes_an_actor_that_hangs_and_it_starts_again(
    attentive: ActorRef[Attentive], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    hanging = attentive.ask(Attentive.hang_in_c, str(mark))
    wait_until(mark.exists, "the handler")
    queued = attentive.ask(Attentive.counted)

    attentive.signal(signal.SIGUSR2).result()

    with pytest.raises(ActorCrashedError, match="SIGUSR2"):
        hanging.result()
    assert queued.result() == 0


def test_signal_during_a_restart_waits_for_the_next_incarnation(
    system: ActorSystem, gate: Gate
) -> None:
    """At once it would end the process, which does not catch it yet."""
    ref = system.spawn(Attentive, gate.path).result()
    ref.signal(signal.SIGKILL).result()
    gate.wait_until_entered()

    signalling = ref.signal(signal.SIGUSR1)
    with pytest.raises(ActorNotFoundError):  # so the signal has been seen by now
        system.lookup("nobody", Attentive).result()
    assert not signalling.done()
    gate.open()

    signalling.result()
    assert_counts_one(ref)
    ref.kill().result()


def test_signal_that_waits_for_a_process_fails_when_there_will_be_none(
    system: ActorSystem, gate: Gate
) -> None:
    ref = system.spawn(Attentive, gate.path).result()
    ref.signal(signal.SIGKILL).result()
    gate.wait_until_entered()
    signalling = ref.signal(signal.SIGUSR1)

    ref.kill().result()

    with pytest.raises(ActorStoppedError, match="killed on request"):
        signalling.result()


def test_signal_to_an_actor_that_has_ended_reaches_nobody_with_its_number(
    system: ActorSystem, take_number: Callable[[int], int]
) -> None:
    ref = system.spawn(Attentive).result()
    pid = ref.ask(Attentive.pid).result()
    ref.kill().result()
    decoy = take_number(pid)

    with pytest.raises(ActorStoppedError, match="killed on request"):
        ref.signal(signal.SIGUSR2).result()

    assert is_alive(decoy)


def test_signal_to_a_restarted_actor_reaches_nobody_with_its_old_number(
    attentive: ActorRef[Attentive],
    take_number: Callable[[int], int],
    next_event: Callable[[str, str], Event],
) -> None:
    pid = attentive.ask(Attentive.pid).result()
    os.kill(pid, signal.SIGKILL)
    next_event("child_ready", attentive.name)
    decoy = take_number(pid)

    attentive.signal(signal.SIGUSR1).result()

    assert_counts_one(attentive)
    assert is_alive(decoy)


@pytest.mark.parametrize(
    ("signum", "advice"),
    [
        (signal.SIGSTOP, "freeze"),
        (signal.SIGTSTP, "freeze"),
        (signal.SIGCONT, "thaw"),
        (signal.SIGRTMAX, "stack"),
        (0, "a signal"),
        (1000, "a signal"),
        ("SIGHUP", "a signal"),
        (True, "a signal"),
    ],
)
def test_what_is_no_signal_for_actors_is_refused_at_the_call(
    attentive: ActorRef[Attentive], signum: int, advice: str
) -> None:
    with pytest.raises(OptionError, match=f"signum=.*{advice}"):
        attentive.signal(signum)
