"""Who sleeps and who is woken, in every order and with a kill anywhere: ``attendance_model.c``, compiled here and judged."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "native" / "attendance_model.c"

# Messages of each of two senders, receivers, kills, and messages that may last for ever.
FEW = (2, 0, 2, 1, 1)
ENDLESS = (2, 0, 2, 0, 1)  # enough for a mistake that needs no kill
KILLED = (1, 0, 2, 1, 0)  # for one that does
MANY = (2, 1, 2, 1, 1)
CROWDED = (1, 0, 3, 1, 1)
Bounds = tuple[int, int, int, int, int]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("model") / "model"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    subprocess.run(
        [compiler, "-std=gnu11", "-O2", str(SOURCE), "-o", str(built)], check=True
    )
    return built


def explored(program: Path, bounds: Bounds, mistake: str = "none") -> dict[str, Any]:
    done = subprocess.run(
        [program, *map(str, bounds), mistake],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize(
    ("bounds", "states"),
    [
        ((2, 1, 1, 2, 1), 10_000),
        (FEW, 300_000),
        pytest.param(MANY, 5_000_000, marks=pytest.mark.slow),
        pytest.param(CROWDED, 500_000, marks=pytest.mark.slow),
    ],
    ids=["one receiver", "two receivers", "two of both", "three receivers"],
)
def test_nobody_sleeps_on_a_message_for_ever_in_all_orders(
    program: Path, bounds: Bounds, states: int
) -> None:
    found = explored(program, bounds)

    assert (found["asleep"], found["way"]) == (False, [])
    assert found["states"] > states  # it did look


MISTAKES = {
    "nobody looks again after arming": KILLED,
    "a sender relies on an attendant alone": ENDLESS,
    "the sentry sleeps for as long as it likes": ENDLESS,
    "who reads the bell does not say so": ENDLESS,
    "who reads the bell says so before": ENDLESS,
    "nobody is rung for after a death": KILLED,
    "a sender clears its note before the bell": KILLED,
    "nobody rings for a dead sender": KILLED,
    "a sender looks for sleepers before the message is there": KILLED,
    "who takes does not call for what is left": ENDLESS,
    "a dead one attends, and whom it called is called": MANY,
}


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(mistake, marks=pytest.mark.slow if bounds == MANY else ())
        for mistake, bounds in MISTAKES.items()
    ],
)
def test_mistake_leaves_somebody_asleep_on_a_message(
    program: Path, mistake: str
) -> None:
    found = explored(program, MISTAKES[mistake], mistake)

    assert found["asleep"]
    assert "sleep" in found["way"][-1]
