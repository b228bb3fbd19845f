from __future__ import annotations

import pytest

from tests.bench import report
from tests.bench.rows import Row

LATENCY = Row("ask_us_p50", "ask", "ask, µs")
RATE = Row("tell_per_s_1to1", "tell", "tells per second", is_rate=True)
SAMPLES = {
    "ask_us_p50": {"ours": [9.0, 10.0, 500.0], "fork": [90.0, 80.0, 10.0]},
    "tell_per_s_1to1": {"ours": [200_000.0]},
}


def test_json_holds_the_median_of_the_rounds_by_row_and_system() -> None:
    assert report.to_json(SAMPLES) == {
        "ask_us_p50.ours": 10.0,
        "ask_us_p50.fork": 80.0,
        "tell_per_s_1to1.ours": 200_000.0,
    }


@pytest.mark.parametrize(("row", "better"), [(LATENCY, 8.0), (RATE, 0.125)])
def test_ratio_says_how_many_times_better_we_are(row: Row, better: float) -> None:
    assert report.times_better(row, ours=10.0, theirs=80.0) == better


def test_table_shows_the_median_and_the_ratio_of_what_each_system_has() -> None:
    table = report.to_table([LATENCY, RATE], ["ours", "fork"], SAMPLES)

    assert [line.split() for line in table.splitlines()] == [
        ["ours", "fork"],
        ["ask,", "µs", "10", "80", "(8x)"],
        ["tells", "per", "second", "200,000", "-"],
    ]


def test_table_shows_no_ratio_for_a_row_that_we_do_not_have() -> None:
    table = report.to_table([LATENCY], ["fork"], {"ask_us_p50": {"fork": [80.0]}})

    assert table.splitlines()[1].split() == ["ask,", "µs", "80"]
