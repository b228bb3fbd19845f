"""The system calls Python lacks, and what ``/proc`` tells about our own processes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
from collections.abc import Iterator
from pathlib import Path

RESERVED_FILES = 16
MAX_OOM_SCORE_ADJ = 1000

# Fields of /proc/<pid>/stat, counted from the one behind the name.
STATE, _SESSION = 0, 3
_ENVIRONMENT = slice(47, 49)  # where it starts and ends
_READ_BYTES = 64 * 1024
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

# The number of the system call tgkill, which not every C library offers; most machines share one table.
_TGKILL = {"x86_64": 234, "i686": 270, "armv7l": 268, "ppc64le": 250, "s390x": 241}.get(
    os.uname().machine, 131
)
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: object) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def die_with_parent() -> None:
    """Get SIGKILL when the thread that forked this process ends; lost by a fork, and by a change of user."""
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent has died."""
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def set_process_name(name: str) -> None:
    """Set what ``ps`` and ``pstree`` show; the kernel keeps 15 bytes."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode("utf-8", "replace")[:15]))


def signal_thread(pidfd: int, pid: int, tid: int, signum: int) -> None:
    """Send a signal to thread *tid* of *pid*, a descendant of ours, of which *pidfd* is open.

    The parent of one that is no child of ours may have reaped it already: so whether it lives is seen right before.
    Between that and the signal its number cannot come round again: numbers are given out in a circle.

    Raises:
        ProcessLookupError: It has ended.
        PermissionError: The process has changed its user.
    """
    if has_ended(pidfd):
        raise ProcessLookupError(pid)
    if _libc.syscall(_TGKILL, pid, tid, int(signum)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def has_ended(pidfd: int) -> bool:
    """Return whether the process of *pidfd* has died, reaped or not."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def raise_oom_score(amount: int) -> None:
    """Let the kernel rather kill this process when memory runs out.

    Raises:
        OSError: The system does not allow it.
    """
    fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    try:
        score = min(MAX_OOM_SCORE_ADJ, int(os.read(fd, 16)) + amount)
        os.pwrite(fd, b"%d" % score, 0)
    finally:
        os.close(fd)


@contextlib.contextmanager
def file_reserve() -> Iterator[None]:
    """Allow ``RESERVED_FILES`` more descriptors: without them, deaths could not be seen to once the limit is reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def raise_file_limit() -> None:
    """Allow all the descriptors the hard limit has, but for a reserve."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What the limit is then is what we can have.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard - RESERVED_FILES, hard))


def children() -> set[int]:
    """Return the pids of this process's children, adopted ones and zombies included."""
    return set(map(int, read(f"/proc/self/task/{os.getpid()}/children").split()))


def read(path: str | Path) -> bytes:
    """Return what a file of the kernel holds, in a tenth of the time that a ``Path`` takes."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(fd, _READ_BYTES)]
        while parts[-1]:
            parts.append(os.read(fd, _READ_BYTES))
    finally:
        os.close(fd)
    return b"".join(parts)


def name_of(pid: int) -> str:
    """Return what the kernel calls *pid*, such as ``ffmpeg``; ``?`` when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return "?"


def session_of(pid: int) -> int | None:
    """Return the session of *pid*, which must be unreaped; None when it is gone all the same."""
    try:
        return int(stat_of(pid)[_SESSION])
    except (FileNotFoundError, ProcessLookupError):
        return None


def environment_has(pid: int, marker: str) -> bool | None:
    """Return whether *pid* was started with the environment variable *marker* (``NAME=value``); None while that cannot be told."""
    found = environment_of(pid)
    return None if found is None else marker.encode() in found


def environment_of(pid: int) -> frozenset[bytes] | None:
    """Return what *pid* was started with, as ``NAME=value``; nothing of a process that has ended.

    None while that cannot be told: in the middle of an exec, which may have to wait for a disk, a process has the memory of the
    new program already and its environment not yet.
    """
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes()
        if not text:
            return None if _is_in_exec(pid) else frozenset()
    except OSError:
        return frozenset()
    return frozenset(text.split(b"\0"))


def _is_in_exec(pid: int) -> bool:
    """Return whether *pid*, which had no environment a moment ago, was in the middle of an exec then."""
    fields = stat_of(pid)
    start, end = fields[_ENVIRONMENT]
    return fields[STATE] not in "ZX" and (end == "0" or start != end)


def status_of(process: int | str) -> dict[str, str]:
    """Return the fields of ``/proc/<process>/status``; *process* may be ``<pid>/task/<tid>``."""
    text = Path(f"/proc/{process}/status").read_text(errors="replace")
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def stat_of(process: int | str) -> list[str]:
    """Return the fields of ``/proc/<process>/stat`` behind the name; *process* may be ``<pid>/task/<tid>``."""
    text = Path(f"/proc/{process}/stat").read_text(errors="replace")
    # The name in parentheses may hold anything; these are the fields behind the last one.
    return text.rpartition(")")[2].split()
