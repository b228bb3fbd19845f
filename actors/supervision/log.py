"""The file that structlog writes to: the console in the root supervisor, standard error in actors."""

from __future__ import annotations

import contextlib
import os
import select

from actors.supervision.console import Console

STDERR = 2
READ_SECONDS = 5.0  # in which the root supervisor reads what an actor writes, however little it gets to run


class LogFile:
    """Writes lines while somebody takes them, and counts the rest.

    The reader of a pipe may have gone, as in ``program 2>&1 | head``, or not read; a disk may be full.
    """

    def __init__(self) -> None:
        self._console: Console | None = None
        self._patience = 0.0
        self._lost = 0

    def lead_to(self, console: Console) -> None:
        """Write to *console* from now on."""
        self._console = console

    def inherit(self, *, is_read: bool) -> None:
        """Write to standard error from now on, in a new process; *is_read* by the root supervisor, which does not leave it alone."""
        self._console = None
        self._patience = READ_SECONDS if is_read else 0.0

    def write(self, line: str) -> None:
        """Write *line*, which has its end, or count it as lost."""
        if self._console is not None:
            self._console.write(line)
            return
        note = f"({self._lost} lines of the log could not be written)\n"
        data = ((note if self._lost else "") + line).encode(errors="backslashreplace")
        is_whole = False
        with contextlib.suppress(OSError):
            is_whole = _write(data, self._patience)
        self._lost = 0 if is_whole else self._lost + 1

    def flush(self) -> None:
        """Nothing is kept back."""


def _write(data: bytes, patience: float) -> bool:
    poll = select.poll()
    poll.register(STDERR, select.POLLOUT)
    while data:
        if not poll.poll(patience * 1000):
            return False
        # A pipe that is writable has room for this much.
        data = data[os.write(STDERR, data[: select.PIPE_BUF]) :]
    return True


FILE = LogFile()
