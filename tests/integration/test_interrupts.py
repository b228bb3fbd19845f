"""Ctrl-C that the interpreter has just missed: it has looked for signals, and goes to sleep."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
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
from tests.support.procfs import is_asleep


@contextlib.contextmanager
def ctrl_c_missed() -> Iterator[None]:
    """Press Ctrl-C once this thread sleeps, and have another one take it: then nothing interrupts the sleep."""

    def press() -> None:
        wait_until(lambda: is_asleep(os.getpid()), "the main thread to sleep")
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)  # which must not have it blocked
    presser.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        presser.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


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


def test_it_ends_the_wait_for_the_end_of_an_executor(
    system: ActorSystem, tmp_path: Path
) -> None:
    executor = Executor(1, system=system)
    call: Future[Any] = executor.submit(calls.hang, str(tmp_path / "pid"))

    with pytest.raises(KeyboardInterrupt), ctrl_c_missed():
        executor.shutdown()

    assert call.cancelled()
