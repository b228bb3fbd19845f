"""A call that takes all memory: the kernel kills its process, and the executor goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

GROUPS = Path("/sys/fs/cgroup/memory")
PROGRAM = """
import os, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
from actors import ActorCrashedError, Executor
from tests.support import executor_calls as calls
with Executor(2) as executor:
    hungry = executor.submit(calls.fill_memory)
    others = [executor.submit(calls.double, number) for number in range(5)]
    error = hungry.exception()
    print(type(error).__name__, error.reason.kind, error.reason.oom)
    print([other.result() for other in others], executor.submit(calls.double, 5).result())
"""


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A memory cgroup with room for 200 MiB."""
    group = GROUPS / f"test-executor-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as exc:
        pytest.skip(f"no memory cgroup can be made here: {exc}")
    (group / "memory.limit_in_bytes").write_text(str(200 * 2**20))
    yield group
    group.rmdir()


def test_only_the_call_fails_that_the_kernel_kills_for_memory(
    small_group: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(small_group)],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
        timeout=60,
    )

    assert done.stdout.splitlines() == [
        "ActorCrashedError oom_kill yes",
        "[0, 2, 4, 6, 8] 10",
    ]
