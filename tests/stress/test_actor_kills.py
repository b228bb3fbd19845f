"""An actor with a full mailbox is killed at random points, and every message is accounted for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from actors import ActorSystem
from tests.support.accounts import Account

KILLS = 100
# Messages sent before each kill, more than are handled until then.
AHEAD = {"shm": 1_000, "unix": 300}


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize(
    "run", [0, *(pytest.param(run, marks=pytest.mark.slow) for run in range(1, 20))]
)
def test_a_saturated_actor_killed_at_random_points_loses_at_most_what_is_in_hand(
    transport: str, run: int, tmp_path: Path
) -> None:
    del run  # twenty of them make two thousand kills
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)

    with ActorSystem(transport=transport) as system:
        account = Account.open(system, tmp_path / "ledger")
        for _ in range(KILLS):
            for _ in range(AHEAD[transport]):
                account.send()
            account.let_run(rng.random() / 200)
            account.kill()
        wrong = account.close()

    assert wrong == []
    assert account.kills == KILLS
    assert account.letters.total() <= KILLS
