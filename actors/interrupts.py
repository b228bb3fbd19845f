"""Ctrl-C: what the interpreter loses of it, and what is done so that nobody has to press it twice.

What runs while an interpreter ends swallows a ``KeyboardInterrupt``: it is printed, and the end goes on.
Whoever waits at the end of a program asks ``has_come``.

A signal that arrives between the last look of the interpreter and the system call in which a thread then sleeps does not wake it.
Whoever sleeps without an event loop does so in steps, see ``longest_sleep``.
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
from types import FrameType


class _Watch:
    """Notes Ctrl-C from the time at which the program's own code has ended."""

    def __init__(self) -> None:
        self.has_begun = False
        self.has_seen = False

    def begin(self) -> None:
        """Stand before the handler that is there, which raises it as before."""
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):

            def note(signum: int, frame: FrameType | None) -> None:
                self.has_seen = True
                handler(signum, frame)

            signal.signal(signal.SIGINT, note)
        self.has_begun = True


_watch = _Watch()
with contextlib.suppress(
    RuntimeError
):  # imported while the program ends: nothing is left to wait for
    # Nothing of a program's end runs earlier, but what was registered here later.
    threading._register_atexit(_watch.begin)  # type: ignore[attr-defined]  # noqa: SLF001 - as concurrent.futures does


def has_come() -> bool:
    """Return whether Ctrl-C has ended the program, or has come since; for what ``atexit`` calls."""
    left_by = getattr(sys, "last_type", None)
    return (
        not _watch.has_begun  # it came before
        or _watch.has_seen
        or (isinstance(left_by, type) and issubclass(left_by, KeyboardInterrupt))
    )


STEP_SECONDS = 1.0


def longest_sleep() -> float:
    """Return how many seconds this thread may sleep at once; no other than the main thread is told of signals."""
    if threading.current_thread() is threading.main_thread():
        return STEP_SECONDS
    return math.inf
