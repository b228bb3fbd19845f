"""What is found at a death: the wait status, what the process left behind, and what the kernel counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

import attrs

from actors.exits import ExitKind, ExitReason
from actors.runtime import record, status
from actors.supervision import oom, reaper
from actors.supervision.child import ActorChild, Child
from actors.supervision.oom import Oom, OomWitness
from actors.supervision.verdict import classify
from actors.wire import reasons


class Autopsy:
    """Finds out what the children of one system have died of."""

    def __init__(self, children: Mapping[int, Child]) -> None:
        """*children* are those among whom a kill for lack of memory may have chosen."""
        self._children = children
        self._oom = OomWitness(oom.counter())

    def kills(self) -> int:
        """Return how many processes the kernel has killed for lack of memory until now."""
        return self._oom.kills()

    def examine(
        self,
        child: Child,
        wait_status: int,
        uptime: float,
        max_rss_bytes: int,
        cpu_seconds: float,
    ) -> ExitReason:
        """Return what the process of *child*, which is reaped, has died of."""
        dump_at = child.dump_at if isinstance(child, ActorChild) else _DUMP_AT
        goodbye, dump = _read_goodbye(child.goodbye_fd, dump_at)
        killed_for = self._killed_for(child, wait_status)
        return attrs.evolve(
            classify(
                wait_status,
                goodbye or _of_page(child),
                cause=child.cause,
                stopping=child.fate is not None,
                oom_kill=killed_for is Oom.YES,
            ),
            oom=killed_for,
            max_rss_bytes=max_rss_bytes,
            cpu_seconds=cpu_seconds,
            incarnation=child.incarnation,
            pid=child.pid,
            dump=dump,
            uptime=uptime,
        )

    def _killed_for(self, child: Child, wait_status: int) -> Oom | None:
        """Return whether *child* was killed for lack of memory; None where it was not killed, or we did it."""
        if child.cause is not None or wait_status != signal.SIGKILL:
            return None
        return self._oom.testify(
            child.number,
            child.kills_at_birth,
            lambda: {
                other.number
                for other in self._children.values()
                if other.cause is None
                and other.pidfd >= 0
                and reaper.was_killed(other.pidfd)
            },
        )


_DUMP_AT = record.GOODBYE_BYTES


def _of_page(child: Child) -> ExitReason | None:
    """Return what the process of *child* said of its end where it could write no record."""
    if isinstance(child, ActorChild) and child.estate.page.words[status.LOST] == 1:
        return ExitReason(ExitKind.CONTROL_LOST)
    return None


def _read_goodbye(fd: int, dump_at: int) -> tuple[ExitReason | None, str | None]:
    """Return what a process said of its end, and the dump of its stacks."""
    size = os.fstat(fd).st_size
    said = os.pread(fd, min(size, record.GOODBYE_BYTES), 0).rstrip(b"\0")
    dump = os.pread(fd, record.GOODBYE_BYTES, dump_at)
    return reasons.from_bytes(said), dump.decode(errors="replace") or None
