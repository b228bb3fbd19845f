"""The program ``kill_at_every_instruction.c``, compiled here and judged."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

NATIVE = Path(__file__).parents[2] / "native"
SOURCE = NATIVE / "kill_at_every_instruction.c"
INCLUDE = NATIVE.parents[1] / "transports"
NOT_ALLOWED = 77


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("steps") / "steps"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    # Bound at start-up, so that looking up a function is not among the instructions.
    flags = ["-std=c11", "-O2", "-pthread", "-Wl,-z,now", f"-I{INCLUDE}"]
    subprocess.run([compiler, *flags, str(SOURCE), "-o", str(built)], check=True)
    return built


@pytest.fixture(scope="module")
def seen(program: Path) -> dict[str, Any]:
    """Run it once for all tests: it takes seconds, because it leaves nothing out."""
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == NOT_ALLOWED:
        pytest.skip("ptrace is not allowed here")
    assert done.returncode == 0
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_no_receiver_is_left_asleep_by_a_sender_killed_anywhere(
    seen: dict[str, Any],
) -> None:
    put = seen["put"]

    assert put["owed"] > 0  # killed between the frame and the bell, note still set
    assert put["asleep"] == 0


def test_ring_is_whole_and_usable_after_a_sender_killed_anywhere(
    seen: dict[str, Any],
) -> None:
    put = seen["put"]

    assert 0 < put["committed"] < put["steps"]
    assert put["recovered"] > 0  # killed while holding the mutex
    assert (put["torn"], put["unusable"]) == (0, 0)


def test_busy_receiver_takes_what_a_sender_killed_anywhere_has_sent_once(
    seen: dict[str, Any],
) -> None:
    busy = seen["busy"]

    assert busy["taken"] > 0  # while its sender was still at it
    assert (busy["lost"], busy["twice"]) == (0, 0)


def test_question_is_waiting_or_in_hand_or_answered_when_its_receiver_is_killed_anywhere(
    seen: dict[str, Any],
) -> None:
    answer = seen["answer"]

    for place in ("waiting", "inherited", "in_hand", "answered_in_hand", "done"):
        assert answer[place] > 0
    assert (answer["lost"], answer["twice"], answer["asleep"]) == (0, 0, 0)


def test_no_frame_is_lost_or_doubled_by_a_receiver_killed_anywhere(
    seen: dict[str, Any],
) -> None:
    take = seen["take"]

    assert take["inherited"] > 0
    assert take["claimed"] > 0  # killed between the claim and the slot's mark
    assert take["settled"] > 0  # killed between the claim and the move of the head
    assert (take["lost"], take["twice"]) == (0, 0)


def test_other_receiver_goes_on_beside_one_that_is_killed_anywhere(
    seen: dict[str, Any],
) -> None:
    pair = seen["pair"]

    assert pair["inherited"] > 0
    assert pair["beside"] > 0  # got the next frame while the first was being taken
    assert pair["refused"] == 0  # never had to wait for the one that was stopped
    assert (pair["lost"], pair["twice"], pair["asleep"]) == (0, 0, 0)


def test_ring_that_is_closed_at_any_moment_of_a_put_loses_no_accepted_frame(
    seen: dict[str, Any],
) -> None:
    race = seen["race"]

    assert race["accepted"] > 0
    assert race["closed"] > 0
    assert race["lost"] == 0


def test_late_is_what_went_in_and_closed_what_did_not(seen: dict[str, Any]) -> None:
    race = seen["race"]

    assert race["late"] > 0
    assert race["misjudged"] == 0


def test_receiver_that_falls_asleep_at_any_moment_of_a_put_is_woken(
    seen: dict[str, Any],
) -> None:
    assert seen["race"]["asleep"] == 0
