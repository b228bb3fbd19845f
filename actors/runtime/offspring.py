"""A process that the code of an actor has forked, with ``os.fork`` or ``multiprocessing``.

It is a process of its own and no second copy of the actor: where that code returns or raises in it, it ends.
Else it would answer the message, empty the slot of what the actor still has in hand, and take the messages that come next.
Signals do to it what they do to any process; that holds for what a program under ``actors.run`` forks, too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import NoReturn

# What this process catches with a loop, for itself alone: the handlers stay in place over a fork, and Python would wake the loop of the
# parent for a signal that the child gets.
caught: set[int] = set()


class _Held(threading.local):
    """The signal mask of a thread that forks, before it did so."""

    mask: set[int | signal.Signals] | None = None


_held = _Held()


def _hold() -> None:
    # Else one that comes at once finds the handlers still in place.
    if caught:
        _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, caught)


def _release() -> None:
    mask, _held.mask = _held.mask, None
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _forget() -> None:
    """Let signals do to this process what they do to any other."""
    if caught:
        signal.set_wakeup_fd(-1)
    for signum in caught:
        is_ctrl_c = signum == signal.SIGINT
        default = signal.default_int_handler if is_ctrl_c else signal.SIG_DFL
        signal.signal(signum, default)
    caught.clear()
    _release()


os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_forget)


def leave(error: BaseException | None = None) -> NoReturn:
    """End this process, in which the code of the actor has returned, or raised *error*, as a program ends that does so.

    What the actor has to do at its end is its own business.
    """
    status = 1
    try:
        status = 0 if error is None else _status_of(error)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _status_of(error: BaseException) -> int:
    if not isinstance(error, SystemExit):
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - what the interpreter does
    return 1
