"""The programs ``kill_at_every_instruction.c`` and ``attend_at_every_instruction.c``, compiled here and judged."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

NATIVE = Path(__file__).parents[2] / "native"
INCLUDE = NATIVE.parents[1] / "transports"
NOT_ALLOWED = 77


def report_of(name: str, folder: Path) -> dict[str, Any]:
    """Compile a program and run it, once for all tests: it leaves nothing out."""
    built = folder / name
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    # Bound at start-up, so that looking up a function is not among the instructions.
    flags = ["-std=c11", "-O2", "-pthread", "-Wl,-z,now", f"-I{INCLUDE}"]
    source = NATIVE / f"{name}.c"
    subprocess.run([compiler, *flags, str(source), "-o", str(built)], check=True)
    done = subprocess.run([built], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == NOT_ALLOWED:
        pytest.skip("ptrace is not allowed here")
    assert done.returncode == 0
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return report_of("kill_at_every_instruction", tmp_path_factory.mktemp("kill"))


@pytest.fixture(scope="module")
def attended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return report_of("attend_at_every_instruction", tmp_path_factory.mktemp("attend"))


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


def test_nothing_of_a_message_is_lost_or_doubled_by_a_receiver_killed_anywhere(
    seen: dict[str, Any],
) -> None:
    land = seen["land"]

    assert land["received"] > 0  # killed before it has said so
    assert land["inherited"] > 0
    assert (land["lost"], land["twice"]) == (0, 0)


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


def test_sender_killed_anywhere_in_a_put_that_wakes_nobody_leaves_its_frame_to_a_sentry(
    attended: dict[str, Any],
) -> None:
    put = attended["put beside a sentry"]

    assert 0 < put["committed"] < put["steps"]
    assert put["rung"] == 0
    assert (put["asleep"], put["lost"], put["stuck"]) == (0, 0, 0)


def test_sender_killed_anywhere_as_it_calls_one_is_no_reason_to_call_no_other_one(
    attended: dict[str, Any],
) -> None:
    put = attended["put beside no sentry"]

    assert put["called"] > put["rung"] > 0  # killed between the promise and the bell
    assert (put["asleep"], put["lost"], put["stuck"]) == (0, 0, 0)


@pytest.mark.parametrize("beside", ["a sentry", "no sentry"])
def test_frame_put_while_an_attendant_is_stopped_anywhere_in_a_take_is_taken_by_another(
    attended: dict[str, Any], beside: str
) -> None:
    take = attended[f"take beside {beside}"]

    assert take["attended"] > 0
    assert (take["quiet"] > 0) == (beside == "a sentry")  # nobody was rung for
    assert (take["unheard"], take["asleep"], take["stuck"]) == (0, 0, 0)
    assert (take["lost"], take["twice"]) == (0, 0)


def test_receiver_killed_anywhere_as_it_calls_another_is_no_reason_to_call_nobody_later(
    attended: dict[str, Any],
) -> None:
    take = attended["take of one"]

    assert take["attended"] > 0
    assert (take["asleep"], take["stuck"]) == (0, 0)
    assert (take["lost"], take["twice"]) == (0, 0)


@pytest.mark.parametrize("role", ["attendant", "beside", "sentry", "waking"])
def test_frame_put_at_any_moment_as_one_goes_to_rest_or_wakes_is_known_to_somebody(
    attended: dict[str, Any], role: str
) -> None:
    on = attended[f"{role} goes on"]

    assert on["found"] + on["rung"] + on["relied"] >= on["steps"] > 0
    assert (on["asleep"], on["lost"]) == (0, 0)


@pytest.mark.parametrize("role", ["attendant", "beside", "sentry", "waking"])
def test_frame_put_before_one_is_killed_as_it_goes_to_rest_or_wakes_is_rung_for(
    attended: dict[str, Any], role: str
) -> None:
    killed = attended[f"{role} killed"]

    assert killed["rung"] == killed["steps"] > 0
    assert (killed["asleep"], killed["lost"]) == (0, 0)
