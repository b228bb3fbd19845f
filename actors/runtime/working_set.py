"""The pages that a process writes to: noted by one copy of it, and copied by those after it before they write to them.

A copy has its memory in common with the process that it is a copy of, and each first write to a page waits for the kernel to copy it.
Copies of one process have everything at the same addresses, and those that do the same write to the same pages.

Source: REAP, which records and prefetches the working set of a snapshot (Ustiugov et al., ASPLOS 2021).
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from actors.runtime import _working_set

MAX_PAGES = 2048  # twice those of a start; whoever writes to more does something else
_MAX_OWN = 64 * 1024  # of those of one process that are looked through
_WORD = 8
_RANGES = 2 * _WORD  # where they begin, behind the state and their size in bytes
_BYTES = _RANGES + MAX_PAGES * 2 * _WORD
_SLICE = 64 * 2 * _WORD  # of ranges, between two looks whether there is time
_UNKNOWN, _KNOWN, _UNKNOWABLE = (bytes([each]) for each in range(3))


class WorkingSet:
    """Which pages they are; the process that makes it and its copies have it in common."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._shared = mmap.mmap(-1, _BYTES)
        self._before: AbstractSet[int] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether a process has noted its own."""
        return self._shared[:1] == _KNOWN

    @property
    def is_unknown(self) -> bool:
        """Whether none has, nor found that it cannot be done."""
        return self._shared[:1] == _UNKNOWN

    def begin(self) -> None:
        """Look which pages this process has for itself already: others will have those too before they prefault."""
        if self.is_unknown:
            with self._attempt():
                self._before = frozenset(_working_set.own_pages(_MAX_OWN))

    def note(self) -> None:
        """Note which pages have become this process's own since it began, for others that are copies of the same.

        Where the kernel does not show them, or could copy none in advance (before Linux 5.14), or they are too many, nobody tries again.
        """
        if self.is_unknown:
            with self._attempt():
                pages = set(_working_set.own_pages(_MAX_OWN)) - self._before
                if len(pages) > MAX_PAGES:
                    msg = f"{len(pages)} pages are too many"
                    raise OSError(msg)
                _working_set.prefault(b"")
                self._publish(array("Q", _ranges(sorted(pages))).tobytes())

    @contextlib.contextmanager
    def _attempt(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._shared[:1] = _UNKNOWABLE

    def _publish(self, ranges: bytes) -> None:
        self._shared[_WORD:_RANGES] = len(ranges).to_bytes(_WORD, sys.byteorder)
        self._shared[_RANGES : _RANGES + len(ranges)] = ranges
        self._shared[:1] = _KNOWN  # last: who is killed before has noted nothing

    def prefault(self, is_called: Callable[[], bool]) -> None:
        """Have the pages that were noted, or as many as there is time for until this process *is_called*."""
        size = int.from_bytes(self._shared[_WORD:_RANGES], sys.byteorder)
        for at in range(_RANGES, _RANGES + size, _SLICE):
            if is_called():
                return
            _working_set.prefault(self._shared[at : min(at + _SLICE, _RANGES + size)])

    def close(self) -> None:
        """Let go of it."""
        self._shared.close()


def _ranges(pages: Sequence[int]) -> Iterator[int]:
    """Yield where each run of *pages* begins, and its size in bytes."""
    places = enumerate(pages)
    for _, run in itertools.groupby(places, lambda at: at[1] - at[0] * mmap.PAGESIZE):
        (_, first), *others = run
        yield from (first, (1 + len(others)) * mmap.PAGESIZE)
