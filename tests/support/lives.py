"""Actors whose lives, ends and kills the tests follow."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np

from actors import (
    Actor,
    ActorCrashedError,
    ActorRef,
    ExitReason,
    MailboxLostError,
)
from tests.support.procfs import state_of

Trouble = Literal["raise", "exit", "die", "hang", "defy"]


def note(path: str, text: str) -> None:
    """Append a line in one write, which a kill cannot cut in two."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, f"{os.getpid()} {text}\n".encode())
    os.close(fd)


def notes(path: str | Path) -> list[tuple[int, str]]:
    """Return what was noted, each line with the pid of who did."""
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return [
        (int(pid), text.strip())
        for pid, _, text in (line.partition(" ") for line in lines)
    ]


class Ledger(Actor):
    """Notes each number it is given, with the process that handled it."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.head = b"%-10d " % os.getpid()

    def record(self, number: int, padding: object = None) -> int:
        del padding  # only there to fill mailboxes
        # 32 bytes, so that no line lies on two pages: a kill can cut a write there.
        os.write(self.fd, self.head + b"%-20d\n" % number)
        return number

    def hold(self, gate: str) -> None:
        Path(gate + ".entered").touch()
        with Path(gate).open("rb") as fifo:
            fifo.read()

    def pid(self) -> int:
        return os.getpid()


class Stream(Actor):
    """Sends large messages to a ledger, and notes each that was accepted."""

    MOST = 100_000  # messages of one life

    def __init__(self, ledger: ActorRef[Ledger], path: str, life: int) -> None:
        self.ledger = ledger
        self.number = life * self.MOST
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def send_for_ever(self) -> None:
        padding = np.ones(2**20, np.uint8)
        while True:
            await self.ledger.within(None).tell(Ledger.record, self.number, padding)
            os.write(self.fd, b"%-10d %-20d\n" % (os.getpid(), self.number))
            self.number += 1

    def pid(self) -> int:
        return os.getpid()


class Chatter(Actor):
    """Sends numbers to a ledger without a pause."""

    async def tell_for_ever(self, ledger: ActorRef[Ledger], first: int) -> None:
        for number in itertools.count(first):
            await ledger.within(None).tell(Ledger.record, number)

    async def ask_for_ever(self, ledger: ActorRef[Ledger], first: int) -> None:
        """Each answer is the number, or an error that says why there is none."""
        for number in itertools.count(first):
            try:
                answer = await ledger.within(None).ask(Ledger.record, number)
            except (ActorCrashedError, MailboxLostError):
                continue
            if answer != number:
                raise LookupError(answer)


class AsyncLedger(Ledger):
    """The same, three at a time."""

    concurrency = 3

    async def record_later(self, number: int) -> int:
        for _ in range(3):
            await asyncio.sleep(0)
        return self.record(number)

    async def hold_async(self, path: str, number: int) -> None:
        note(path, str(number))
        await asyncio.Event().wait()


class Troubled(Actor):
    """Gets into trouble at a place, as long as a file exists."""

    def __init__(self, flag: str, place: str, trouble: Trouble) -> None:
        self.flag = flag
        self.place = place
        self.trouble = trouble
        self.pass_through("__init__")

    def pass_through(self, place: str) -> None:
        if place != self.place or not Path(self.flag).exists():
            return
        note(self.flag + ".entered", place)
        if self.trouble == "raise":
            msg = f"trouble in {place}"
            raise ValueError(msg)
        if self.trouble == "exit":
            sys.exit(3)
        if self.trouble == "die":
            os._exit(4)
        if self.trouble == "defy":
            signal.signal(signal.SIGABRT, signal.SIG_IGN)
        threading.Event().wait()

    async def on_start(self) -> None:
        self.pass_through("on_start")

    def on_stop(self, reason: ExitReason) -> None:
        del reason
        self.pass_through("on_stop")

    def pid(self) -> int:
        return os.getpid()

    def crash(self) -> None:
        raise LookupError("asked to")

    def quit(self) -> None:
        self.stop()

    def quit_and_hang(self) -> None:
        self.stop()
        threading.Event().wait()


class Brief(Actor):
    """Stops itself before it is ready."""

    def on_start(self) -> None:
        self.stop()


class Deaf(Actor):
    """Does not care about SIGTERM."""

    def __init__(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def pid(self) -> int:
        return os.getpid()


class Parent(Actor):
    """Starts processes and forgets them."""

    def __init__(self, path: str) -> None:
        self.path = path
        note(path, f"init {self._living()}")

    def _living(self) -> int:
        """Return how many of the processes that were noted earlier are alive."""
        earlier = [text for _, text in notes(self.path) if text.startswith("child ")]
        return sum(is_alive(int(text.split()[1])) for text in earlier)

    def start(self, kind: str, *, deep: bool = False) -> int:
        """Start a process: in our session, in a group of its own, or in a session of its own."""
        keywords: dict[str, Any] = {}
        if kind == "group":
            keywords["process_group"] = 0
        elif kind in {"session", "stranger"}:
            keywords["start_new_session"] = True
        if kind == "stranger":
            keywords["env"] = {}
        sleep = ["sleep", "1000"]
        command = ["sh", "-c", "sleep 1000 & echo $!; wait"] if deep else sleep
        child = subprocess.Popen(command, stdout=subprocess.PIPE, **keywords)
        pid = child.pid
        if deep:
            assert child.stdout is not None
            pid = int(child.stdout.readline())
        note(self.path, f"child {pid}")
        return pid

    def pid(self) -> int:
        return os.getpid()

    def quit(self) -> None:
        self.stop()

    def crash(self) -> None:
        raise LookupError("asked to")


def is_alive(pid: int) -> bool:
    """Return whether *pid* is a process that has not ended; a zombie has."""
    try:
        return state_of(pid) not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


class Worker(Actor):
    """Has work in the background, and notes what becomes of it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def work(self) -> int:
        self.task = self.start_task(self._work())
        return os.getpid()

    async def _work(self) -> None:
        note(self.path, "begun")
        try:
            await asyncio.Event().wait()
        finally:
            note(self.path, "cancelled")

    def fail(self) -> int:
        self.task = self.start_task(self._fail())
        return os.getpid()

    async def _fail(self) -> None:
        await asyncio.sleep(0)
        raise LookupError("in the background")

    def leave(self, status: int | None) -> None:
        self.task = self.start_task(self._leave(status))

    async def _leave(self, status: int | None) -> None:
        await asyncio.sleep(0)
        sys.exit(status)

    async def on_stop(self, reason: ExitReason) -> None:
        await asyncio.sleep(0)
        note(self.path, f"on_stop {reason.kind}")

    def pid(self) -> int:
        return os.getpid()
