"""Running the code of the documentation as a reader would, and comparing what it prints with what the page says.

What a fenced block means:

    ``python``, first line ``# name.py``   a file, saved under this name in a folder of the page's own; so are ``toml`` files
    ``python`` otherwise                   a step of the page's session: all steps run in one interpreter, in order
    ``text`` right behind a step           what the step prints; an exception is one line, as at the prompt
    ``console``                            commands, and what they print; those of ``python`` are run in the folder of the page

Everything printed to standard output is compared, apart from figures that differ from run to run.
Log lines come from other processes at any time, so they are compared on their own:
a script prints exactly those of its block, a session at least those of its page, in order.
Three dots stand for anything.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 60.0  # for one script or one session; far more than any needs

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# (\w+\.(?:py|toml))\n")
_LOG_LINE = re.compile(r"\d\d:\d\d:\d\d \[")
_CARETS = re.compile(r"\s*[~^]+\s*")  # they differ between versions of Python
_VOLATILE = (
    (re.compile(r"\d\d:\d\d:\d\d"), "<time>"),
    (re.compile(r"(uptime|ready_in|cpu|max_rss)='\d+(\.\d+)?"), r"\1='<n>"),
    (re.compile(r"\bpid(=| )\d+"), r"pid\1<n>"),
    (re.compile(r'File "[^"]*", line \d+'), 'File "<file>", line <n>'),
    (re.compile(r"0x[0-9a-f]+"), "<address>"),
    (re.compile(r"(counts=\{'[\w-]+': )\d+"), r"\1<n>"),
)

# Runs the steps in its own ``__main__``, as the prompt does.  Every step ends with a mark, so that its output can be told.
_SESSION = """
import json, sys, traceback

def run_steps(steps, mark):
    for name, source in steps:
        try:
            exec(compile(source, name, "exec"), globals())
        except BaseException as error:
            print("".join(traceback.format_exception_only(error)), end="")
        print(mark, flush=True)

with open(sys.argv[1]) as file:
    steps = json.load(file)
run_steps(steps, sys.argv[2])
"""
_MARK = "<end of the step>"


@attrs.frozen
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    line: int
    follows: int  # line at which the block before it ends, 0 if there is more than white space between


@attrs.frozen
class Step:
    """A piece of a session, and what it prints (None: the page does not say)."""

    source: str
    line: int
    expected: str | None


@attrs.frozen
class Command:
    """A command in a ``console`` block, and what it prints."""

    line: str
    expected: str


@attrs.frozen
class Output:
    """What a run printed: its own lines, and the log's."""

    text: str
    log: list[str]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of *page*."""
    text = page.read_text()
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        is_next = bool(found) and not text[end : match.start()].strip()
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match[1], match[2], line, found[-1].line if is_next else 0))
        end = match.end()
    return found


def anchors(page: Path) -> set[str]:
    """Return the names under which links find the headings of *page*."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def files(page: Path) -> dict[str, str]:
    """Return the files that *page* shows, by name."""
    return {
        name[1]: block.text
        for block in blocks(page)
        if block.language in {"python", "toml"}
        and (name := _FILE_NAME.match(block.text))
    }


def save_files(page: Path, folder: Path) -> None:
    """Save the files of *page* in *folder*."""
    for name, text in files(page).items():
        (folder / name).write_text(text)


def steps(page: Path) -> list[Step]:
    """Return the session of *page*."""
    found = blocks(page)
    expected = {
        block.follows: block.text for block in found if block.language == "text"
    }
    return [
        Step(block.text, block.line, expected.get(block.line))
        for block in found
        if block.language == "python" and not _FILE_NAME.match(block.text)
    ]


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of *page*."""
    for block in blocks(page):
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                line, _, expected = part.partition("\n")
                yield Command(line, expected)


def run_script(command: str, folder: Path) -> Output:
    """Run ``python …`` in *folder*."""
    _, *arguments = command.split()
    return _run(arguments, folder)


def run_session(page: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Run the steps of *page*; return what each printed, and the log of all."""
    program, config = folder / "session_of_the_page.py", folder / "steps.json"
    program.write_text(_SESSION)
    pieces = [(f"{page.name}:{step.line}", step.source) for step in steps(page)]
    config.write_text(json.dumps(pieces))
    output = _run([program.name, config.name, _MARK], folder)
    printed = output.text.split(_MARK + "\n")
    assert len(printed) == len(pieces) + 1, output.text
    return printed[:-1], output.log


def _run(arguments: list[str], folder: Path) -> Output:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "NO_COLOR": "1",
        "TMPDIR": str(folder),
        # To import them takes a third of what a run of pytest costs.
        "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:xdist",
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    errors = done.stderr.splitlines()
    log = [line for line in errors if _LOG_LINE.match(line)]
    other = [line + "\n" for line in errors if not _LOG_LINE.match(line)]
    return Output(done.stdout + "".join(other), log)


def split_expected(text: str) -> Output:
    """Take what a page says apart like the output of a run."""
    lines = text.splitlines()
    log = [line for line in lines if _LOG_LINE.match(line)]
    other = [line + "\n" for line in lines if not _LOG_LINE.match(line)]
    return Output("".join(other), log)


def masked(text: str) -> str:
    """Return *text* without what differs from run to run."""
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    kept = [line for line in text.splitlines() if not _CARETS.fullmatch(line)]
    return "".join(line.rstrip() + "\n" for line in kept)


def masked_log(lines: list[str]) -> list[str]:
    """Return log lines without what differs from run to run, padding included."""
    return [" ".join(masked(line).split()) for line in lines]


def difference(expected: str, printed: str) -> str:
    """Return how *printed* differs from what the page says, as text for people; empty when it does not."""
    checker, options = doctest.OutputChecker(), doctest.ELLIPSIS
    want, got = masked(expected), masked(printed)
    if checker.check_output(want, got, options):
        return ""
    return checker.output_difference(doctest.Example("", want), got, options)


def is_in_order(expected: list[str], lines: list[str]) -> bool:
    """Return whether *lines* holds the *expected* ones in this order."""
    rest = iter(lines)
    return all(line in rest for line in expected)
