"""Senders and receivers killed with SIGKILL at random moments, on real processes.

100 kills each by default; ``--run-slow`` makes 1500 of it.  The seed is in the name
of the test, so that a failure names its experiment (what the scheduler adds is not).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.transports import Place
from transports import registry

SCHEMES = ["mq", "pipe", "shm", "unix"]
COUNTS = [
    pytest.param(100, 1, id="100-seed1"),
    pytest.param(1500, 2, id="1500-seed2", marks=pytest.mark.slow),
]


def experiment(place: Place, role: str, scheme: str, *args: object) -> dict[str, Any]:
    held = place.create(registry.get(scheme))
    program = "tests.support.transport_kills"
    process = place.start(role, scheme, held, *args, held=held, program=program)
    printed, _ = process.communicate()
    assert process.returncode == 0
    seen: dict[str, Any] = json.loads(printed)
    return seen


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("kills", "seed"), COUNTS)
def test_frames_are_handled_once_or_were_in_hand_when_receivers_are_killed(
    place: Place, scheme: str, kills: int, seed: int
) -> None:
    seen = experiment(place, "kill_receivers", scheme, kills, seed)

    assert seen["problems"] == 0  # nothing lost, twice or out of order
    assert seen["handled"] == seen["accepted"]
    assert seen["unhandled"] <= seen["in_hand"] <= seen["kills"]  # one a death
    assert sum(seen["accepted"]) > kills  # the receivers did have work


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("kills", "seed"), COUNTS)
def test_each_frame_is_handled_once_when_one_of_several_receivers_is_killed(
    place: Place, scheme: str, kills: int, seed: int
) -> None:
    seen = experiment(place, "kill_one_of_several", scheme, kills, seed)

    assert (seen["missing"], seen["twice"]) == (0, 0)
    assert seen["unhandled"] <= seen["in_hand"] <= kills
    assert sum(seen["accepted"]) > kills
    assert min(seen["shares"]) > 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("kills", "seed"), COUNTS)
def test_mailbox_stays_whole_when_senders_are_killed(
    place: Place, scheme: str, kills: int, seed: int
) -> None:
    seen = experiment(place, "kill_senders", scheme, kills, seed)

    assert seen["torn"] == 0
    assert seen["gaps"] == 0
    assert seen["lost"] == 0
    assert seen["ghosts"] == 0
    assert seen["still_usable"]
    assert seen["frames"] > kills
