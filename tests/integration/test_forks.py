"""Programs that fork while they use a system: the child is told, and the parent is not disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.gates import SECONDS
from tests.support.programs import SCRIPTS, Program

REFUSED = [f"{use} ForkedHandleError" for use in ("ask", "tell", "spawn")]
NO_RESULT = "result ForkedHandleError"
CLOSED = "close None"

OUTPUTS = {
    "thread": [
        *REFUSED,
        *[NO_RESULT] * 3,
        CLOSED,
        "7 released released released 20 1",
    ],
    "asyncio": [*REFUSED, NO_RESULT, CLOSED, "7 kept", "0 0"],
    "run": [*REFUSED, NO_RESULT, CLOSED, "7 kept", "0 0", "woken"],
    "multiprocessing": ["child 2", "0 3"],
    "pool": [*[NO_RESULT] * 3, "awaited ForkedHandleError", "7", "[0, 1] 42 None"],
    "attached": ["inherited ForkedHandleError", "own 1", "7 2", "3"],
}


@pytest.mark.parametrize(("how", "expected"), OUTPUTS.items(), ids=OUTPUTS)
def test_a_fork_gives_the_child_nothing_and_takes_nothing_from_the_parent(
    base: Path, how: str, expected: list[str]
) -> None:
    # Newer versions of Python warn of forks with threads: here, they are meant.
    program = Program("-Wignore", str(SCRIPTS / "forks.py"), str(base), how)
    try:
        status, output, errors = program.wait()

        assert (output.splitlines(), errors, status) == (expected, "", 0)
        program.wait_until_all_is_gone(SECONDS)
        assert list(base.iterdir()) == []
    finally:
        program.kill()
