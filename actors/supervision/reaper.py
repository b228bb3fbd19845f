"""Seeing deaths: exactly once, without counting signals, and without ever signalling a stranger.

Order at a death: look at the zombie, kill what else is in its session while the zombie still pins the number, reap, then look for
processes the dead one left to us.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection, Iterable

import attrs

from actors.supervision import fork, linux

# Of a process.
TRACED_SECONDS = 0.01  # until it is asked again whether a dead one may be reaped
NOT_OURS = "has changed its user, and may not be signalled"


@attrs.frozen
class Death:
    """What the kernel says of a process that ended."""

    pid: int
    status: int
    max_rss_bytes: int
    cpu_seconds: float


def reap(pid: int, pidfd: int, *, keeps_session: bool = False) -> Death | None:
    """Reap our child *pid* if it has ended, and kill its session first unless that is to stay; None while it lives."""
    if os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        return None
    if not keeps_session:
        kill_session(pid)
    _, status, usage = os.wait4(pid, 0)
    return Death(pid, status, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)


def was_killed(pidfd: int) -> bool:
    """Return whether an unreaped child of ours has died of SIGKILL; of that of another supervisor, whether it has died."""
    try:
        seen = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return linux.has_ended(pidfd)
    return (
        seen is not None
        and seen.si_status == signal.SIGKILL
        and seen.si_code != os.CLD_EXITED
    )


def kill_session(pid: int) -> None:
    """SIGKILL the process group of our unreaped child *pid*, whose session has the same number."""
    # Not leader of a session yet.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def may_signal(pidfd: int, signum: int) -> bool:
    """Send *signum*, to which nobody listens any more once the process is reaped; False when we may not, because it has changed its user."""
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except PermissionError:
        return False
    except ProcessLookupError:
        pass
    return True


def strays_of(
    pid: int, marker: str, known: Iterable[int]
) -> tuple[list[int], list[int]]:
    """Return our adopted children that *pid* left behind, in its session or started with its *marker*.

    And those of which that cannot be told yet.
    """
    found, unclear = [], []
    for stranger in linux.children().difference(known):
        if linux.session_of(stranger) == pid:
            found.append(stranger)
            continue
        is_marked = linux.environment_has(stranger, f"{fork.MARKER}={marker}")
        if is_marked:
            found.append(stranger)
        elif is_marked is None:
            unclear.append(stranger)
    return found, unclear


def orphans(
    living: Collection[int],
    markers: Iterable[str],
    known: Iterable[int],
    system: str,
    unborn: Collection[str],
) -> tuple[list[int], list[int]]:
    """Return our adopted children that are what a dead supervisor has left, of which nothing shows whose they were.

    Hence all of them, but for those of *living* children of ours, in their sessions or started with one of their *markers*, and those that
    actors of *system* have started to be kept.
    One that cannot be told yet is asked about again; it is among the second: so is one with a name of the *unborn*, which may have been
    made for us by a mould whose answer we have not read.
    """
    marks = {f"{fork.MARKER}={marker}".encode() for marker in markers}
    marks.add(_kept(system).encode())
    found, unclear = [], []
    for stranger in linux.children().difference(known):
        if linux.session_of(stranger) in living:
            continue
        if linux.name_of(stranger) in unborn:
            unclear.append(stranger)
            continue
        environment = linux.environment_of(stranger)
        if environment is None:
            unclear.append(stranger)
        elif marks.isdisjoint(environment):
            found.append(stranger)
    return found, unclear


def _kept(system: str) -> str:
    return f"{fork.KEPT}={system}"


def reap_ended(adopted: Iterable[int]) -> set[int]:
    """Reap those *adopted* children that have ended by themselves, and return the others."""
    return {pid for pid in adopted if not is_reaped(pid)}


def is_reaped(pid: int) -> bool:
    """Reap our child *pid*, if it has ended, and return whether it had: one that is traced may be dead and not reapable."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def kill_adopted(known: Iterable[int], system: str) -> set[int]:
    """Kill and reap every process left to us that is not to be kept in *system*; used at the very end, when blocking does no harm.

    Returns:
        Those that we may not kill, because they have changed their user.
    """
    spared: set[int] = set()
    kept: set[int] = set()
    while strangers := linux.children().difference(known, spared, kept):
        for pid in strangers:
            is_kept = linux.environment_has(pid, _kept(system))
            if is_kept is None:  # in the middle of an exec
                continue
            if is_kept:
                kept.add(pid)
                continue
            try:
                # Our unreaped child, so the number is its own.
                os.kill(pid, signal.SIGKILL)
            except PermissionError:
                spared.add(pid)
                continue
            except ProcessLookupError:
                pass
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    return spared
