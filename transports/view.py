"""Blobs in memory, each with the claim to it that ends with the last look into it."""

from __future__ import annotations

import contextlib
import os

from transports._mapping import Mapping, address_of


class Directory:
    """A directory that is open as long as anybody has something of it in memory.

    The one of the store may be closed before that, and its number given to another: a claim would be removed there.
    """

    def __init__(self, fd: int) -> None:
        self._pid = os.getpid()
        self.fd = os.dup(fd)

    def __del__(self) -> None:
        # A forked child may have given the number to something else.
        if self._pid == os.getpid() and hasattr(self, "fd"):
            os.close(self.fd)


class View(Mapping):
    """A blob in memory, and the claim to it that ends with the last look into it.

    Attributes:
        name: The claim.
        start: Its address.
    """

    name: str
    start: int
    _directory: Directory
    _pid: int

    def claim(self, name: str, directory: Directory, *, is_ours: bool) -> None:
        """Be reached by *name*, which is removed, if it *is_ours*, when nobody looks into this any more."""
        self.name, self._directory = name, directory
        self._pid = os.getpid() if is_ours else -1
        self.start = address_of(self)

    def __del__(self) -> None:
        # A forked child has the mapping too, but not the claim.
        if getattr(self, "_pid", -1) == os.getpid():
            with contextlib.suppress(OSError):  # the directory may have been removed
                os.unlink(self.name, dir_fd=self._directory.fd)
