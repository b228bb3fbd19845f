"""Removing a directory with all that is in it, while processes of a dying system may still make files there."""

from __future__ import annotations

import contextlib
import errno
import os

from actors.errors import RuntimeDirectoryError
from actors.runtime.private import OPEN_DIRECTORY

_ATTEMPTS = 10


def remove(parent_fd: int, name: str) -> None:
    """Remove the directory *name* with all that is in it, following no link; whatever is gone already is fine.

    Raises:
        RuntimeDirectoryError: Some process keeps creating files in it.
        OSError: It cannot be removed.
    """
    try:
        fd = os.open(name, OPEN_DIRECTORY, dir_fd=parent_fd)
    except FileNotFoundError:
        return
    try:
        for _ in range(_ATTEMPTS):
            _empty(fd)
            try:
                os.rmdir(name, dir_fd=parent_fd)
            except FileNotFoundError:
                return
            except OSError as exc:
                if exc.errno != errno.ENOTEMPTY:
                    raise
            else:
                return
    finally:
        os.close(fd)
    msg = f"{name} cannot be removed: a process keeps creating files in it"
    raise RuntimeDirectoryError(msg)


def _empty(fd: int) -> None:
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if is_directory:
            remove(fd, name)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=fd)
