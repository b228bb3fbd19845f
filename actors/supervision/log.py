"""Standard error for a process that must neither die of its log nor wait for it."""

from __future__ import annotations

import contextlib
import os
import select

STDERR = 2


class LogFile:
    """Writes lines while somebody takes them, and counts the rest.

    The reader of a pipe may have gone, as in ``program 2>&1 | head``, or not read; a disk may be full.
    """

    def __init__(self) -> None:
        self._lost = 0

    def write(self, line: str) -> None:
        """Write *line*, which has its end, or count it as lost."""
        note = f"({self._lost} lines of the log could not be written)\n"
        data = ((note if self._lost else "") + line).encode(errors="backslashreplace")
        is_whole = False
        with contextlib.suppress(OSError):
            is_whole = _write(data)
        self._lost = 0 if is_whole else self._lost + 1

    def flush(self) -> None:
        """Nothing is kept back."""


def _write(data: bytes) -> bool:
    poll = select.poll()
    poll.register(STDERR, select.POLLOUT)
    while data:
        if not poll.poll(0):
            return False
        # A pipe that is writable has room for this much.
        data = data[os.write(STDERR, data[: select.PIPE_BUF]) :]
    return True
