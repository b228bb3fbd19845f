"""Copies of the process that tests."""

from __future__ import annotations

import os
from collections.abc import Callable

MOST = 250  # that a copy can count to
FAILED = 255


def in_a_copy(body: Callable[[], int]) -> int:
    """Return what *body* returns, at most ``MOST``, in a copy of this process; ``FAILED`` if it raises."""
    pid = os.fork()  # noqa: TID251 - what is inherited is what is asked for
    if pid == 0:
        code = FAILED
        try:
            code = min(body(), MOST)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
