"""Tables and quantities as text."""

from __future__ import annotations

import pytest

from actors.cli.table import Column, cut, seconds, size, table

COLUMNS = (
    Column("NAME", is_flexible=True),
    Column("PID", is_number=True),
    Column("DOING", is_flexible=True),
)
ROW = ("a-long-name-of-an-actor", "17", "Model.predict 1.5s")


def test_a_column_is_as_wide_as_its_widest_cell() -> None:
    assert table(COLUMNS, [("a", "1234", "-"), ("longer", "5", "x")], None) == [
        "NAME     PID  DOING",
        "a       1234  -",
        "longer     5  x",
    ]


def test_without_a_terminal_nothing_is_cut() -> None:
    assert table(COLUMNS, [("n" * 200, "1", "d" * 200)], None)[1] == (
        "n" * 200 + "    1  " + "d" * 200
    )


def test_a_line_that_is_too_long_loses_of_its_widest_cells_first() -> None:
    lines = table(COLUMNS, [ROW], 32)

    assert lines[1] == "a-long-name…   17  Model.predic…"
    assert max(map(len, lines)) == 32


@pytest.mark.parametrize("width", [0, 1, 10, 20])
def test_a_terminal_too_narrow_for_anything_still_gets_every_number(width: int) -> None:
    assert table(COLUMNS, [ROW], width)[1] == "a-long-…   17  Model.p…"


def test_a_table_that_fits_stays_as_it_is() -> None:
    assert table(COLUMNS, [ROW], 80) == table(COLUMNS, [ROW], None)


def test_cut_marks_what_is_missing() -> None:
    assert [cut("actors", width) for width in (None, 6, 5, 1, 0)] == [
        "actors",
        "actors",
        "acto…",
        "…",
        "…",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (0.0, "0ms"),
        (0.0123, "12ms"),
        (0.9994, "999ms"),
        (0.9996, "1.0s"),
        (4.84, "4.8s"),
        (99.96, "100s"),
        (599, "599s"),
        (600, "10min"),
        (17_999, "300min"),
        (18_000, "5h"),
        (172_799, "48h"),
        (172_800, "2d"),
        (31_536_000, "365d"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(
    value: float | None, expected: str
) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1K"),
        (1024, "1K"),
        (23_875_584, "23M"),
        (1 << 30, "1G"),
        (1 << 50, "1024T"),
    ],
)
def test_bytes_have_the_unit_that_suits_them(value: int, expected: str) -> None:
    assert size(value) == expected
