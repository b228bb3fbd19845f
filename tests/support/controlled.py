"""Actors whose processes are signalled, frozen, limited and looked at from outside."""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Any

from actors import Actor, ActorRef, handler, signals
from actors.supervision import stacks
from actors.wire import archive
from tests.support.actors_under_test import Blocker


class Attentive(Blocker):
    """Counts the SIGUSR1 it gets; held up at a gate, if there is one, whenever it starts again."""

    def __init__(self, gate: str = "") -> None:
        self.count = 0
        mark = Path(gate + ".started")
        if gate and mark.exists():
            self.wait_for(gate)
        elif gate:
            mark.touch()
        self.on_signal(signal.SIGUSR1, Attentive._on_usr1)

    def _on_usr1(self) -> None:
        self.count += 1

    async def signal_yourself(self) -> None:
        await self.ref.signal(signal.SIGUSR1)

    def counted(self) -> int:
        return self.count

    def hang_in_c(self, mark: str) -> None:
        """Wait inside of C, with the GIL held."""
        Path(mark).touch()
        ctypes.PyDLL(None).pause()

    def hang(self, mark: str) -> None:
        Path(mark).touch()
        threading.Event().wait()

    def start_thread(self, mark: str) -> int:
        threading.Thread(target=self.spin, args=(mark,), daemon=True).start()
        return os.getpid()

    def write_over(self) -> None:
        signal.signal(signals.STACK, lambda *_: None)

    def stumble(self, times: int) -> None:
        """Write a stack that makes no sense so many times, and then one that does."""
        fd = next(
            int(each.name)
            for each in Path("/proc/self/fd").iterdir()
            if "goodbye-" in str(each.resolve())
        )
        endings = iter([stacks.CHANGED] * times)

        def write(*_: object) -> None:
            os.write(fd, next(endings, '  File "x.py", line 1 in x\n').encode())

        signal.signal(signals.STACK, write)

    def block_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    def segfault(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def spin(self, mark: str) -> None:
        Path(mark).touch()
        while Path(mark).exists():
            pass

    async def ask_for(self, other: ActorRef[Blocker], gate: str, within: float) -> str:
        return await other.within(within).ask(Blocker.wait_for, gate)

    async def hello_from(self, other: ActorRef[Blocker], within: float) -> str:
        return await other.within(within).ask(Blocker.hello)

    def fill(self, mebibytes: int) -> None:
        self.filled = bytearray(os.urandom(2**20) * mebibytes)

    def vanish(self) -> None:
        os._exit(3)


class Sink(Actor):
    """Takes numbers."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self, number: int) -> None:
        self.taken += 1
        assert number > 0

    def count(self) -> int:
        return self.taken


class Source(Actor):
    """Sends numbers without end."""

    def __init__(self, sink: ActorRef[Sink]) -> None:
        self.sink = sink
        self.number = 0

    async def flow(self) -> None:
        while True:
            self.number += 1
            await self.sink.within(None).tell(Sink.take, self.number)


class Pump(Actor):
    """Sends numbers, and says when all are accepted."""

    async def send(self, sink: ActorRef[Sink], count: int) -> None:
        for number in range(1, count + 1):
            await sink.within(None).tell(Sink.take, number)


class Timed(Attentive):
    """Hangs and is slow, within limits and beyond."""

    handler_timeout = 0.3

    @handler(timeout=math.inf)
    def take_your_time(self, gate: str) -> str:
        return self.wait_for(gate)

    @handler(timeout=0.1)
    def hurry(self, mark: str) -> None:
        self.hang(mark)

    async def hang_async(self, mark: str) -> None:
        Path(mark).touch()  # noqa: ASYNC240 - takes no time
        await asyncio.Event().wait()

    def hang_in_a_tick(self) -> None:
        self.after(0, Timed._hang)

    def _hang(self) -> None:
        threading.Event().wait()

    def deafen(self) -> None:
        signal.signal(signal.SIGABRT, signal.SIG_IGN)

    def wait_deaf(self, gate: str) -> str:
        self.deafen()
        return self.wait_for(gate)


class Both(Timed):
    """Handles two messages at once."""

    concurrency = 2

    async def wait_long(self, gate: str) -> str:
        return await asyncio.to_thread(self.wait_for, gate)


class Quick(Actor):
    """Is often as slow as it may just be; has a thread more than it needs, which could take a signal."""

    handler_timeout = 0.02

    def __init__(self) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()

    def work(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    def rest(self) -> None:
        time.sleep(0.001)  # noqa: TID251 - what is done is of no matter, but not nothing


class Limited(Attentive):
    """Knows what the kernel allows it, in each of its two threads."""

    def __init__(self) -> None:
        super().__init__()
        self.born = _limits()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        self.born = {**self.born, **_of_threads()}

    def at_birth(self) -> dict[str, Any]:
        return self.born

    def now(self) -> dict[str, Any]:
        return {**_limits(), **_of_threads()}


def _limits() -> dict[str, Any]:
    return {
        "max_memory_bytes": resource.getrlimit(resource.RLIMIT_AS)[0],
        "max_cpu_seconds": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "max_open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def _of_threads() -> dict[str, Any]:
    tids = sorted(int(each.name) for each in Path("/proc/self/task").iterdir())
    return {
        "nice": [os.getpriority(os.PRIO_PROCESS, tid) for tid in tids],
        "cpus": [sorted(os.sched_getaffinity(tid)) for tid in tids],
    }


class Importer(Actor):
    """Imports what has been imported before."""

    def imported_by(self) -> int:
        from tests.support import preloaded  # noqa: PLC0415 - not before it runs

        return preloaded.IMPORTED_BY

    def parent(self) -> int:
        return os.getppid()


class Exporter(Actor):
    """Saves what waits for another actor, and is killed as it does."""

    async def save(self, ref: ActorRef[Any], path: str, when: str) -> None:
        """Be killed *when*: ``before`` the file is written, ``after`` that, or never."""
        write = archive.write

        def fatal(*args: Any) -> None:  # noqa: ANN401 - as they are
            if when == "after":
                write(*args)
            os.kill(os.getpid(), signal.SIGKILL)

        if when != "never":
            archive.write = fatal  # type: ignore[assignment]  # what comes never returns
        await ref.mailbox().export(path)

    def pid(self) -> int:
        return os.getpid()
