"""Where a process says why it ends: a file in memory, which its supervisor holds as well."""

from __future__ import annotations

import os

from actors.exits import ExitReason
from actors.wire import reasons

GOODBYE_BYTES = 64 * 1024  # the goodbye; the stacks come behind it


class Record:
    """The record of one incarnation.

    User code may close descriptors that it has not opened, and give their numbers to files of its own.
    """

    def __init__(self, fd: int) -> None:
        """Write to *fd*, which is nobody else's now."""
        self._fd = fd
        self._file = os.fstat(fd)

    @property
    def is_lost(self) -> bool:
        """Whether its descriptor has been closed."""
        try:
            return not os.path.samestat(self._file, os.fstat(self._fd))
        except OSError:
            return True

    def write(self, reason: ExitReason) -> None:
        """Say that the process ends for *reason*; nothing if it is lost."""
        if not self.is_lost:
            os.pwrite(self._fd, reasons.to_bytes(reason)[:GOODBYE_BYTES], 0)
