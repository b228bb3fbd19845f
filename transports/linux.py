"""The system calls that Python lacks."""

from __future__ import annotations

import ctypes
import os

_SPLICE_F_NONBLOCK = 2
_ALL = 2**30  # more than a pipe holds
_libc = ctypes.CDLL(None, use_errno=True)


def tee(source: int, target: int) -> None:
    """Copy what waits in the pipe *source* into the pipe *target*, packet by packet, without taking it.

    Raises:
        BlockingIOError: Nothing waits, or *target* has no room.
        OSError: One of them is no pipe.

    Source: tee(2).
    """
    copied = _libc.tee(source, target, ctypes.c_size_t(_ALL), _SPLICE_F_NONBLOCK)
    if copied < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
