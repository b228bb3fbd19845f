"""The process of which others are copies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

PROGRAM = """
import json, os, sys
from actors.supervision import fork, mould
from actors.supervision.line import Line

def say(word):
    os.write(1, json.dumps(word).encode() + b"\\n")

def live(own):
    os.read(own, 1)  # what is sent once its number is known
    say("copy")
    os._exit(0)

mould.QUIET_SECONDS = 0.001
mould.PATIENCE_SECONDS = float(sys.argv[1])
free = iter(json.loads(sys.argv[2]))

def is_core_free():
    says = next(free, True)
    say("free" if says else "busy")
    return says

line, end = Line.pair()
ours, theirs = Line.pair()
os.set_blocking(theirs.fileno(), True)
assert mould.order(line, theirs)
epoll_fd = os.dup(0)
body = lambda: mould.be(
    end.fileno(), lambda: say("practice"), live, lambda: say("end"), is_core_free
)
first = fork.fork(fork.Fork(frozenset({end.fileno()}), epoll_fd, lambda: None, body))
end.close()
assert line.has_arrived_within(60)
made = mould.receive(line)
ours.send(b"go")
os.waitpid(made.pid, 0)
if sys.argv[3]:
    os.read(0, 1)  # until it has practised
line.close()
os.waitpid(first, 0)
"""


def said_by_a_mould(patience: float, free: Sequence[bool], practices: int) -> list[str]:
    """Return what it says, with that many *practices* among it before it is told to end; *free* is what it hears of the cores."""
    arguments = [str(patience), json.dumps(free), "wait" if practices else ""]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        said: list[str] = []
        while said.count("practice") < practices:
            said.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        said += map(json.loads, process.stdout)
    assert process.returncode == 0
    return said


def test_mould_makes_what_is_ordered_and_practises_a_few_times() -> None:
    said = said_by_a_mould(60, [], practices=0)

    assert said.count("copy") == 1
    assert 0 <= said.count("practice") <= 8
    assert said[-1] == "end"


def test_mould_does_not_practise_as_long_as_all_cores_are_busy() -> None:
    said = said_by_a_mould(60, [False, False, True, False, True], practices=8)

    told = [word for word in said if word in {"busy", "free", "practice"}]
    assert told[:7] == ["busy", "busy", "free", "practice", "busy", "free", "practice"]
    assert told.count("practice") == 8


def test_mould_practises_in_the_end_although_no_core_is_free() -> None:
    said = said_by_a_mould(0.01, [False] * 10_000, practices=8)

    assert said.count("practice") == 8
    assert "free" not in said
