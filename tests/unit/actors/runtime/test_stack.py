"""Stacks that a process writes from a signal handler: what they show, and that writing them does no harm."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from actors.runtime import _stack
from actors.supervision.stacks import CHANGED

HEAD = "Stack (most recent call first):\n"
# Of the stacks, at most: those that the signal has met in the middle of a call.
UNSURE = 0.1
PROGRAM = """
import os, signal, sys, threading
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

# By its file: importing the package would take longer than all the rest.
loader = ExtensionFileLoader("_stack", sys.argv[1])
_stack = module_from_spec(spec_from_file_location("_stack", loader=loader))
fd, argument = map(int, sys.argv[2:])
assert _stack.install(fd, signal.SIGALRM)

def spin(path, until):
    while path.exists() and os.lseek(fd, 0, os.SEEK_CUR) < until:
        pass
"""
SPIN = """
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
spin(Path("/"), argument)
signal.setitimer(signal.ITIMER_REAL, 0)
"""
DIE = """
def sleep(lock):
    with lock:
        ready.wait()
        lock.acquire()
ready = threading.Barrier(2)
threading.Thread(target=sleep, args=(threading.Lock(),), daemon=True).start()
ready.wait()
def die():
    os.kill(os.getpid(), argument)
die()
"""
DIE_IN_A_FORK = """
if os.fork() == 0:
    os.kill(os.getpid(), argument)
os.wait()
"""
DIE_IN_C = """
import ctypes
def die():
    ctypes.PyDLL(None).abort()
die()
"""
CHAIN = """
def call(depth):
    if depth:
        call(depth - 1)
    else:
        signal.raise_signal(signal.SIGALRM)
call(argument)
"""
# Instructions of every form that the table of lines has, and a name that is not ASCII.
MULTILINE = '''
def größe(*values):
    return sum(
        [
            value
            for value in values
        ],
        signal.raise_signal(
            signal.SIGALRM
        ) or
        0,
    )
''' + "\n" * 300 + '''
größe(
    1,
)
'''  # fmt: skip


@pytest.fixture
def fd() -> Iterator[int]:
    fd = os.memfd_create("stacks")
    yield fd
    os.close(fd)


def run(code: str, fd: int, argument: int = 0) -> tuple[int, str]:
    """Run *code* behind the program; return how it ended, and what it has written."""
    command = [sys.executable, "-c", PROGRAM + code, _stack.__file__]
    command += [str(fd), str(argument)]
    ended = subprocess.run(command, pass_fds=[fd], check=False)
    return ended.returncode, os.pread(fd, os.lseek(fd, 0, os.SEEK_CUR), 0).decode()


@pytest.mark.parametrize(
    "size", [2**17, pytest.param(2**24, marks=pytest.mark.slow)], ids=str
)
def test_stack_that_is_written_in_the_middle_of_calls_harms_nobody(
    fd: int, size: int
) -> None:
    """faulthandler ended a process after some thousand signals: it followed the pointers of frames that were being pushed."""
    status, text = run(SPIN, fd, size)

    assert status == 0
    stacks = text.split(HEAD)[1:]
    sound = [stack for stack in stacks if not stack.endswith(CHANGED)]
    assert len(stacks) > size // 1000
    assert len(sound) > (1 - UNSURE) * len(stacks)
    assert all(stack.endswith("in <module>\n") for stack in sound)


def test_stack_shows_files_lines_and_names(fd: int) -> None:
    _, text = run(MULTILINE, fd)

    lines = (PROGRAM + MULTILINE).splitlines()
    assert text == (
        f"{HEAD}"
        f'  File "<string>", line {lines.index("        signal.raise_signal(") + 1} in gr\\xf6\\xdfe\n'
        f'  File "<string>", line {lines.index("größe(") + 1} in <module>\n'
    )


def test_long_stack_is_cut_at_its_old_end(fd: int) -> None:
    _, text = run(CHAIN, fd, 200)

    assert text.count("in call\n") == 100
    assert text.endswith("in call\n  ...\n")


@pytest.mark.parametrize("number", [signal.SIGXCPU, signal.SIGABRT])
def test_signal_that_ends_a_process_does_so_when_the_stack_is_written(
    fd: int, number: signal.Signals
) -> None:
    status, text = run(DIE, fd, number)

    assert status == -number
    assert text.count("in die\n") == 1
    assert text.count("in sleep\n") == (number == signal.SIGABRT)


def test_abort_shows_the_thread_that_got_it_first(fd: int) -> None:
    _, text = run(DIE, fd, signal.SIGABRT)

    header = r"Fatal Python error: Aborted\n\nCurrent thread 0x[0-9a-f]{16} \(most recent call first\):\n"
    assert re.match(header + r'  File "<string>", line \d+ in die\n', text)


def test_abort_in_c_shows_who_called_it(fd: int) -> None:
    status, text = run(DIE_IN_C, fd)

    assert status == -signal.SIGABRT
    assert "in die\n" in text


def test_death_of_a_fork_is_not_written_where_its_parent_writes(fd: int) -> None:
    status, text = run(DIE_IN_A_FORK, fd, signal.SIGABRT)

    assert status == 0
    assert text == ""


def test_number_that_is_no_signal_is_refused() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        _stack.install(-1, 0)
