from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from tests.bench import app, measuring
from tests.bench.measuring import Cores
from tests.bench.rows import ROWS, SYSTEMS


def test_every_row_is_measured_in_ours_and_no_measure_is_without_a_row() -> None:
    measures = {row.measure for row in ROWS}

    assert measures == set(SYSTEMS["ours"])
    assert all(measures >= set(system) for system in SYSTEMS.values())


# A fork server outlives what it was started for, and so do arenas of multiprocessing: they are left to the command below.
LEFT = {"forkserver", "faster_fifo"}
HERE = {name: found for name, found in SYSTEMS.items() if name not in LEFT}


@pytest.mark.parametrize(
    ("system", "measure"),
    [(system, measure) for system, found in HERE.items() for measure in found],
)
def test_measure_gives_every_figure_of_its_rows_as_a_positive_number(
    system: str, measure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row.name for row in ROWS if row.measure == measure}
    monkeypatch.setattr(measuring, "LARGE_TOTAL_MIB", 64)
    monkeypatch.setattr(measuring, "POOL_TASKS", 4)
    for name in ("WARM_UP", "ASKS", "MANY_ASKS", "TELLS", "POOL_CALLS", "POOL_ITEMS"):
        monkeypatch.setattr(measuring, name, 400)
    for name in ("STARTS", "IDLE", "SIBLINGS", "KILLS", "STORM"):
        monkeypatch.setattr(measuring, name, 1)

    values = SYSTEMS[system][measure](Cores())

    assert values.keys() == rows - ({"mailbox_mib"} if system != "ours" else set())
    assert all(value > 0 for value in values.values())


def test_systems_take_turns_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    def fake(system: str) -> measuring.Measure:
        def measure(_: Cores) -> measuring.Values:
            turns.append(system)
            return {"spawn_ms": float(len(turns)), "unwanted": 0.0}

        return measure

    monkeypatch.setattr(
        app, "SYSTEMS", {name: {"spawn": fake(name)} for name in ("ours", "fork")}
    )
    samples = app.measure(app.rows_named("spawn_ms"), 2, Cores())

    assert turns == ["ours", "fork", "ours", "fork"]
    assert samples == {"spawn_ms": {"ours": [1.0, 3.0], "fork": [2.0, 4.0]}}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rows", "speed"], "no row 'speed'; there are ask_us_p50"),
        (["--rounds", "0"], "'0' is not a number of rounds"),
    ],
)
def test_wrong_arguments_are_refused_with_what_is_accepted(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        app.parse(arguments)

    assert complaint in capsys.readouterr().err


def test_a_loop_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LOOP_SECONDS", 0.0)

    assert list(measuring.laps(1_000)) == [0]


def hang() -> NoReturn:
    while True:  # signal.pause() may begin just after the signal, and never end
        pass


def test_a_measure_that_hangs_ends_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "MEASURE_SECONDS", 0.01)

    with (
        pytest.raises(TimeoutError, match="the hanging one did not end"),
        measuring.time_limit("the hanging one"),
    ):
        hang()


def test_the_command_prints_a_table_and_saves_the_medians(tmp_path: Path) -> None:
    saved = tmp_path / "result.json"

    options = ["--rows", "spawn_ms", "--rounds", "1", "--json", str(saved)]
    result = subprocess.run(
        [sys.executable, "-m", "tests.bench", *options],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    assert "spawn to first reply, ms" in result.stdout
    assert json.loads(saved.read_text()).keys() == {
        "spawn_ms.ours",
        "spawn_ms.fork",
        "spawn_ms.forkserver",
        "spawn_ms.process_pool",
    }
