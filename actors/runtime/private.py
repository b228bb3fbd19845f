"""Files and directories that nobody but this user can reach: opening them, and making sure of it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from actors.errors import RuntimeDirectoryError
from transports import files
from transports.errors import NO_SPACE, EndpointError, NoSpaceError

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | files.BASE_FLAGS
_CREATE_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | files.BASE_FLAGS


@contextlib.contextmanager
def translated(what: object, refusal: str) -> Iterator[None]:
    """Turn a refusal of the operating system, about *what*, into one of ours.

    Raises:
        NoSpaceError: The file system is full.
        RuntimeDirectoryError: Anything else.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in NO_SPACE:
            page = os.sysconf("SC_PAGE_SIZE")
            raise NoSpaceError.from_os_error(exc, str(what), page) from exc
        msg = f"{what} {refusal}: {exc.strerror}"
        raise RuntimeDirectoryError(msg) from exc


def open_directory(path: Path, dir_fd: int | None = None) -> int:
    """Open a directory and make sure that nobody but us can enter it.

    Args:
        path: Its path; with *dir_fd*, only the last part counts for opening it.
        dir_fd: The directory that it is in.

    Raises:
        RuntimeDirectoryError: It is not there, no directory, or not ours alone.
    """
    name = path if dir_fd is None else path.name
    try:
        fd = os.open(name, OPEN_DIRECTORY, dir_fd=dir_fd)
    except OSError as exc:
        found = "a symbolic link" if _is_link(name, dir_fd) else f"{exc.strerror}"
        raise RuntimeDirectoryError(_unfit(path, found)) from exc
    info = os.fstat(fd)
    mode = stat.S_IMODE(info.st_mode)
    if info.st_uid != os.geteuid() or mode & 0o077 or mode & 0o700 != 0o700:
        os.close(fd)
        found = f"a directory of user {info.st_uid} with mode {mode:04o}"
        raise RuntimeDirectoryError(_unfit(path, found))
    return fd


def _is_link(name: Path | str, dir_fd: int | None) -> bool:
    # open() calls a link "not a directory", which would send people looking for the wrong thing.
    with contextlib.suppress(OSError):
        return stat.S_ISLNK(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    return False


def _unfit(path: Path, found: str) -> str:
    return f"{path}: found: {found}; required: a real directory of user {os.geteuid()} with mode 0700"


def new_file(name: str, dir_fd: int) -> int:
    """Create an empty file in the directory *dir_fd* and return its descriptor.

    Raises:
        RuntimeDirectoryError: The umask takes our own rights; nothing is left behind.
        FileExistsError: The name is taken.
    """
    fd = os.open(name, _CREATE_FILE, 0o600, dir_fd=dir_fd)
    try:
        return _checked(fd, name)
    except RuntimeDirectoryError as exc:
        os.unlink(name, dir_fd=dir_fd)
        exc.add_note("It was made with mode 0600; the umask may have taken from that.")
        raise


def open_file(name: str, dir_fd: int, flags: int = 0) -> int:
    """Open the file *name* in the directory *dir_fd* to read and write.

    Raises:
        RuntimeDirectoryError: It is no file, or not ours alone.
        FileNotFoundError: There is none.
    """
    # O_RDWR even for reading: a FIFO under the name of a file would make O_RDONLY wait for a writer.
    fd = os.open(name, os.O_RDWR | files.BASE_FLAGS | flags, dir_fd=dir_fd)
    return _checked(fd, name)


def _checked(fd: int, name: str) -> int:
    """Return *fd* if it is a private file of ours, else close it."""
    try:
        files.verify(fd, "a regular file", name)
    except EndpointError as exc:
        os.close(fd)
        raise RuntimeDirectoryError(str(exc)) from exc
    return fd
