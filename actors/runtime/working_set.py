"""The pages that a process writes to: noted by one copy of it, and copied by those after it before they write to them.

A copy has its memory in common with the process that it is a copy of, and each first write to a page waits for the kernel to copy it.
Copies of one process have everything at the same addresses, and those that do the same write to the same pages.

Source: REAP, which records and prefetches the working set of a snapshot (Ustiugov et al., ASPLOS 2021).
"""

from __future__ import annotations

import mmap

from actors.runtime import _working_set

_BYTES = 64 * 1024  # for 4 000 ranges, as many as there may be pages
_NOTHING = bytes(8)  # where the number of ranges is


class WorkingSet:
    """Which pages they are; the process that makes it and its copies have it in common."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._noted = mmap.mmap(-1, _BYTES)

    @property
    def is_known(self) -> bool:
        """Whether a process has noted its own."""
        return self._noted[: len(_NOTHING)] != _NOTHING

    def note(self) -> None:
        """Note which pages this process has for itself, for others that are copies of the same.

        Raises:
            OSError: The kernel does not show them (or could copy none in advance, as before Linux 5.14), or they are too many.
        """
        _working_set.note(self._noted)

    def prefault(self) -> None:
        """Have those pages."""
        _working_set.prefault(self._noted)

    def close(self) -> None:
        """Let go of it."""
        self._noted.close()
