"""The threads of a process that is ours and unreaped: whether they run, and what they do about signals.

A process that has changed its user may be hidden from us (``hidepid``): it has no threads then, and does nothing.
"""

from __future__ import annotations

import signal
from pathlib import Path

import attrs

from actors.supervision import linux
from actors.supervision.linux import STATE, stat_of, status_of


def of(pid: int) -> list[int]:
    """Return the numbers of the threads of *pid*, its main one first."""
    try:
        return sorted(int(each.name) for each in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def name_of(pid: int, tid: int) -> str:
    """Return the name of a thread, as ``ps`` shows it."""
    try:
        return Path(f"/proc/{pid}/task/{tid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "ended"


# Whether they run.


def is_stopped(pid: int) -> bool:
    """Return whether *pid* lives and executes nothing until it is continued."""
    living = {_state(pid, tid) for tid in of(pid)} - {"Z", "X"}
    return bool(living) and living <= {"T", "t"}


def is_main_stopped(pid: int) -> bool:
    """Return whether the main thread of *pid*, which was sent SIGSTOP, executes nothing of its program.

    In an uninterruptible sleep (D) it is in the kernel, and stops on its way out of it.
    """
    return _state(pid, pid) in {"T", "t", "D", "Z", "X"}


def is_traced(pid: int) -> bool:
    """Return whether somebody debugs *pid*."""
    return _fields(pid).get("TracerPid", "0") != "0"


def _state(pid: int, tid: int) -> str:
    try:
        return stat_of(f"{pid}/task/{tid}")[STATE]
    except OSError:  # it has ended just now
        return "X"


# Signals.


@attrs.frozen
class SignalState:
    """What a thread does about one signal.

    Attributes:
        is_pending: It has been sent to this thread, which has not taken it.
        is_blocked: It does not take it now.
    """

    is_pending: bool
    is_blocked: bool


def signal_state(pid: int, tid: int, signum: int) -> SignalState:
    """Return what a thread does about a signal; one that has ended does nothing."""
    fields = _fields(f"{pid}/task/{tid}")
    return SignalState(_has(fields, "SigPnd", signum), _has(fields, "SigBlk", signum))


def catches(pid: int, signum: int) -> bool:
    """Return whether the process has a handler for a signal."""
    return _has(_fields(pid), "SigCgt", signum)


def _fields(process: int | str) -> dict[str, str]:
    try:
        return status_of(process)
    except OSError:
        return {}


def _has(fields: dict[str, str], mask: str, signum: int) -> bool:
    return bool(int(fields.get(mask, "0"), 16) & 1 << (signum - 1))


def abort_main(pidfd: int, pid: int) -> None:
    """Send SIGABRT to the main thread of *pid*, of which *pidfd* is open.

    To the whole process it might be taken by another thread, while the main one runs on into its next message.

    Raises:
        ProcessLookupError: It has ended.
        PermissionError: The process has changed its user.
    """
    linux.signal_thread(pidfd, pid, pid, signal.SIGABRT)
