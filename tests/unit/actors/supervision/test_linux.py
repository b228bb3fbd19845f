"""What /proc tells about processes, whatever they are doing at the moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.supervision import linux
from tests.support.gates import wait_until

MARKER = "ACTORS_TEST_LINUX=yes"


def start(*command: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE)
    # Popen returns in the middle of the exec.
    wait_until(
        lambda: linux.environment_has(process.pid, "") is not None, "the program"
    )
    return process


@pytest.fixture
def marked() -> Iterator[subprocess.Popen[bytes]]:
    name, _, value = MARKER.partition("=")
    with start("/bin/cat", env={"A": "b", name: value, "Z": "z"}) as process:
        yield process
        process.kill()


def test_marker_is_found_in_the_environment(marked: subprocess.Popen[bytes]) -> None:
    assert linux.environment_has(marked.pid, MARKER)
    assert not linux.environment_has(marked.pid, MARKER[:-1])


def test_process_without_any_environment_has_no_marker() -> None:
    with start("/bin/cat", env={}) as process:
        assert linux.environment_has(process.pid, MARKER) is False
        process.kill()


def test_zombie_has_no_marker(marked: subprocess.Popen[bytes]) -> None:
    marked.kill()
    os.waitid(os.P_PID, marked.pid, os.WEXITED | os.WNOWAIT)

    assert linux.environment_has(marked.pid, MARKER) is False


def test_process_that_is_gone_has_neither_marker_nor_session(
    marked: subprocess.Popen[bytes],
) -> None:
    marked.kill()
    marked.wait()

    assert linux.environment_has(marked.pid, MARKER) is False
    assert linux.session_of(marked.pid) is None


def test_process_in_the_middle_of_an_exec_is_never_said_to_have_no_marker() -> None:
    """Its memory is the new program's already, and its environment not there yet."""
    name, _, value = MARKER.partition("=")
    again = "import os, sys; os.execv(sys.executable, [sys.executable, '-S', '-c', sys.argv[1], sys.argv[1]])"
    answers = set()
    with start(sys.executable, "-S", "-c", again, again, env={name: value}) as process:
        for _ in range(30_000):
            answers.add(linux.environment_has(process.pid, MARKER))
        process.kill()

    assert answers <= {True, None}


def test_session_is_read_whatever_a_process_calls_itself() -> None:
    script = "import ctypes; ctypes.CDLL(None).prctl(15, b') Z 1 2 3'); input()"
    with start(sys.executable, "-S", "-c", script, env={}) as process:
        name = Path(f"/proc/{process.pid}/comm")
        wait_until(lambda: name.read_text().startswith(")"), "the name")

        assert linux.session_of(process.pid) == os.getsid(0)
        process.send_signal(signal.SIGKILL)
