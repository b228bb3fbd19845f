from __future__ import annotations

import errno
import os

import pytest

from actors.supervision import fork
from actors.supervision.fork import Fork, Task
from tests.support.programs import outcome_of

PROGRAM = """
import gc, os
from actors.supervision import fork

class Circle:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("collected", flush=True)

def body():
    gc.collect()
    print("alive", flush=True)
    os._exit(0)

gc.disable()
Circle()
epoll_fd = os.dup(0)
action = fork.Fork(frozenset(), epoll_fd, lambda: None, body)
pid = fork.fork(action)
os.waitpid(pid, 0)
os._exit(0)
"""


def test_garbage_of_the_parent_is_not_collected_in_the_child() -> None:
    """Its mappings were unmapped in the child, where something else was mapped at their addresses."""
    done = outcome_of("-c", PROGRAM)

    assert done.stdout.splitlines() == ["alive"]


MISTAKEN = """
import os
from actors.supervision import fork

parent = os.getpid()

def body():
    fork.sibling(parent, lambda: {}["of the sibling"])
    raise LookupError("of the child")

epoll_fd = os.dup(0)
fork.fork(fork.Fork(frozenset(), epoll_fd, lambda: None, body))
for _ in range(2):
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_mistake_in_a_child_is_shown_before_its_end() -> None:
    done = outcome_of("-c", MISTAKEN)

    assert done.stdout.split() == ["70", "70"]
    assert "KeyError: 'of the sibling'" in done.stderr
    assert "LookupError: of the child" in done.stderr


def test_each_fork_of_a_row_is_told_what_has_come_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(action: Fork) -> int:
        if action.epoll_fd == 2:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return 1000 + action.epoll_fd

    def task(number: int) -> Task:
        action = Fork(frozenset(), number, lambda: None, lambda: os._exit(0))
        return Task(
            action,
            lambda pid: told.append((number, pid)),
            lambda error: told.append((number, -(error.errno or 0))),
        )

    told: list[tuple[int, int]] = []
    monkeypatch.setattr(fork, "fork", made)

    fork.carry_out([task(number) for number in (1, 2, 3)])

    assert told == [(1, 1001), (2, -errno.EAGAIN), (3, 1003)]
