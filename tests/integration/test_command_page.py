"""The page about the command line shows what the command prints."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from actors.cli import snapshot
from tests.support import docs
from tests.support.docs import ROOT
from tests.support.gates import SECONDS, wait_until

PAGE = ROOT / "docs" / "guide" / "command.md"
KEYS = {
    "a system": snapshot.System,
    "an actor": snapshot.Actor,
    "an item of `running`": snapshot.Work,
    "a message": snapshot.Message,
    "a process of the tree": snapshot.Branch,
}

_FIGURE = re.compile(r"\d[\d.]*(?:ms|s|min|B|K|M)?\b")
_FOLDER = re.compile(r'(?<=File ").*/(?=\w+\.py")')
_ROW = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)


def masked(text: str) -> list[str]:
    """Return the lines of *text* without figures, folders and padding."""
    lines = (_FOLDER.sub("", line) for line in text.splitlines())
    return [" ".join(_FIGURE.sub("#", line).split()) for line in lines]


def is_like(expected: list[str], lines: list[str]) -> bool:
    """Return whether *lines* are the *expected* ones, whose dots stand for any number of lines."""
    pattern = r"\n".join(
        ".*" if each == "..." else re.escape(each) for each in expected
    )
    return re.fullmatch(pattern, "\n".join(lines), re.DOTALL) is not None


def run(base: Path, line: str) -> str:
    """Return what ``actors …`` prints, to both streams."""
    _, *arguments = line.split()
    done = subprocess.run(
        [sys.executable, "-m", "actors", *arguments, "--directory", str(base)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.stdout


@contextlib.contextmanager
def running(program: Path) -> Iterator[None]:
    """Run a program of the page while its reader looks at it."""
    process = subprocess.Popen(
        [sys.executable, program.name],
        cwd=program.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "the diner is open\n"
        yield
    finally:
        process.communicate(timeout=SECONDS)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """Where the program of the page keeps its system, away from others that this user may have."""
    base = tmp_path / "base"
    docs.save_files(PAGE, tmp_path)
    program = tmp_path / "diner.py"
    source = program.read_text()
    assert 'ActorSystem("diner")' in source
    program.write_text(
        source.replace(
            'ActorSystem("diner")', f'ActorSystem("diner", directory={str(base)!r})'
        )
    )
    with running(program):
        yield base


def test_the_commands_of_the_page_print_what_the_page_says(base: Path) -> None:
    commands = [each for each in docs.commands(PAGE) if each.line.startswith("actors ")]
    wait_until(
        lambda: (
            [each["state"] for each in json.loads(run(base, "actors ps --json"))]
            == ["busy", "waiting", "idle"]
        ),
        "everybody at work",
    )

    printed = [masked(run(base, command.line)) for command in commands]

    wrong = [
        (command.line, lines)
        for command, lines in zip(commands, printed, strict=True)
        if not is_like(masked(command.expected), lines)
    ]
    assert wrong == []


def test_the_table_of_keys_has_every_key() -> None:
    rows = dict(_ROW.findall(PAGE.read_text().partition("| of | keys |")[2]))
    # What stands in brackets behind a key are values of it.
    plain = {name: re.sub(r"\(.*?\)", "", row) for name, row in rows.items()}
    table = {name: re.findall(r"`(\w+)`", plain[name]) for name in KEYS}

    assert table == {
        name: [field.name for field in attrs.fields(value)]
        for name, value in KEYS.items()
    }


def test_the_page_names_every_state() -> None:
    (row,) = re.findall(r"^\| `STATE` .*$", PAGE.read_text(), re.MULTILINE)

    assert set(re.findall(r"`([a-z]+)`", row)) == set(snapshot.State)
