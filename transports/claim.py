"""Who receives at a name: a lock on the file ``<name>.lock``, which the kernel gives back when its holder dies."""

from __future__ import annotations

import fcntl
import os
import struct

from transports.errors import MailboxExistsError, MailboxNotFoundError, translated
from transports.files import BASE_FLAGS, PRIVATE, check_name, open_checked

# The kernel's struct flock for all of a file.  Locks of open file descriptions are
# neither shared with other descriptors of the process nor lost when one is closed.
_LOCK = struct.Struct("hhqqi4x")
_WANTED = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


class Claim:
    """The right to be the one who receives at a name, until ``release`` or death."""

    def __init__(self, dir_fd: int, name: str) -> None:
        """Take it.

        Raises:
            EndpointError: *name* cannot be used.
            MailboxExistsError: Somebody has it.
        """
        check_name(name)
        self._dir_fd = dir_fd
        self._file = _file_of(name)
        flags = os.O_RDWR | os.O_CREAT | BASE_FLAGS
        with translated(f"cannot lock {name}"):
            while True:
                self._fd = os.open(self._file, flags, PRIVATE, dir_fd=dir_fd)
                if self._is_locked_here(name):
                    return
                os.close(self._fd)  # removed by its last holder between the two steps

    def _is_locked_here(self, name: str) -> bool:
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _WANTED)
            found = os.stat(self._file, dir_fd=self._dir_fd, follow_symlinks=False)
        except BlockingIOError:
            os.close(self._fd)
            msg = f"another program receives at {name}"
            raise MailboxExistsError(msg) from None
        except FileNotFoundError:
            return False
        except BaseException:
            os.close(self._fd)
            raise
        return os.path.samestat(found, os.fstat(self._fd))

    def release(self) -> None:
        """Give it back."""
        os.unlink(self._file, dir_fd=self._dir_fd)
        os.close(self._fd)


def is_claimed(dir_fd: int, name: str) -> bool:
    """Return whether somebody receives at *name*."""
    try:
        fd = open_checked(dir_fd, _file_of(name), os.O_RDWR, "a regular file")
    except MailboxNotFoundError:
        return False
    try:
        kind, *_ = _LOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _WANTED))
    finally:
        os.close(fd)
    return bool(kind != fcntl.F_UNLCK)


def _file_of(name: str) -> str:
    return f"{name}.lock"
