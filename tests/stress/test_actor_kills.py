"""An actor with a full mailbox is killed at random points, and every message is accounted for."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from actors import ActorSystem
from tests.support.accounts import Account
from tests.support.crowds import CALLERS, Crowd
from tests.support.gates import SECONDS, wait_until
from tests.support.lives import Ledger, Stream, notes

KILLS = 100
FEW_KILLS = 20
# Messages sent before each kill, more than are handled until then.
AHEAD = {"shm": 1_000, "unix": 300}


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize(
    ("kills", "run"),
    [
        (FEW_KILLS, 0),
        *(pytest.param(KILLS, run, marks=pytest.mark.slow) for run in range(1, 6)),
    ],
)
def test_a_saturated_actor_killed_at_random_points_loses_at_most_what_is_in_hand(
    transport: str, kills: int, run: int, tmp_path: Path
) -> None:
    del run  # five of them make five hundred kills
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)

    with ActorSystem(transport=transport) as system:
        account = Account.open(system, tmp_path / "ledger")
        for _ in range(kills):
            for _ in range(AHEAD[transport]):
                account.send()
            account.let_run(rng.random() / 200)
            account.kill()
        wrong = account.close()

    assert wrong == []
    assert account.kills == kills
    assert account.letters.total() <= kills


LARGE_KILLS = 25
FEW_LARGE_KILLS = 8
LARGE = np.ones(2**20, np.uint8)
LARGE_AHEAD = 6


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize(
    ("kills", "run"),
    [
        (FEW_LARGE_KILLS, 0),
        *(
            pytest.param(LARGE_KILLS, run, marks=pytest.mark.slow)
            for run in range(1, 5)
        ),
    ],
)
def test_a_receiver_of_large_messages_killed_at_random_points_loses_at_most_what_is_in_hand(
    transport: str, kills: int, run: int, tmp_path: Path
) -> None:
    del run  # four of them make a hundred kills
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)

    with ActorSystem(transport=transport) as system:
        account = Account.open(system, tmp_path / "ledger")
        for _ in range(kills):
            for _ in range(LARGE_AHEAD):
                account.send(LARGE)
            account.let_run(rng.random() / 200)
            account.kill()
        wrong = account.close()
        wait_until(lambda: not left_over(system), "no payload is left")

    assert wrong == []
    assert account.kills == kills


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize(
    ("kills", "run"),
    [
        (FEW_LARGE_KILLS, 0),
        *(
            pytest.param(LARGE_KILLS, run, marks=pytest.mark.slow)
            for run in range(1, 5)
        ),
    ],
)
def test_a_sender_of_large_messages_killed_at_random_points_loses_nothing_that_was_accepted(
    transport: str, kills: int, run: int, tmp_path: Path
) -> None:
    del run
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)
    accepted_path, ledger_path = tmp_path / "accepted", tmp_path / "ledger"

    with ActorSystem(transport=transport) as system:
        ledger = system.spawn(Ledger, str(ledger_path)).result().within(SECONDS)
        for life in range(kills):
            stream = system.options(restart="temporary").spawn(
                Stream, ledger, str(accepted_path), life
            )
            sender = stream.result()
            pid = sender.ask(Stream.pid).result()
            sender.tell(Stream.send_for_ever)
            wait_for(rng.random() / 100)
            os.kill(pid, signal.SIGKILL)
            sender.ended().result(SECONDS)
        ledger.ask(Ledger.pid).result()
        wait_until(lambda: not left_over(system), "no payload is left")

    accepted = [int(text) for _, text in notes(accepted_path)]
    handled = [int(text) for _, text in notes(ledger_path)]
    for life in range(kills):
        ours = [number for number in handled if number // Stream.MOST == life]
        first = life * Stream.MOST
        assert ours == list(range(first, first + len(ours)))
        known = [number for number in accepted if number // Stream.MOST == life]
        assert len(known) <= len(ours) <= len(known) + 1


def left_over(system: ActorSystem) -> list[str]:
    """Return the payloads that are there, without the memory that we use again."""
    system._opened().blobs.close()
    blobs = system._opened().directory.path / "blob"
    return [path.name for path in blobs.iterdir()]


def wait_for(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251 - the moment is what is random


CROWD_KILLS = 100  # half of them of senders
FEW_CROWD_KILLS = 12


@pytest.mark.parametrize("transport", ["shm", "unix"])
@pytest.mark.parametrize(
    ("kills", "run"),
    [
        (FEW_CROWD_KILLS, 0),
        *(
            pytest.param(CROWD_KILLS, run, marks=pytest.mark.slow)
            for run in range(1, 4)
        ),
    ],
)
def test_messages_of_many_to_many_are_handled_or_named_once_while_all_are_killed(
    transport: str, kills: int, run: int, tmp_path: Path
) -> None:
    del run  # three of them kill 150 senders and 150 receivers
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)

    with ActorSystem(transport=transport) as system:
        crowd = Crowd.gather(system, tmp_path, rng)
        for _ in range(kills):
            crowd.let_run(rng.random() / 100)
            crowd.kill_one()
        wrong = crowd.close()

    assert wrong == []
    assert crowd.kills.total() == kills + CALLERS
