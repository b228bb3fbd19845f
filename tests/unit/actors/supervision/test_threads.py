"""What is seen of the threads of a process, and which of them gets a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from actors.supervision import linux, threads
from tests.support.gates import wait_until

PROGRAM = """
import faulthandler, signal, sys, threading

def wait():
    threading.Event().wait()

def spin():
    print("up", flush=True)
    while True:
        pass

for _ in range(20):
    threading.Thread(target=wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
signal.signal(signal.SIGUSR2, lambda *_: None)
faulthandler.enable(sys.stdout, all_threads=False)
spin()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "up\n"
        yield started
        started.kill()


@pytest.fixture
def pidfd(process: subprocess.Popen[str]) -> Iterator[int]:
    fd = os.pidfd_open(process.pid)
    yield fd
    os.close(fd)


def test_main_thread_is_the_one_that_gets_the_abort(
    process: subprocess.Popen[str], pidfd: int
) -> None:
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: threads.is_stopped(process.pid), "the process to stop")

    threads.abort_main(pidfd, process.pid)
    state = threads.signal_state(process.pid, process.pid, signal.SIGABRT)
    process.send_signal(signal.SIGCONT)

    assert state.is_pending  # for this thread and for no other
    dump, _ = process.communicate()
    assert "in spin\n" in dump
    assert process.returncode == -signal.SIGABRT


def test_process_is_stopped_when_all_its_threads_are(
    process: subprocess.Popen[str],
) -> None:
    assert not threads.is_stopped(process.pid)
    assert not threads.is_main_stopped(process.pid)

    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: threads.is_stopped(process.pid), "the process to stop")

    assert threads.is_main_stopped(process.pid)
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: not threads.is_stopped(process.pid), "the process to go on")


def test_process_that_has_died_is_not_stopped(process: subprocess.Popen[str]) -> None:
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert not threads.is_stopped(process.pid)


def test_threads_are_listed_with_the_main_one_first(
    process: subprocess.Popen[str],
) -> None:
    assert len(threads.of(process.pid)) == 21
    assert threads.of(process.pid)[0] == process.pid
    assert threads.name_of(process.pid, process.pid).startswith("python")
    assert threads.name_of(process.pid, 1) == "ended"


def test_what_a_thread_does_about_a_signal_is_seen(
    process: subprocess.Popen[str], pidfd: int
) -> None:
    pid = process.pid
    before = threads.signal_state(pid, pid, signal.SIGUSR1)

    linux.signal_thread(pidfd, pid, pid, signal.SIGUSR1)

    assert before == threads.SignalState(is_pending=False, is_blocked=True)
    after = threads.signal_state(pid, pid, signal.SIGUSR1)
    assert after == threads.SignalState(is_pending=True, is_blocked=True)
    assert threads.catches(pid, signal.SIGUSR2)
    assert not threads.catches(pid, signal.SIGUSR1)


def test_thread_that_does_not_exist_gets_no_signal(
    process: subprocess.Popen[str], pidfd: int
) -> None:
    with pytest.raises(ProcessLookupError):
        linux.signal_thread(pidfd, process.pid, os.getpid(), signal.SIGUSR1)


def test_dead_process_gets_no_signal_although_its_number_is_pinned(
    process: subprocess.Popen[str], pidfd: int
) -> None:
    process.kill()
    wait_until(lambda: linux.has_ended(pidfd), "the end of the process")

    with pytest.raises(ProcessLookupError):
        linux.signal_thread(pidfd, process.pid, process.pid, signal.SIGUSR1)


def test_process_that_cannot_be_seen_has_no_threads_and_does_nothing() -> None:
    nobody = 2**22 + 1  # beyond what a number can be

    assert threads.of(nobody) == []
    assert threads.name_of(nobody, nobody) == "ended"
    assert not threads.is_stopped(nobody)
    assert threads.is_main_stopped(nobody)
    assert not threads.is_traced(nobody)
    assert not threads.catches(nobody, signal.SIGUSR1)
    state = threads.signal_state(nobody, nobody, signal.SIGUSR1)
    assert state == threads.SignalState(is_pending=False, is_blocked=False)
