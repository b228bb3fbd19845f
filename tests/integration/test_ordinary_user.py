"""Actors over kernel objects that an ordinary user has few of: they work, or the error names the limit."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime import systems
from tests.support.gates import SECONDS, wait_until
from tests.support.ordinary_actors import Report
from tests.support.ordinary_user import FIRST_UID
from tests.support.transports import ROOT

PROGRAM = "tests.support.ordinary_actors"
FIVE_QUEUES = 5 * 6800  # bytes, with what the kernel adds to each
PIPE_BYTES = 65536  # what a new pipe holds

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="needs root and setpriv, to become a user with limits of its own",
)


@pytest.fixture
def user() -> Iterator[int]:
    """A user that nobody else is, so that its limits are all its own."""
    uid = FIRST_UID + secrets.randbelow(1 << 20)
    yield uid
    for pid in processes_of(uid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not processes_of(uid), "the end of the user's processes")
    shutil.rmtree(base_of(uid), ignore_errors=True)


def base_of(uid: int) -> Path:
    return Path(str(systems.default_base()).replace(str(os.geteuid()), str(uid)))


def processes_of(uid: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == uid:
                found.append(int(process.name))
    return found


def start(
    user: int, scheme: str, count: int, queue_bytes: int = 0
) -> tuple[subprocess.Popen[str], Report]:
    # It may read what is ours, to find its interpreter, and nothing else.
    caps = [f"--{which}-caps=-all,+dac_read_search" for which in ("inh", "ambient")]
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *caps]
    program = subprocess.Popen(
        [*as_user, sys.executable, "-m", PROGRAM, scheme, str(count), str(queue_bytes)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    return program, Report(**json.loads(program.stdout.readline()))


def end(program: subprocess.Popen[str]) -> None:
    program.communicate(timeout=3 * SECONDS)
    assert program.returncode == 0


def run(user: int, scheme: str, count: int, queue_bytes: int = 0) -> Report:
    program, found = start(user, scheme, count, queue_bytes)
    end(program)
    return found


def test_spawn_without_room_for_a_queue_names_the_limit_and_harms_nobody(
    user: int,
) -> None:
    found = run(user, "mq", 10, FIVE_QUEUES)

    assert found.made == found.answered == 5
    assert f"RLIMIT_MSGQUEUE is {FIVE_QUEUES} bytes" in found.error
    assert "ulimit -q" in found.error


def test_no_queue_is_left_after_everything_was_killed_and_a_system_started(
    user: int,
) -> None:
    program, first = start(user, "mq", 5, FIVE_QUEUES)
    # The program, the root supervisor, the actors, and what is kept for births to come.
    wait_until(lambda: len(processes_of(user)) == 9, "the processes")
    # All at once, so that nobody can clean up after anybody.
    pids = processes_of(user)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    program.communicate()
    wait_until(lambda: not processes_of(user), "the end of the user's processes")

    second = run(user, "mq", 5, FIVE_QUEUES)

    assert (first.made, first.error) == (5, "")
    assert (second.made, second.error) == (5, "")
    assert list(base_of(user).iterdir()) == []


@pytest.mark.slow
def test_100_actors_over_mq_work_on_the_limits_of_an_ordinary_user(user: int) -> None:
    found = run(user, "mq", 100)

    assert (found.made, found.answered, found.error) == (100, 100, "")


@pytest.mark.slow
def test_actors_over_mq_up_to_the_limit_work_and_the_next_one_names_it(
    user: int,
) -> None:
    limit = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0]

    found = run(user, "mq", 300)

    assert 100 < found.made == found.answered < 300
    assert f"RLIMIT_MSGQUEUE is {limit} bytes" in found.error


@pytest.mark.slow
def test_300_actors_over_pipe_leave_the_other_pipes_of_the_user_whole(
    user: int,
) -> None:
    found = run(user, "pipe", 300)

    assert (found.made, found.answered, found.error) == (300, 300, "")
    assert found.pipe_bytes == PIPE_BYTES
