"""Checked access to the files mailboxes are made of.

Names come from other processes and what they lead to is input: it must be of the right
kind, ours, and closed to everybody else, or it is not touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import stat
from collections.abc import Callable, Iterator

from transports.errors import EndpointError, translated

MAX_NAME_BYTES = 64  # short enough for /proc/self/fd/<n>/<name> in a socket address
PRIVATE = 0o600
BASE_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC

KINDS: dict[str, Callable[[int], bool]] = {
    "a regular file": stat.S_ISREG,
    "a FIFO": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
}


def check_name(name: str) -> None:
    """Refuse anything but a plain, short file name.

    Raises:
        EndpointError: *name* is empty, too long, special or a path.
    """
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        msg = f"not a name for a mailbox: {name!r}"
        raise EndpointError(msg)
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        msg = f"a mailbox's name has at most {MAX_NAME_BYTES} bytes: {name!r}"
        raise EndpointError(msg)


@contextlib.contextmanager
def new_file(dir_fd: int, name: str) -> Iterator[int]:
    """Create the file *name*, private whatever the umask, for a block that fills it; it is not left behind if that fails.

    Raises:
        OSError: It cannot be made, or the name is taken.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | BASE_FLAGS
    fd = os.open(name, flags, PRIVATE, dir_fd=dir_fd)
    try:
        os.fchmod(fd, PRIVATE)
        yield fd
    except BaseException:
        os.unlink(name, dir_fd=dir_fd)
        raise
    finally:
        os.close(fd)


def shrink(fifo: int) -> None:
    """Let the FIFO with the descriptor *fifo* hold one page: then it polls full with the first byte.

    It is asked first, because setting its size wakes whoever sleeps there, whatever it was.

    Raises:
        OSError: It cannot be done.
    """
    if fcntl.fcntl(fifo, fcntl.F_GETPIPE_SZ) != mmap.PAGESIZE:
        fcntl.fcntl(fifo, fcntl.F_SETPIPE_SZ, mmap.PAGESIZE)


def open_checked(dir_fd: int, name: str, flags: int, kind: str) -> int:
    """Open the existing file *name* and make sure that it is a private *kind*.

    Raises:
        MailboxNotFoundError: It does not exist.
        EndpointError: It is something else than expected.
    """
    check_name(name)
    with translated(f"cannot open {name}"):
        fd = os.open(name, flags | BASE_FLAGS, dir_fd=dir_fd)
    try:
        verify(fd, kind, name)
    except BaseException:
        os.close(fd)
        raise
    return fd


def verify(fd: int, kind: str, name: str, mode: int = PRIVATE) -> os.stat_result:
    """Return the status of *fd* if it is a *kind* of ours with exactly *mode*.

    Raises:
        EndpointError: It is not.
    """
    with translated(f"cannot look at {name}"):
        status = os.fstat(fd)
    found = stat.S_IMODE(status.st_mode)
    if not KINDS[kind](status.st_mode):
        msg = f"{name} is not {kind}"
    elif status.st_uid != os.geteuid():
        msg = f"{name} belongs to user {status.st_uid}, not to {os.geteuid()}"
    elif found != mode:
        msg = f"{name} has mode {found:04o}, not {mode:04o}"
    else:
        return status
    raise EndpointError(msg)
