"""Ctrl-C that the interpreter has just missed: it has looked for signals, and goes to sleep."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, Executor
from actors.executor.call import Call
from tests.support import executor_calls as calls
from tests.support.controlled import Attentive
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.procfs import is_asleep, switches_of

SOUND_SECONDS = 0.1


@contextlib.contextmanager
def ctrl_c_missed() -> Iterator[None]:
    """Press Ctrl-C once this thread sleeps, and have another one take it: then nothing interrupts the sleep."""

    pid = os.getpid()
    switches, since = 0, 0.0

    def is_fast_asleep() -> bool:
        """Return whether it has been in one sleep for so long that it waits for none of our threads."""
        nonlocal switches, since
        before, switches = switches, switches_of(pid)
        if switches != before:
            since = time.monotonic()
        return is_asleep(pid) and time.monotonic() - since > SOUND_SECONDS

    def press() -> None:
        wait_until(is_fast_asleep, "the main thread to sleep")
        os.kill(pid, signal.SIGINT)

    presser = threading.Thread(target=press)  # which must not have it blocked
    presser.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        presser.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


@contextlib.contextmanager
def alarm() -> Iterator[None]:
    """Raise ``TimeoutError`` soon, as programs do that limit the time of a block."""

    def on_alarm(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_it_ends_the_wait_for_an_answer(
    attentive: ActorRef[Attentive], gate: Gate
) -> None:
    held_up = attentive.ask(Attentive.wait_for, gate.path)

    with pytest.raises(KeyboardInterrupt), ctrl_c_missed():
        held_up.result()

    gate.open()


@pytest.mark.parametrize("wait", [Call.result, Call.exception])
@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_it_ends_the_wait_for_a_call_of_an_executor(
    wait: Callable[[Call[Any], float | None], Any],
    timeout: float | None,
    system: ActorSystem,
    tmp_path: Path,
) -> None:
    with Executor(1, system=system) as executor:
        call: Future[Any] = executor.submit(calls.hang, str(tmp_path / "pid"))
        assert isinstance(call, Call)

        with pytest.raises(KeyboardInterrupt), ctrl_c_missed():
            wait(call, timeout)

        call.cancel()


def test_what_another_handler_raises_ends_the_wait_for_a_call(
    system: ActorSystem, tmp_path: Path
) -> None:
    """Also what looks like the end of a step of the wait."""
    with Executor(1, system=system) as executor:
        call: Future[Any] = executor.submit(calls.hang, str(tmp_path / "pid"))

        with pytest.raises(TimeoutError), alarm():
            call.result()

        call.cancel()


def test_it_ends_the_wait_for_the_end_of_an_executor(
    system: ActorSystem, tmp_path: Path
) -> None:
    executor = Executor(1, system=system)
    call: Future[Any] = executor.submit(calls.hang, str(tmp_path / "pid"))

    with pytest.raises(KeyboardInterrupt), ctrl_c_missed():
        executor.shutdown()

    assert call.cancelled()
