"""Where the kernel shows the POSIX queues: ``/dev/mqueue``, or, where nothing is mounted there, a mount of our own that has no path.

They are in no folder otherwise: without a mount, one knows only the queues whose names one has.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/dev/mqueue")
_FILE_SYSTEM = b"mqueue"

# The numbers of the system calls are the same on all machines that Python runs on but Alpha; <linux/mount.h> for the rest.
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6
_FSMOUNT_CLOEXEC = 1
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def are_seen() -> bool:
    """Return whether this process can tell which queues there are.

    That takes a mount, or the right to make one (``CAP_SYS_ADMIN``), which the super-user of a container may lack.
    """
    return _folder_fd() is not None


def names() -> Iterator[str]:
    """Yield the paths that the queues of this user have, or would have, in ``/dev/mqueue``; none if they are not seen."""
    fd = _folder_fd()
    if fd is not None:
        with os.scandir(fd) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                        yield str(FOLDER / entry.name)


@functools.cache
def _folder_fd() -> int | None:
    """Return a descriptor of the folder, kept open: a mount takes a millisecond."""
    with contextlib.suppress(OSError):
        return os.open(FOLDER, _OPEN) if FOLDER.is_mount() else _mount()
    return None


def _mount() -> int:
    """Return the root of a new mount, which goes with its last descriptor and which nobody else sees."""
    context = _call(_FSOPEN, _FILE_SYSTEM, _FSOPEN_CLOEXEC)
    try:
        _call(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        mount = _call(_FSMOUNT, context, _FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)
    try:
        # What comes from mounting names the folder, and cannot be read.
        return os.open(".", _OPEN, dir_fd=mount)
    finally:
        os.close(mount)


def _call(number: int, *arguments: bytes | int | None) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
