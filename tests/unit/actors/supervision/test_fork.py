from __future__ import annotations

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
