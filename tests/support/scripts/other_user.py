"""A program that may not signal processes of other users, with an actor that starts such a process and crashes.

It prints the pid of that process, whether the next incarnation answers, and ``closed``.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

from actors import Actor, ActorSystem

CAP_KILL = 5
PR_CAPBSET_DROP = 24  # of what is executed from now on


class Starter(Actor):
    def start(self) -> int:
        return subprocess.Popen(
            ["setpriv", "--reuid=1234567", "sleep", "1000"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).pid

    def pid(self) -> int:
        return os.getpid()

    def crash(self) -> None:
        raise LookupError("asked to")


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> None:
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0) == 0
    with ActorSystem(drain=0) as system:
        starter = system.spawn(Starter).result()
        say(starter.ask(Starter.start).result())
        input()  # until that process is what it is going to be
        first = starter.ask(Starter.pid).result()
        starter.tell(Starter.crash)
        say(starter.ask(Starter.pid).result() != first)
    say("closed")


if __name__ == "__main__":
    main()
