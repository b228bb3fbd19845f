"""An actor whose handlers fork, and do not end the child."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading

from actors import Actor
from tests.support.gates import SECONDS


def status_of_child() -> int:
    return os.waitstatus_to_exitcode(os.wait()[1])


def status_of_child_that_gets(signum: int) -> int | None:
    forked = multiprocessing.get_context("fork")
    child = forked.Process(target=threading.Event().wait, args=(SECONDS,))
    child.start()
    assert child.pid is not None
    os.kill(child.pid, signum)
    child.join()
    return child.exitcode


class Forker(Actor):
    """Each message returns the exit status of a child that comes back from the handler in its own way."""

    def __init__(self) -> None:
        self.on_signal(signal.SIGHUP, Forker.pid)

    def pid(self) -> int:
        return os.getpid()

    def come_back(self) -> int:
        if os.fork() == 0:  # noqa: TID251 - what an actor may do is what is tested
            return -100
        return status_of_child()

    async def come_back_in_coroutine(self) -> int:
        if os.fork() == 0:  # noqa: TID251
            return -100
        return status_of_child()

    async def wait_in_child(self) -> int:
        if os.fork() == 0:  # noqa: TID251
            await asyncio.sleep(0)
            return -100
        return status_of_child()

    def run_nothing(self) -> int:
        if os.fork() == 0:  # noqa: TID251
            sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the traceback
            os.execv("/nowhere", ["nobody"])
        return status_of_child()

    def exit(self) -> int:
        if os.fork() == 0:  # noqa: TID251
            sys.exit(3)
        return status_of_child()

    def signal_child(self, signum: int) -> int | None:
        return status_of_child_that_gets(signum)
