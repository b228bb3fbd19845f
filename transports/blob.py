"""Payloads too large for a mailbox: each in a file of its own, taken once.

A blob is written whole before its name is sent, and belongs to whoever takes the frame that carries the name.
Names begin with the writer's own prefix, so that two writers never meet.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable

from transports.errors import NoSpaceError

# Larger than any name we make; what is longer did not come from here.
MAX_NAME_BYTES = 64


class BlobStore:
    """The blobs of one system, seen from one process."""

    def __init__(self, dir_fd: int, prefix: str) -> None:
        """Use the directory *dir_fd*; *prefix* must be unique among its writers."""
        self._dir_fd = dir_fd
        self._prefix = prefix
        self._serial = itertools.count(1)

    def write(self, parts: Iterable[bytes]) -> bytes:
        """Store the joined *parts* and return the name to send.

        Raises:
            NoSpaceError: The file system is full; nothing is left behind.
        """
        name = f"{self._prefix}.{next(self._serial)}"
        data = b"".join(parts)
        fd = os.open(
            name,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
            dir_fd=self._dir_fd,
        )
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, memoryview(data)[written:])
        except OSError as exc:
            os.unlink(name, dir_fd=self._dir_fd)
            raise NoSpaceError.from_os_error(
                exc, f"a payload of {len(data)} bytes", len(data)
            ) from exc
        finally:
            os.close(fd)
        return name.encode()

    def take(self, name: bytes) -> bytes:
        """Return the payload and remove it.

        Raises:
            FileNotFoundError: It was taken or dropped before.
            ValueError: *name* is not one that ``write`` returns.
        """
        text = self._checked(name)
        fd = os.open(
            text, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._dir_fd
        )
        with os.fdopen(fd, "rb") as file:
            data = file.read()
        os.unlink(text, dir_fd=self._dir_fd)
        return data

    def drop(self, name: bytes) -> None:
        """Remove the payload unread; it may be gone already."""
        try:
            os.unlink(self._checked(name), dir_fd=self._dir_fd)
        except (FileNotFoundError, ValueError):
            return

    @staticmethod
    def _checked(name: bytes) -> str:
        text = name.decode("ascii", "replace")
        if len(name) > MAX_NAME_BYTES or not text.replace(".", "").isalnum():
            msg = f"not the name of a blob: {text[:MAX_NAME_BYTES]!r}"
            raise ValueError(msg)
        return text
