"""A call that takes all memory: the kernel kills its process, and the executor goes on."""

from __future__ import annotations

from pathlib import Path

from tests.support.programs import outcome_of

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


def test_only_the_call_fails_that_the_kernel_kills_for_memory(
    small_group: Path,
) -> None:
    done = outcome_of("-c", PROGRAM, str(small_group))

    assert done.stdout.splitlines() == [
        "ActorCrashedError oom_kill yes",
        "[0, 2, 4, 6, 8] 10",
    ]
