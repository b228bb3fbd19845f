"""The standard streams of an actor's process: FIFOs that the root supervisor reads, where it has made some, or what is inherited.

The descriptors themselves lead there, so that what C and child processes write comes along.
"""

from __future__ import annotations

import io
import os
import sys

OUT, ERR = ".out", ".err"
_OPEN = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def file_name(number: int, ending: str) -> str:
    """Return the name of a stream of actor *number*; ``ERR`` is there only where it leads elsewhere than ``OUT``."""
    return f"{number}{ending}"


def create(dir_fd: int, number: int, ending: str) -> int:
    """Make a stream, and return the end that is read.

    Raises:
        OSError: It cannot be made.
    """
    name = file_name(number, ending)
    os.mkfifo(name, 0o600, dir_fd=dir_fd)
    try:
        # For writing too: a FIFO without a writer would be readable all the time.
        return os.open(name, os.O_RDWR | _OPEN, dir_fd=dir_fd)
    except OSError:
        os.unlink(name, dir_fd=dir_fd)
        raise


def join(dir_fd: int, number: int) -> None:
    """Let the streams of this process lead to those of actor *number*, if it has some."""
    try:
        out = _open(dir_fd, number, OUT)
    except FileNotFoundError:
        return
    try:
        errors = _open(dir_fd, number, ERR)
    except FileNotFoundError:
        errors = os.dup(out)
    for fd, standard in ((out, 1), (errors, 2)):
        os.dup2(fd, standard)
        os.close(fd)
    # What is lost when it is killed is the end of a line, as at a terminal.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def _open(dir_fd: int, number: int, ending: str) -> int:
    fd = os.open(file_name(number, ending), os.O_WRONLY | _OPEN, dir_fd=dir_fd)
    os.set_blocking(fd, True)
    return fd
