"""What static checkers say to a user of the API: the mistakes they catch, and what they accept.

The checked code lies in tests/typing; each checker runs once over all of it.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "typing"
MISTAKES = FOLDER / "mistakes.py"
FILES = ("accepted.py", "actor_classes.py", "mistakes.py")
MARK = "# error"

Errors = dict[str, dict[int, str]]  # by file name and line


def run_mypy() -> Errors:
    paths = [str(FOLDER / name) for name in FILES]
    config = str(FOLDER / "mypy.ini")
    output = run("mypy", "--config-file", config, "--no-pretty", *paths)
    errors: Errors = defaultdict(dict)
    for line in output.splitlines():
        if match := re.fullmatch(r"(.+?):(\d+): error: (.*)", line):
            errors[Path(match[1]).name][int(match[2])] = match[3]
    return errors


def run_pyright() -> Errors:
    config = str(FOLDER / "pyrightconfig.json")
    report = json.loads(
        run("pyright", "-p", config, "--pythonpath", sys.executable, "--outputjson")
    )
    errors: Errors = defaultdict(dict)
    for entry in report["generalDiagnostics"]:
        if entry["severity"] == "error":
            line = entry["range"]["start"]["line"] + 1
            errors[Path(entry["file"]).name][line] = entry["message"]
    return errors


def run(checker: str, *arguments: str) -> str:
    pytest.importorskip(checker, reason="the checkers come with the extra 'lint'")
    done = subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # it ran, and has found something
    return done.stdout


CHECKERS: dict[str, Callable[[], Errors]] = {
    "mypy": cache(run_mypy),
    "pyright": cache(run_pyright),
}


def seeded() -> dict[str, range]:
    """Return the lines of each mistake, by its name."""
    tree = ast.parse(MISTAKES.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {
        node.name: range(node.lineno, (node.end_lineno or 0) + 1)
        for node in tree.body
        if isinstance(node, kinds)
    }


def marked() -> set[int]:
    lines = MISTAKES.read_text().splitlines()
    return {n for n, line in enumerate(lines, 1) if line.endswith(MARK)}


@pytest.fixture(scope="module", params=CHECKERS)
def errors(request: pytest.FixtureRequest) -> Errors:
    return CHECKERS[request.param]()


@pytest.mark.parametrize("name", seeded())
def test_mistake_is_caught_where_it_was_made(errors: Errors, name: str) -> None:
    lines = seeded()[name]

    found = {line for line in errors["mistakes.py"] if line in lines}

    assert len(marked() & set(lines)) == 1
    assert found == marked() & set(lines)


def test_nothing_but_the_mistakes_is_refused(errors: Errors) -> None:
    refused = {name: lines for name, lines in errors.items() if name != "mistakes.py"}

    assert refused == {}
    assert errors["mistakes.py"].keys() == marked()
