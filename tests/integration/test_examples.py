"""Examples that run by themselves, and what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.gates import SECONDS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, *arguments: str) -> list[str]:
    """Run an example in a folder that is not ours; return its lines."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=True,
    )
    return done.stdout.splitlines()


def test_transports_compared_shows_what_each_keeps() -> None:
    _, _, *rows = run("transports_compared.py", "--asks", "20", "--tells", "500")

    found = {
        row.split()[0]: (int(kept[1]), int(kept[2]))
        for row in rows
        if (kept := re.search(r"(\d+) / (\d+)$", row))
    }
    assert {name: kept for name, (kept, _) in found.items()} == dict.fromkeys(
        ("shm", "unix", "pipe", "mq"), 1000
    )
    # What the mailbox had no room for waited in the sender.
    assert found["shm"][1] == 1000
    assert all(0 < found[name][1] < 1000 for name in ("unix", "pipe", "mq"))


def test_the_producer_goes_no_faster_than_the_consumer() -> None:
    *lines, last = run("producer_consumer.py", "--items", "300")

    between = [
        int(found[1])
        for line in lines
        if (found := re.search(r"between them +(\d+)", line))
    ]
    assert last == "lost: 0, in order: yes"
    assert len(between) == len(lines) >= 2
    assert 0 < max(between) < 100


def test_the_tree_restarts_those_who_come_after_and_survives_its_supervisors() -> None:
    lines = run("supervision_tree.py")

    assert lines == [
        "left: 9",
        "left: 9",  # of a new shelf
        "stock: 2 of 2 run",
        "    shelf: life 2",
        "    clerk: life 2",
        "left: 9",
        "sum: 7",
        "shop: 2 of 2 run",
        "    till: life 1",
        "    stock: life 2",
    ]


def test_a_crash_costs_one_message() -> None:
    *lines, last = run("crash_and_restart.py", "--crashes", "4")

    answered = [line for line in lines if "answered: 5 of 5" in line]
    assert len(answered) == 4
    assert last == "lives: 5"
