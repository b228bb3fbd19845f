"""What actors write to their standard streams, as somebody sees it who runs the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from actors import ActorSystem
from actors.errors import OptionError
from tests.support.gates import SECONDS
from tests.support.programs import ROOT, SCRIPTS, Program, terminal

SCRIPT = str(SCRIPTS / "output.py")
CLOCK = re.compile(r"\d\d:\d\d:\d\d ")


def lines_of(text: str) -> list[str]:
    return [CLOCK.sub("", line.rstrip()) for line in text.splitlines()]


def run(*command: str) -> list[str]:
    """Run a program with both streams at one place; return its lines."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return lines_of(done.stdout)


@pytest.fixture
def program() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for each in started:
        each.kill()


def test_every_line_is_whole_and_labelled_and_on_its_stream() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "speak", "labelled"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )

    output, errors = lines_of(done.stdout), lines_of(done.stderr)
    assert [line for line in output if line.startswith("anna")] == [
        "anna | one",
        "anna | two",
        "anna | half child",
    ]
    assert [line for line in output if line.startswith("bert")] == [
        "bert | printed",
        "bert | last words",
        "bert | reborn",
    ]
    assert output[-1] == "closed"
    assert [line for line in errors if line.startswith("anna")] == [
        "anna | [info     ] noted",
        "anna | child2",
    ]
    assert [line for line in errors if line.startswith("bert")] == ["bert | oh"]
    # The log of the system itself.
    assert [line.split()[2] for line in errors if line.startswith("[")] == [
        "actor_died",
        "actor_restarted",
    ]


def test_where_both_streams_lead_to_one_place_their_order_is_one() -> None:
    lines = run(sys.executable, SCRIPT, "speak", "labelled")

    assert [line for line in lines if line.startswith("anna")] == [
        "anna | one",
        "anna | two",
        "anna | [info     ] noted",
        "anna | half child",
        "anna | child2",
    ]
    (died,) = [line for line in lines if "actor_died" in line]
    assert lines.index("bert | last words") < lines.index(died)


def test_output_that_is_inherited_is_left_alone() -> None:
    lines = run(sys.executable, SCRIPT, "speak", "inherit")

    assert "one" in lines
    assert "half child" in lines
    assert not [line for line in lines if " | " in line]


def test_a_reader_that_is_slow_gets_every_line() -> None:
    reading = f"{sys.executable} {SCRIPT} flood labelled | (read first; cat)"

    lines = run("bash", "-c", reading)

    for name in ("anna", "bert"):
        numbers = [
            int(line.split()[2]) for line in lines if line.startswith(f"{name} |")
        ]
        assert numbers == list(range(5000))[-len(numbers) :]
        assert len(numbers) >= 4999


def test_a_reader_that_has_gone_stops_nobody() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} {SCRIPT} flood labelled 2>&1 | head -1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )

    assert "|" in done.stdout


@pytest.mark.slow
def test_a_reader_that_does_not_read_stops_nobody(program: list[Program]) -> None:
    drowning = Program(SCRIPT, "drown", "labelled", interactive=True)
    program.append(drowning)
    assert drowning.process.stderr is not None

    assert drowning.process.stderr.readline() == "flooded\n"
    drowning.say("somebody reads")
    status, output, _ = drowning.wait()

    lines = output.splitlines()
    lost = [re.match(r"\((\d+) lines could not be written\)", line) for line in lines]
    (told,) = [int(found[1]) for found in lost if found]
    shown = [
        line for line in lines if re.fullmatch(r"(anna|bert) \| \d{6} x{93}", line)
    ]
    assert told + len(shown) == 10_000
    assert lines[-2:] == ["anna | after", "closed"]
    assert status == 0


def test_a_program_without_streams_has_actors_all_the_same() -> None:
    code = (
        "import sys; from tests.support.scripts.output import Writer;"
        "from actors import ActorSystem;"
        "system = ActorSystem().start(); writer = system.spawn(Writer).result();"
        "writer.ask(Writer.write_from_c, 'x').result(); system.close(); sys.exit(7)"
    )

    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" >&- 2>&-'],
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 7


def test_at_a_terminal_each_actor_has_a_colour() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    with terminal() as (keyboard, screen):
        done = subprocess.Popen(
            [sys.executable, SCRIPT, "speak", "labelled"],
            cwd=ROOT,
            env=environment,
            stdin=screen,
            stdout=screen,
            stderr=screen,
        )
        assert done.wait(SECONDS) == 0
        shown = os.read(keyboard, 2**16).decode()

    labels = set(re.findall(r"\x1b\[(\d+)m(anna|bert) \|\x1b\[0m", shown))
    assert {name for _, name in labels} == {"anna", "bert"}
    assert len(labels) == 2


@pytest.mark.slow
def test_a_stopped_terminal_does_not_stop_the_supervisor() -> None:
    """Its own lines were written as long as anybody waited: with a full terminal, for ever."""
    with terminal() as (_keyboard, screen):
        done = subprocess.Popen(
            [sys.executable, SCRIPT, "flood", "labelled"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = done.wait(SECONDS)
        finally:
            done.kill()
            done.wait()

    assert status == 0


def test_an_output_that_there_is_not_is_refused() -> None:
    with pytest.raises(
        OptionError, match="output='lost': one of 'labelled', 'inherit'"
    ):
        ActorSystem(output="lost")  # type: ignore[arg-type]
