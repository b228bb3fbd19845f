"""How progress looks."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from actors.errors import SystemClosedError
from actors.pool.bars import Bar, Lines, coloured, plain
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
    draw: Callable[[Meter, int], str], meter: Meter, columns: int
) -> None:
    pytest.importorskip("rich")

    shown = re.sub(r"\x1b\[[0-9;]*m", "", draw(meter, columns))

    assert "\n" not in shown
    assert len(shown) <= columns


def test_rich_draws_the_same_figures() -> None:
    pytest.importorskip("rich")

    shown = re.sub(r"\x1b\[[0-9;]*m", "", coloured(HALF, 100))

    assert shown.startswith("Resize.run ")
    assert f"50% {FIGURES}" in shown


class Client:
    """That of a program, as far as a bar sees it."""

    def __init__(self) -> None:
        self.ended_with: Exception | None = None
        self.told: list[dict[str, Any]] = []

    def notify_root(self, _operation: str, facts: dict[str, Any]) -> None:
        assert self.ended_with is None
        self.told.append(facts)


def test_the_root_keeps_the_bar_until_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client: Any = Client()
    bar = Bar(client)

    bar.begin(HALF)
    bar.finish(HALF)

    shown, removed = client.told
    assert FIGURES[:10] in shown["text"]
    assert removed == {"key": shown["key"], "text": None}
    assert HALF.summary() in capsys.readouterr().err


def test_a_bar_that_outlives_its_system_ends_in_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client: Any = Client()
    bar = Bar(client)
    bar.begin(HALF)
    client.ended_with = SystemClosedError("closed")

    bar.finish(HALF)

    assert HALF.summary() in capsys.readouterr().err


def test_nobody_has_to_read_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())

    Lines.show(HALF)
    Lines.finish(HALF)


class Terminal(io.TextIOWrapper):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_what_the_program_prints_takes_the_place_of_the_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    stream = Terminal(written, write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    client: Any = Client()
    bar = Bar(client)
    bar.begin(HALF)

    sys.stdout.write("one\ntw")
    sys.stdout.write("o\nhalf")
    bar.finish(HALF)

    erase = "\r\x1b[K"
    expected = f"{erase}one\n{erase}two\n{erase}half"
    assert written.getvalue().decode() == expected
    assert sys.stdout is stream
