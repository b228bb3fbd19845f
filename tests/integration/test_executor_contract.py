"""CPython's own tests of executors and futures, run against ours.

Whatever is not listed here has to pass.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT, SCRIPTS

NOT_APPLICABLE = {
    "test_cancel_futures": "wants one of the calls to have begun at once: ours wait until a worker is up, and are cancelled",
    "test_processes_terminate": "counts processes that wait at a lock of multiprocessing, which travels only to its own children",
    "test_saturation": "as the one before",
    "test_ressources_gced_in_workers": "needs a manager of multiprocessing, which answers only its own children",
    "test_killed_child": "wants the executor to be finished when a process dies: ours goes on",
    "test_max_tasks_per_child_defaults_to_spawn_context": "about the start methods of multiprocessing, which ours has not",
    "test_max_workers_too_large": "a limit of Windows",
    "test_cancel": "wants a cancelled future to wait until its executor comes to it: ours tells at once whoever waits",
    "test_gh105829_should_not_deadlock_if_wakeup_pipe_full": "replaces methods of the thread of ProcessPoolExecutor",
    "test_python_finalization_error": "replaces the functions by which multiprocessing starts its threads",
}


def has_tests() -> bool:
    try:
        return importlib.util.find_spec("test.test_concurrent_futures") is not None
    except ImportError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not has_tests(), reason="this Python came without its own tests")
def test_what_cpython_wants_of_an_executor_holds_for_ours(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / "executor_contract.py", tmp_path, *NOT_APPLICABLE],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ['PYTHONPATH']}"},
        text=True,
        timeout=600,
    )

    lines = [line.split() for line in done.stdout.splitlines()]
    outcome = {tuple(line[-3:-1]): line[-1] for line in lines if len(line) >= 3}
    unexpected = [name for name, what in outcome.items() if what != "passed"]
    assert done.returncode == 0, done.stderr
    assert unexpected == [], done.stderr
    assert len(outcome) > 60
