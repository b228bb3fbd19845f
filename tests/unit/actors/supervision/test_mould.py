"""The process of which others are copies."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os
from actors.supervision import fork, mould
from actors.supervision.line import Line

def say(word):
    os.write(1, word.encode() + b"\\n")

def live(own, is_awaited):
    os.read(own, 1)  # what is sent once its number is known
    say("awaited" if is_awaited else "copy")
    os._exit(0)

line, end = Line.pair()
pairs = [Line.pair() for _ in range(2)]
for is_awaited, (_, theirs) in enumerate(pairs):
    os.set_blocking(theirs.fileno(), True)
    assert mould.order(line, theirs, is_awaited=bool(is_awaited))
epoll_fd = os.dup(0)
body = lambda: mould.be(end.fileno(), live, lambda: say("end"))
first = fork.fork(fork.Fork(frozenset({end.fileno()}), epoll_fd, lambda: None, body))
end.close()
for ours, _ in pairs:
    assert line.has_arrived_within(60)
    made = mould.receive(line)
    ours.send(b"go")
    os.waitpid(made.pid, 0)
line.close()
os.waitpid(first, 0)
"""


def test_mould_makes_what_is_ordered_until_its_line_is_closed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.splitlines() == ["copy", "awaited", "end"]
