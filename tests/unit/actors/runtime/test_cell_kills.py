"""A cell killed at any line, or instruction, of its work: every message in hand is named, and every other handled."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SAMPLES = 11  # each step is tried by one of so many tests


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize(
    ("each", "first", "stride"),
    [
        ("line", 0, SAMPLES),
        *(
            pytest.param("line", first, SAMPLES, marks=pytest.mark.slow)
            for first in range(1, SAMPLES)
        ),
        *(
            pytest.param("opcode", first, SAMPLES * 7, marks=pytest.mark.slow)
            for first in range(SAMPLES * 7)
        ),
    ],
)
def test_message_is_handled_or_named_when_its_cell_is_killed_anywhere(
    transport: str, each: str, first: int, stride: int
) -> None:
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
