"""Memory of blobs that their writer uses again.

Memory that has just been used is much cheaper than fresh memory, for which the kernel
has to find and map pages: writers use theirs again as soon as theirs is the only name.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Smaller ones are cheaper made anew than kept.
MIN_KEPT_BYTES = 256 * 1024
MAX_KEPT_BYTES = 128 * 2**20
MAX_KEPT = 4
KEPT_SECONDS = 1.0


class Kept:
    """A blob whose memory its writer uses again and again."""

    __slots__ = ("_map", "fd", "name", "size", "used")

    def __init__(self, name: str, fd: int, size: int, used: float) -> None:
        self.name = name
        self.fd = fd
        self.size = size
        self.used = used
        self._map: mmap.mmap | None = None

    def fits(self, size: int) -> bool:
        """Return whether it is large enough for *size* bytes, and not far too large."""
        return size <= self.size <= 2 * size

    def overwrite(self, parts: Iterable[ReadableBuffer], now: float) -> None:
        """Store the concatenation of *parts* in it, which must have room for them."""
        if self._map is None:
            self._map = mmap.mmap(
                self.fd, self.size, mmap.MAP_SHARED | mmap.MAP_POPULATE
            )
        at = 0
        for part in parts:
            view = memoryview(part).cast("B")
            self._map[at : at + view.nbytes] = view
            at += view.nbytes
        self.used = now


class Stock:
    """What one writer keeps; whoever uses it sees to it that it is one thread at a time."""

    def __init__(self, dir_fd: int) -> None:
        """Keep blobs of the directory *dir_fd*."""
        self._dir_fd = dir_fd
        self._kept: list[Kept] = []
        self._made = 0.0  # when something worth keeping was made last

    def __bool__(self) -> bool:
        return bool(self._kept)

    def free(self, size: int) -> Kept | None:
        """Return kept memory for *size* bytes that nobody but us has a name for."""
        for kept in self._kept:
            if kept.fits(size) and os.fstat(kept.fd).st_nlink == 1:
                return kept
        return None

    def wants(self, size: int, now: float) -> bool:
        """Return whether a blob of *size* bytes that is made *now* is to be added."""
        # Whoever sends one sends no other, as a rule; whoever sends two sends many.
        is_one_of_many = now - self._made < KEPT_SECONDS
        self._made = now
        return is_one_of_many and self._has_place(size)

    def _has_place(self, size: int) -> bool:
        """Return whether one more may be kept, in the place of one of another size if need be."""
        if len(self._kept) < MAX_KEPT:
            return True
        others = [kept for kept in self._kept if not kept.fits(size)]
        if not others:
            return False
        oldest = min(others, key=lambda kept: kept.used)
        self._kept.remove(oldest)
        self._let_go(oldest)
        return True

    def add(self, kept: Kept) -> None:
        """Use *kept* again from now on."""
        self._kept.append(kept)

    def let_go_of_old(self, now: float) -> None:
        """Let go of what has not been used for long."""
        for kept in list(self._kept):
            if now - kept.used > KEPT_SECONDS:
                self._kept.remove(kept)
                self._let_go(kept)

    def let_go_of_all(self) -> None:
        """Let go of everything; what was sent stays."""
        while self._kept:
            self._let_go(self._kept.pop())

    def _let_go(self, kept: Kept) -> None:
        os.close(kept.fd)
        with contextlib.suppress(OSError):  # the directory may have been removed
            os.unlink(kept.name, dir_fd=self._dir_fd)
