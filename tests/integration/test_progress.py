"""Progress of a map, as somebody sees it at a terminal or in a file."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys

import pytest

from actors import ActorSystem
from tests.support.gates import SECONDS
from tests.support.pool_workers import Hand
from tests.support.programs import ROOT, SCRIPTS, terminal

SCRIPT = str(SCRIPTS / "progress.py")
# Who dies takes along what travels with the item.
SUMMARY = re.compile(
    r"Worker\.work: 60/60 in 0:\d\d \([\d.,]+/s\), \d+ failed, 1 restart"
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def screen(written: str) -> list[str]:
    """Return the lines that a terminal shows after *written*."""
    lines = [""]
    for piece in re.split(r"(\r|\n|\x1b\[K)", COLOURS.sub("", written)):
        if piece == "\n":
            lines.append("")
        elif piece == "\r":  # only before an erasure, or the end of a line
            continue
        elif piece == "\x1b[K":
            lines[-1] = ""
        else:
            lines[-1] += piece
    return lines


def read_until_end(program: subprocess.Popen[bytes], keyboard: int) -> bytes:
    """Return what *program* has written to its terminal."""
    written = b""
    is_over = False
    while not is_over:
        is_over = program.poll() is not None
        while select.select([keyboard], [], [], 0 if is_over else 0.02)[0]:
            written += os.read(keyboard, 2**16)
    return written


@pytest.mark.parametrize("way", ["loop", "no-loop"])
def test_the_bar_stays_below_what_workers_and_the_program_print(way: str) -> None:
    with terminal() as (keyboard, display):
        program = subprocess.Popen(
            [sys.executable, SCRIPT, way],
            cwd=ROOT,
            stdin=display,
            stdout=display,
            stderr=display,
        )
        written = read_until_end(program, keyboard)
    lines = screen(written.decode())

    bars = re.findall(
        r"Worker\.work [^\r\n]*?(\d+)/60", COLOURS.sub("", written.decode())
    )
    assert bars[0] == "0"
    assert len(set(bars)) > 1
    shown = [line for line in lines if line.startswith("pool")]
    assert all(
        re.fullmatch(r"pool\S* \| (item|half) \d+( whole)?", line) for line in shown
    )
    assert len([line for line in shown if "item" in line]) >= 50
    assert "the program prints" in lines
    assert len([line for line in lines if SUMMARY.fullmatch(line)]) == 1
    assert lines[-1] == ""
    assert not [line for line in lines if line.startswith("Worker.work ")]


def test_without_a_terminal_there_are_lines() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "no-loop"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )

    (summary,) = [line for line in done.stderr.splitlines() if "Worker.work:" in line]
    assert SUMMARY.fullmatch(summary)
    assert "\x1b" not in done.stdout + done.stderr


def test_a_map_that_outlives_its_system_ends_in_order(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with ActorSystem() as system:
        pool = system.options(size=1).pool(Hand).result()
        results = iter(pool.map(Hand.double, range(100), progress=True))
        first = next(results)

    del results

    assert first == 0
    assert "Hand.double: 1/100 in 0:0" in capfd.readouterr().err
