"""Processes of ``multiprocessing`` with a pipe each, however they are started: to the first reply, idle, and replaced when killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, ForkServerContext
from typing import Any

import attrs

from tests.bench import measuring
from tests.bench.measuring import Cores, Measure, Values, laps

Context = ForkContext | ForkServerContext


def answer(connection: Connection[Any, Any]) -> None:
    """Answer everything with our pid until the other side has closed."""
    with contextlib.suppress(EOFError):
        while True:
            connection.recv()
            connection.send(os.getpid())


@attrs.define
class Peer:
    """A process that answers."""

    process: Any
    connection: Connection[Any, Any]

    @classmethod
    def start(cls, context: Context) -> Peer:
        """Start one, and go on at once."""
        ours, its = context.Pipe()
        process = context.Process(target=answer, args=(its,), daemon=True)
        process.start()
        its.close()
        return cls(process, ours)

    def ask(self) -> int:
        """Return its pid, as told by itself."""
        self.connection.send(None)
        pid: int = self.connection.recv()
        return pid

    def notice_death(self) -> None:
        """Wait until the pipe says that nobody is there any more."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            self.connection.recv()
        self.end()

    def end(self) -> None:
        """End it, if it is still there."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def started(context: Context) -> Peer:
    """Start a process and wait for its first reply."""
    peer = Peer.start(context)
    peer.ask()
    return peer


def spawn(context: Context) -> Values:
    """Measure from starting a process to its first reply."""
    seconds = []
    for _ in laps(measuring.STARTS):
        begin = time.perf_counter()
        peer = started(context)
        seconds.append(time.perf_counter() - begin)
        peer.end()
    return measuring.median_ms("spawn_ms", seconds)


def recover(context: Context) -> Values:
    """Measure from SIGKILL to the first reply of a process that takes over."""
    seconds = []
    for _ in laps(measuring.STARTS):
        peer = started(context)
        begin = time.perf_counter()
        os.kill(peer.process.pid, signal.SIGKILL)
        peer.notice_death()
        successor = started(context)
        seconds.append(time.perf_counter() - begin)
        successor.end()
    return measuring.median_ms("recover_ms", seconds)


def memory(context: Context) -> Values:
    """Measure the memory of processes that wait."""
    peers = [started(context) for _ in range(measuring.IDLE)]
    try:
        return measuring.pss_mib([peer.ask() for peer in peers])
    finally:
        for peer in peers:
            peer.end()


def measures(context: Context) -> dict[str, Measure]:
    """Return what can be measured of processes that *context* starts."""

    def warm(measure: Callable[[Context], Values]) -> Measure:
        def run(_: Cores) -> Values:
            started(context).end()  # a fork server starts with its first process
            return measure(context)

        return run

    return {"spawn": warm(spawn), "recover": warm(recover), "memory": warm(memory)}
