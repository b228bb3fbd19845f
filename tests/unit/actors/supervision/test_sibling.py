"""Copies of a process that are children of its parent."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.programs import outcome_of

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
    done = outcome_of("-c", PROGRAM)

    copy, last = map(json.loads, done.stdout.splitlines())
    assert copy == {
        "pid": last["other"],
        "parent": last["me"],
        "session": last["other"],
        "got": ["USR1"],
    }
    assert last["first"] != last["other"]
    assert last["code"] == 7


LOCKING = """
import os, signal, sys
from actors.supervision import fork, _sibling
from transports._ring import Slot
from transports.mailbox import Put
from transports.registry import get

KILLS = 60
shm = get("shm")
folder = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
held = shm.create(folder, "1.mail")
reader = shm.open(held, folder, "1.mail")
LIMIT = 16384
slot = Slot(bytearray(Slot.size(LIMIT)), 0, LIMIT)
told, tell = os.pipe()

def send():
    outlet = shm.connect(folder, "1.mail")
    os.write(tell, b"!")
    while True:
        outlet.put(b"x")

def copy():
    shm.connect(folder, "1.mail").put(b"x")  # this thread has a number for the lock now
    while os.read(orders, 1):
        fork.sibling(parent, send)
    os._exit(0)

parent = os.getpid()
orders, order = os.pipe()
kept = frozenset({folder, tell, orders})
mould = fork.fork(fork.Fork(kept, os.dup(0), lambda: None, copy))
outlet = shm.connect(folder, "1.mail")
lost = 0
for _ in range(KILLS):
    os.write(order, b"!")
    os.read(told, 1)
    children = open(f"/proc/self/task/{parent}/children").read().split()
    (sender,) = (int(pid) for pid in children if int(pid) != mould)
    os.kill(sender, signal.SIGKILL)
    os.waitpid(sender, 0)
    while reader.take(slot) is not None:
        slot.clear()
    lost += outlet.put(b"x") is not Put.ACCEPTED
os.kill(mould, signal.SIGKILL)
print(lost)
"""


def test_sibling_that_is_killed_as_it_sends_gives_the_lock_back(tmp_path: Path) -> None:
    """It held the lock by the number of the process it is a copy of, which lived on: nobody could send any more."""
    done = outcome_of("-c", LOCKING, str(tmp_path))

    assert done.stdout == "0\n"
