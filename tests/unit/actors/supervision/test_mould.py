"""The process of which others are copies."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, os
from actors.supervision import fork, mould
from actors.supervision.line import Line

def say(word):
    os.write(1, json.dumps(word).encode() + b"\\n")

def live(own):
    os.read(own, 1)  # what is sent once its number is known
    say("copy")
    os._exit(0)

mould.QUIET_SECONDS = 0.001
line, end = Line.pair()
ours, theirs = Line.pair()
os.set_blocking(theirs.fileno(), True)
assert mould.order(line, theirs)
epoll_fd = os.dup(0)
body = lambda: mould.be(end.fileno(), lambda: say("practice"), live, lambda: say("end"))
first = fork.fork(fork.Fork(frozenset({end.fileno()}), epoll_fd, lambda: None, body))
end.close()
assert line.has_arrived_within(60)
made = mould.receive(line)
ours.send(b"go")
os.waitpid(made.pid, 0)
line.close()
os.waitpid(first, 0)
"""


def test_mould_makes_what_is_ordered_and_practises_a_few_times() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
        text=True,
        timeout=60,
    )

    said = list(map(json.loads, done.stdout.splitlines()))
    assert said.count("copy") == 1
    assert 0 <= said.count("practice") <= 8
    assert said[-1] == "end"
