"""Copies of a process that are children of its parent."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, os, signal, threading
from actors.supervision import fork, _sibling

def say(**facts):
    os.write(1, json.dumps(facts).encode() + b"\\n")

def act():
    got = []
    signal.signal(signal.SIGUSR1, lambda *_: got.append("USR1"))
    main = threading.main_thread().ident
    thread = threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGUSR1))
    thread.start()
    thread.join()
    lock = threading.RLock()
    with lock, lock:
        pass
    say(pid=os.getpid(), parent=os.getppid(), session=os.getsid(0), got=got)
    os._exit(7)

def copy():
    fork.sibling(parent, act)
    os._exit(0)

parent = os.getpid()
epoll_fd = os.dup(0)
first = fork.fork(fork.Fork(frozenset(), epoll_fd, lambda: None, copy))
os.waitpid(first, 0)
other, status = os.wait()
say(me=parent, first=first, other=other, code=os.waitstatus_to_exitcode(status))
"""


def test_sibling_is_a_child_of_the_parent_and_a_process_like_any_other() -> None:
    """The C library sends a signal to the main thread by the number that it has stored for it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
        text=True,
        timeout=60,
    )

    copy, last = map(json.loads, done.stdout.splitlines())
    assert copy == {
        "pid": last["other"],
        "parent": last["me"],
        "session": last["other"],
        "got": ["USR1"],
    }
    assert last["first"] != last["other"]
    assert last["code"] == 7
