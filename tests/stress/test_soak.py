"""Minutes of kills at random in a tree under load, the root included: every message is accounted for, and nothing is left."""

from __future__ import annotations

import contextlib
import math
import os
import random
import time
from pathlib import Path

import pytest

from actors import ActorSystem, SystemFailedError
from actors.testing.leaks import nothing_left
from tests.support.forests import Forest

PART_SECONDS = 60.0  # of a test, which may not take for ever
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", PART_SECONDS))
ROUND_SECONDS = 10.0  # of a tree, at most
TRANSPORTS = ("shm", "unix", "pipe", "mq")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(math.ceil(SOAK_SECONDS / PART_SECONDS)))
def test_tree_accounts_for_every_message_while_everybody_is_killed(
    part: int, tmp_path: Path
) -> None:
    seconds = min(PART_SECONDS, SOAK_SECONDS - part * PART_SECONDS)
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    number = kills = 0

    while (left := end - time.monotonic()) > 0:
        with nothing_left():
            forest, wrong = one_round(
                tmp_path, rng, min(left, ROUND_SECONDS * rng.random()), number
            )
        assert wrong == []
        kills += forest.kills
        number += 1

    assert kills > 0


def one_round(
    folder: Path, rng: random.Random, seconds: float, number: int
) -> tuple[Forest, list[str]]:
    """Run a tree for some time; every third one ends with its root."""
    transport = TRANSPORTS[number % len(TRANSPORTS)]
    is_to_fall = number % 3 == 2
    with contextlib.ExitStack() as stack:
        if is_to_fall:
            stack.enter_context(contextlib.suppress(SystemFailedError))
        system = stack.enter_context(ActorSystem(transport=transport, drain=0))
        forest = Forest.plant(system, folder, rng)
        forest.run(seconds)
        wrong = forest.fall() if is_to_fall else forest.close()
    for leaf in forest.leaves.values():
        leaf.path.unlink(missing_ok=True)
    return forest, wrong
