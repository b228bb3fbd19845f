"""How progress looks."""

from __future__ import annotations

import re

import pytest

from actors.pool.bars import coloured, plain
from actors.pool.meter import Meter

HALF = Meter("Resize.run", total=400).after(10, done=200, failed=0, restarts=2)
ENDLESS = Meter("Resize.run").after(10, done=200, failed=0, restarts=2)
FIGURES = "200/400, 20.0/s, 2 restarts, ETA 0:10"


def test_a_bar_shows_the_part_that_is_done() -> None:
    bar = "#" * 15 + "." * 15

    assert plain(HALF, 100) == f"Resize.run [{bar}]  50% {FIGURES}"


def test_without_an_end_there_is_no_bar() -> None:
    assert plain(ENDLESS, 100) == "Resize.run 200, 20.0/s, 2 restarts"


@pytest.mark.parametrize("columns", [5, 20, 60, 62, 80, 200])
@pytest.mark.parametrize("meter", [HALF, ENDLESS, Meter("Resize.run", total=0)])
@pytest.mark.parametrize("draw", [plain, coloured])
def test_it_is_one_line_and_no_wider_than_the_terminal(
    draw: object, meter: Meter, columns: int
) -> None:
    assert callable(draw)
    pytest.importorskip("rich")

    shown = re.sub(r"\x1b\[[0-9;]*m", "", draw(meter, columns))

    assert "\n" not in shown
    assert len(shown) <= columns


def test_rich_draws_the_same_figures() -> None:
    pytest.importorskip("rich")

    shown = re.sub(r"\x1b\[[0-9;]*m", "", coloured(HALF, 100))

    assert shown.startswith("Resize.run ")
    assert f"50% {FIGURES}" in shown
