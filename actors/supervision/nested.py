"""The program of a supervisor below the root: hands, and a line to the root, which decides.

It is forked by the hands of its parent, never loads user code, and dies with its parent, as everything below it does.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from typing import NoReturn

from actors.runtime import record
from actors.runtime.directory import RuntimeDirectory
from actors.supervision import fork, handover, linux, orders, reaper
from actors.supervision.alarms import Alarms
from actors.supervision.birth import AsSupervisor, Birth
from actors.supervision.fork import Task
from actors.supervision.hands import Ended, Hands
from actors.supervision.life import ActorLife
from actors.supervision.line import Line
from actors.supervision.spare import Spare

RETRY_SECONDS = 0.001  # how soon a full line is tried again


class Life(ActorLife):
    """What a process does with its birth, of an actor or of a supervisor."""

    def __call__(self, birth: Birth) -> NoReturn:
        """Be it; never returns."""
        if isinstance(birth.role, AsSupervisor):
            run(self.directory, birth.role.line_fd, birth.goodbye_fd)
        super().__call__(birth)


class Nested:
    """One supervisor, in its own process."""

    def __init__(self, directory: RuntimeDirectory, line: Line) -> None:
        """Do what comes over *line*."""
        self.is_leaving = False
        self._line = line
        self._alarms = Alarms()
        self._selector = selectors.EpollSelector()
        self.hands = Hands(
            self,
            self._alarms,
            self._selector,
            Spare(self._alarms, self._selector),
            lambda: None,
            Life(directory),
            directory.descriptors(),
            owns_births=True,
        )
        self._was_terminated = False
        wakeup = self._catch_signals()
        self._selector.register(
            wakeup, selectors.EVENT_READ, lambda: self._on_signal(wakeup)
        )
        self._selector.register(line.fileno(), selectors.EVENT_READ, self._receive)

    def _catch_signals(self) -> int:
        receiver, sender = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(signum, signal.SIG_IGN)
        signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
        return receiver

    def _on_sigterm(self, *_: object) -> None:
        self._was_terminated = True

    def _on_signal(self, wakeup: int) -> None:
        os.read(wakeup, 4096)
        self.hands.on_child_signal()
        if self._was_terminated:
            self._was_terminated = False
            self._line.send(orders.to_bytes("terminated"))

    # The loop.

    def run(self) -> list[Task]:
        """Work until processes have to be forked; there are none when everything is done."""
        while not self.is_leaving:
            if tasks := self.hands.next_tasks():
                return tasks
            for kind, number in list(self._alarms.take_due(time.monotonic())):
                self.hands.on_alarm(kind, number)
            if self.hands.has_births:
                continue
            self._line.flush()
            is_short = self.hands.wants_spare
            ready = self._selector.select(0 if is_short else self._timeout())
            for key, _ in ready:
                key.data()
            self.hands.finish_turn()
            if is_short and not ready and (task := self.hands.spare_task()) is not None:
                return [task]
        return []

    def _timeout(self) -> float | None:
        if self._line.has_backlog:
            return RETRY_SECONDS
        due = self._alarms.next_due()
        return None if due is None else max(0.0, due - time.monotonic())

    def _receive(self) -> None:
        try:
            while (received := self._line.receive()) is not None:
                self._act(*received)
        except EOFError:  # the root has died; PDEATHSIG may have been lost
            self.is_leaving = True

    def _act(self, data: bytes, descriptors: list[int]) -> None:
        kind, facts = orders.from_bytes(data)
        if kind == "leave":
            self.is_leaving = True
            return
        if kind == "ping":
            self._line.send(orders.to_bytes("pong"))
            return
        birth = handover.unpacked(facts, descriptors)
        if birth is None:
            self.not_forked(facts["number"], facts["incarnation"], errno.EMFILE)
        else:
            self.hands.fork(birth)

    # What the hands see: ``hands.Reports``.

    def forked(self, number: int, incarnation: int, pid: int, pidfd: int) -> None:
        """See ``Reports``."""
        facts = {"number": number, "incarnation": incarnation, "pid": pid}
        self._line.send(orders.to_bytes("forked", **facts), [pidfd])

    def not_forked(self, number: int, incarnation: int, code: int) -> None:
        """See ``Reports``."""
        self._report("not_forked", number, incarnation, code)

    def stray(self, number: int, incarnation: int, pid: int, name: str) -> None:
        """See ``Reports``."""
        self._report("stray", number, incarnation, pid, name)

    def spared(self, number: int, incarnation: int, pid: int) -> None:
        """See ``Reports``."""
        self._report("spared", number, incarnation, pid)

    def reaped(
        self,
        number: int,
        incarnation: int,
        wait_status: int,
        uptime: float,
        max_rss_bytes: int,
        cpu_seconds: float,
    ) -> None:
        """See ``Reports``."""
        facts = wait_status, uptime, max_rss_bytes, cpu_seconds
        self._report("reaped", number, incarnation, *facts)

    def died(self, ended: Sequence[Ended]) -> None:
        """See ``Reports``."""
        self._line.send(orders.to_bytes("died", ended=ended))

    def _report(self, kind: str, *facts: float | str) -> None:
        named = dict(zip(orders.REPORTS[kind], facts, strict=True))
        self._line.send(orders.to_bytes(kind, **named))


def run(directory: RuntimeDirectory, line_fd: int, goodbye_fd: int) -> NoReturn:
    """Be a supervisor; never returns."""
    os.lseek(goodbye_fd, record.GOODBYE_BYTES, os.SEEK_SET)
    faulthandler.enable(goodbye_fd)  # for the SIGABRT of one that hangs
    linux.adopt_orphans()
    nested = Nested(directory, Line(socket.socket(fileno=line_fd)))
    while tasks := nested.run():
        fork.carry_out(tasks)
    reaper.kill_adopted(nested.hands.left(), directory.path.name)
    os._exit(0)
