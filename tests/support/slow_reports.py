"""To be preloaded: supervisors below the root tell of a process that they have forked after it has said that it is ready."""

from __future__ import annotations

import sys

from actors.runtime import status
from actors.runtime.directory import RuntimeDirectory
from actors.supervision.line import Line
from actors.supervision.nested import Nested
from tests.support.gates import wait_until


class SlowNested(Nested):
    """A supervisor that is held up between a fork and its report."""

    def __init__(self, directory: RuntimeDirectory, line: Line) -> None:
        """Do what comes over *line*."""
        super().__init__(directory, line)
        self._directory = directory

    def forked(self, number: int, incarnation: int, pid: int, pidfd: int) -> None:
        """Tell of it late."""
        page = status.StatusPage.open(self._directory.fd, number)
        wait_until(lambda: bool(page.words[status.READY]), "the child to be ready")
        page.close()
        super().forked(number, incarnation, pid, pidfd)


sys.modules[Nested.__module__].Nested = SlowNested  # type: ignore[attr-defined]
