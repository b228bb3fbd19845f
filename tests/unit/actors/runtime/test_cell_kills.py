"""A cell killed at lines, or instructions, all over its work: every message in hand is named, and every other handled."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

SAMPLES = 11  # each line is tried by one of so many tests
INSTRUCTIONS = 77  # likewise, of which --run-slow makes some, others each time
RUNS = 9


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize(
    ("each", "run"),
    [
        ("line", 0),
        *(pytest.param("line", n, marks=pytest.mark.slow) for n in range(1, SAMPLES)),
        *(pytest.param("opcode", n, marks=pytest.mark.slow) for n in range(RUNS)),
    ],
)
def test_message_is_handled_or_named_when_its_cell_is_killed_anywhere(
    transport: str, each: str, run: int
) -> None:
    first, stride = run, SAMPLES
    if each == "opcode":
        first, stride = random.randrange(INSTRUCTIONS), INSTRUCTIONS
    print(f"from {each} {first}")  # noqa: T201 - shown with a failure
    program = [sys.executable, "-m", "tests.support.cell_kills"]
    steps = [transport, each, str(first), str(stride)]
    done = subprocess.run(
        [*program, *steps], stdout=subprocess.PIPE, text=True, check=True
    )
    seen = json.loads(done.stdout)

    assert seen["deaths"] > 30
    assert seen["in_hand"] > 10
    assert (seen["lost"], seen["twice"], seen["unordered"]) == (0, 0, 0)
    assert seen["named_and_handled_later"] == 0
