"""The one place that forks.

The supervisor has one thread, has never run user code, and calls this with no frame of its loop on the stack.
In the child the epoll descriptor goes first: unregistering through it later would silence the parent, because epoll sets are shared.
Then every descriptor that is not the child's own goes, and only then may user code be loaded.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import resource
import signal
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

import attrs

from actors.supervision import _sibling, linux
from actors.supervision.birth import Birth

MARKER = "ACTORS_INCARNATION"  # in the environment of an actor and of what it starts
# Likewise, where what it starts is not ours to kill; the value names the system, the first part of a marker.
KEPT = "ACTORS_KEPT"


@attrs.frozen
class Fork:
    """A process to be forked."""

    keep: frozenset[int]  # descriptors that stay open, besides the standard ones
    epoll_fd: int
    release: Callable[[], None]  # unmaps what belongs to the parent alone
    body: Callable[[], NoReturn]


def system_of(marker: str) -> str:
    """Return what stands for the system in the markers of all its incarnations."""
    return marker.partition("/")[0]


def fork(action: Fork) -> int:
    """Return the pid of the new process, which runs ``action.body`` and never comes back.

    Raises:
        OSError: No process could be made.
    """
    parent = os.getpid()
    changes = _signal_changes()
    pid = os.fork()  # noqa: TID251 - this is the one module
    if pid:
        return pid
    try:
        # What is garbage in the parent must not be collected here: of memory that is not inherited (MADV_DONTFORK) only the
        # address is, and by then something else of ours may be mapped there.
        gc.freeze()
        os.close(action.epoll_fd)
        action.release()
        _close_all_but({0, 1, 2, *action.keep})
        _isolate(parent, changes)
        action.body()
    except BaseException:  # noqa: BLE001 - a mistake of ours, which nobody else will see
        traceback.print_exc()
    finally:
        os._exit(70)


@attrs.frozen
class Task:
    """A fork that is to be carried out by whoever may, and what is to be told about it."""

    action: Fork
    forked: Callable[[int], None]
    not_forked: Callable[[OSError], None]


def carry_out(tasks: Sequence[Task]) -> None:
    """Fork for *tasks*, and tell them afterwards.

    What is written to between two forks is copied for each.
    """
    made: list[int | OSError] = []
    for task in tasks:
        try:
            made.append(fork(task.action))
        except OSError as exc:
            made.append(exc)
    for task, pid in zip(tasks, made, strict=True):
        if isinstance(pid, OSError):
            task.not_forked(pid)
        else:
            task.forked(pid)


def sibling(parent: int, body: Callable[[], NoReturn]) -> tuple[int, int]:
    """Return pid and pidfd of a copy of this process, which ``fork`` has made, that is a child of *parent* too, and runs *body*.

    Raises:
        OSError: No process could be made, or the system cannot make one like that.
    """
    pid, pidfd = _sibling.sibling()
    if pid:
        return pid, pidfd
    try:
        _leave_session(parent)
        body()
    except BaseException:  # noqa: BLE001 - likewise
        traceback.print_exc()
    finally:
        os._exit(70)


def _close_all_but(keep: Iterable[int]) -> None:
    first = 3
    for fd in sorted(keep):
        if fd > first:
            os.closerange(first, fd)
        first = max(first, fd + 1)
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


@functools.cache
def _signal_changes() -> dict[int, signal.Handlers]:
    """Return what a child has to set, by signal; this program has settled its own handlers before it forks for the first time.

    Each call of ``signal.signal`` is paid in every child.
    """
    wanted = dict.fromkeys(
        signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}, signal.SIG_DFL
    )
    wanted |= {signal.SIGINT: signal.SIG_IGN, signal.SIGPIPE: signal.SIG_IGN}
    return {
        int(signum): handler
        for signum, handler in wanted.items()
        if signal.getsignal(signum) is not handler
    }


def _isolate(parent: int, changes: Mapping[int, signal.Handlers]) -> None:
    for signum, handler in changes.items():
        signal.signal(signum, handler)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _leave_session(parent)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0, inheritable=True)
    os.close(null)


def _leave_session(parent: int) -> None:
    os.setsid()
    linux.die_with_parent()
    if os.getppid() != parent:  # it died before the line above could see to it
        os._exit(70)


def label(birth: Birth) -> None:
    """Make this process, which has run no code of the user yet, known as that of *birth*."""
    linux.set_process_name(birth.name)
    os.environ[MARKER] = birth.marker
    if birth.keeps_others:
        os.environ[KEPT] = system_of(birth.marker)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    soft = hard if birth.core_dump else 0
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    # A container may forbid it; it only helps the kernel choose.
    with contextlib.suppress(OSError):
        linux.raise_oom_score(birth.oom_score_adj)
