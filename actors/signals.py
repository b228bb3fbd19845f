"""Signals of the operating system that actors may be sent and may catch, and those that the runtime keeps for itself.

Pure.
"""

from __future__ import annotations

import signal

from actors.options import is_whole, refused

# Writes the stacks of a process; the last of all, which other software hardly ever takes.
STACK = signal.SIGRTMAX
_STOPS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
_NEEDED = frozenset(
    {
        signal.SIGKILL,
        signal.SIGSTOP,
        signal.SIGTERM,
        signal.SIGABRT,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        STACK,
    }
)


def check_catchable(signum: object) -> None:
    """Refuse a signal for which an actor can have no handler of its own.

    Raises:
        OptionError: It is none, cannot be caught, or the runtime needs it.
    """
    if not _is_signal(signum) or signum in _NEEDED:
        names = ", ".join(sorted(each.name for each in _NEEDED))
        text = f"any signal but {names}, which end a process or belong to the runtime"
        raise refused("signum", signum, text)


def check_sendable(signum: object) -> None:
    """Refuse a signal that nobody sends to an actor.

    Raises:
        OptionError: It is none, another method does it better, or it belongs to the runtime.
    """
    if signum in _STOPS:
        raise refused("signum", signum, "use freeze(), which stops it in a safe place")
    if signum == signal.SIGCONT:
        raise refused("signum", signum, "use thaw()")
    if signum == STACK:
        raise refused("signum", signum, "use stack(), for which the runtime keeps it")
    if not _is_signal(signum):
        raise refused("signum", signum, "a signal, such as signal.SIGHUP")


def _is_signal(signum: object) -> bool:
    return is_whole(signum) and signum in signal.valid_signals()
