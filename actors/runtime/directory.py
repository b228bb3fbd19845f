"""The directory that holds everything of one system, open; what the files in it mean is the business of those who create them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from actors.errors import RuntimeDirectoryError
from actors.runtime import manifest, private
from actors.runtime.private import OPEN_DIRECTORY
from actors.runtime.removal import remove
from transports.errors import space_for

LOCK = "lock"
CODE = "code"
BLOB = "blob"


@attrs.define(eq=False)
class RuntimeDirectory:
    """The directory of one system, open.

    Attributes:
        path: For people and for other processes; work goes through the descriptors.
        fd: The directory.
        code_fd: Its ``code``.
        blob_fd: Its ``blob``.
        lock_fd: The held lock, -1 in a process that does not hold it.
            It stays held until every process that inherited the descriptor has closed it.
    """

    path: Path
    fd: int
    code_fd: int
    blob_fd: int
    lock_fd: int = -1

    @staticmethod
    def open(path: Path, *, lock_fd: int = -1) -> RuntimeDirectory:
        """Open the directory of a system that another process created.

        Args:
            path: As in the creator's ``path``.
            lock_fd: The creator's lock, if this process has inherited it and shall hold it; it is passed on no further.

        Raises:
            RuntimeDirectoryError: It is not there, not ours alone, or of another version.
        """
        directory = _opened(path, private.open_directory(path))
        if lock_fd != -1:
            os.set_inheritable(lock_fd, False)  # noqa: FBT003 - positional only
            directory.lock_fd = lock_fd
        return directory

    def descriptors(self) -> Iterator[int]:
        """Yield the descriptors that every process of the system has."""
        yield from (self.fd, self.code_fd, self.blob_fd)

    @property
    def name(self) -> str:
        """``<system>.<incarnation>``, unique among the systems of this user."""
        return self.path.name

    def create_file(self, name: str, size: int) -> int:
        """Create a file of *size* zero bytes and return its descriptor.

        The bytes are allocated: in a sparse file on a full file system, a store into the mapping would end the process.

        Raises:
            NoSpaceError: There is no room; nothing is left behind.
            FileExistsError: The name is taken.
        """
        fd = private.new_file(name, self.fd)
        try:
            if size:
                with space_for(name, size, self.fd):
                    os.posix_fallocate(fd, 0, size)
        except BaseException:
            os.close(fd)
            os.unlink(name, dir_fd=self.fd)
            raise
        return fd

    def announce(self, scheme: str, name: str) -> None:
        """Write into the manifest that the mailbox *name* of the transport *scheme* is about to be created.

        For transports that keep things outside the directory, so that a sweep has them removed.

        Raises:
            ValueError: A sweep would not recognise them.
            NoSpaceError: The file system is full.
        """
        manifest.announce(self.fd, scheme, name)

    def release_lock(self) -> None:
        """Close our descriptor of the lock; whoever inherited it goes on holding it."""
        if self.lock_fd != -1:
            os.close(self.lock_fd)
            self.lock_fd = -1

    def close(self) -> None:
        """Close every descriptor; the directory stays."""
        self.release_lock()
        for name in ("fd", "code_fd", "blob_fd"):
            if (fd := getattr(self, name)) != -1:
                os.close(fd)
                setattr(self, name, -1)

    def remove(self) -> None:
        """Remove the directory with all that is in it or belongs to it; it may be gone already.

        Raises:
            RuntimeDirectoryError: Some process keeps creating files in it.
        """
        manifest.unlink_elsewhere(self.fd)
        # Not by the path: somebody may have moved the base meanwhile.
        base_fd = os.open("..", OPEN_DIRECTORY, dir_fd=self.fd)
        try:
            remove(base_fd, self.name)
        finally:
            os.close(base_fd)


def _opened(path: Path, fd: int) -> RuntimeDirectory:
    """Return the system at *path*, which owns *fd*; it is closed if anything goes wrong."""
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, fd)
        if (version := manifest.version(fd)) != manifest.VERSION:
            msg = (
                f"{path}: found the version {version!r}; required: {manifest.VERSION!r}"
            )
            raise RuntimeDirectoryError(msg)
        code_fd = private.open_directory(path / CODE, fd)
        undo.callback(os.close, code_fd)
        blob_fd = private.open_directory(path / BLOB, fd)
        undo.pop_all()
    return RuntimeDirectory(path, fd, code_fd, blob_fd)


def make(path: Path, base_fd: int) -> RuntimeDirectory:
    """Make and lock the directory *path* in the base *base_fd*, which is locked.

    Raises:
        RuntimeDirectoryError: It cannot be made.
        NoSpaceError: The file system is full.
    """
    with contextlib.ExitStack() as undo, private.translated(path, "cannot be made"):
        os.mkdir(path.name, 0o700, dir_fd=base_fd)
        undo.callback(remove, base_fd, path.name)
        fd = private.open_directory(path, base_fd)
        try:
            lock_fd = private.new_file(LOCK, fd)
            undo.callback(os.close, lock_fd)
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.mkdir(CODE, 0o700, dir_fd=fd)
            os.mkdir(BLOB, 0o700, dir_fd=fd)
            manifest.begin(fd)
        except BaseException:
            os.close(fd)
            raise
        directory = _opened(path, fd)
        directory.lock_fd = lock_fd
        undo.pop_all()
    return directory
