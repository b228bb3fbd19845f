"""Ctrl-C: what the interpreter loses of it, and what is done so that nobody has to press it twice.

What runs while an interpreter ends swallows a ``KeyboardInterrupt``: it is printed, and the end goes on.
Whoever waits at the end of a program asks ``has_come``.

A signal that arrives between the last look of the interpreter and the system call in which a thread then sleeps does not wake it.
Whoever sleeps without an event loop does so in steps, see ``longest_sleep``.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import signal
import sys
import threading
from types import FrameType

STEP_SECONDS = 1.0


class _Watch:
    """Notes Ctrl-C from the time at which the program's own code has ended.

    Attributes:
        is_set: It will begin.
        has_begun: It has.
        has_seen: There was one, and its handler raised something.
    """

    def __init__(self) -> None:
        self.is_set = False
        self.has_begun = False
        self.has_seen = False

    def begin(self) -> None:
        """Stand before the handler that is there."""
        self.has_begun = True
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            return

        def note(signum: int, frame: FrameType | None) -> None:
            try:
                handler(signum, frame)
            except BaseException:
                self.has_seen = True
                raise

        # Whoever embeds an interpreter may end it in a thread that cannot have handlers.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, note)


_watch = _Watch()


def watch() -> None:
    """Note Ctrl-C from the end of the program's own code on; for who has something that its end waits for."""
    if not _watch.is_set:
        # Refused while the program ends already: then nothing is noted.
        with contextlib.suppress(RuntimeError):
            # The last that registers there is the first to be called: not whoever waits for threads.
            importlib.import_module("concurrent.futures.thread")
            threading._register_atexit(_watch.begin)  # type: ignore[attr-defined]  # noqa: SLF001 - as concurrent.futures does
            _watch.is_set = True


def has_come() -> bool:
    """Return whether Ctrl-C has ended the program, or has come since; for what ``atexit`` calls."""
    left_by = getattr(sys, "last_type", None)
    return (
        _watch.has_seen
        or (isinstance(left_by, type) and issubclass(left_by, KeyboardInterrupt))
        or _has_met_the_first_step()
    )


def _has_met_the_first_step() -> bool:
    """Return whether the interpreter has come here without what it does first at its end: that was cut off as it began."""
    is_ended_by_interpreter = sys._getframe(2).f_back is None  # noqa: SLF001 - of the call-back
    return (
        is_ended_by_interpreter
        and _watch.is_set
        and not _watch.has_begun
        and not threading._SHUTTING_DOWN  # type: ignore[attr-defined]  # noqa: SLF001 - set as it begins
    )


def longest_sleep() -> float:
    """Return how many seconds this thread may sleep at once; no other than the main thread is told of signals."""
    is_main = threading.get_ident() == threading.main_thread().ident
    return STEP_SECONDS if is_main else math.inf
