"""The systems of one user: where they live, which of them run, and the end of what killed ones left behind.

``<base>/<system>.<incarnation>`` belongs to one run of one system.
Its ``lock`` is held by the root supervisor for life: a directory whose lock can be taken is stale, and nothing else makes it so,
neither age nor a process number.
Directories are made, looked at and swept under a ``flock`` on the base, so nobody meets one that is half made by a living
process; one without a lock is what a killed creator left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from actors.errors import RuntimeDirectoryError
from actors.options import refused
from actors.runtime import directory as directories
from actors.runtime import manifest, private
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.removal import remove
from transports.errors import TransportError

BASE_LOCK_SECONDS = 10.0  # it is needed for milliseconds; a longer holder is stopped

SYSTEM = re.compile(r"[a-z0-9_-]{1,32}")
_NAME = re.compile(r"([a-z0-9_-]{1,32})\.([0-9]{1,20})")


@attrs.frozen
class Leftover:
    """Something a sweep found and did not remove.

    Attributes:
        name: Of the directory, or a line of its manifest.
        why: What keeps us from removing it.
    """

    name: str
    why: str


@attrs.frozen
class Swept:
    """What a sweep did.

    Attributes:
        removed: Names of the stale directories.
        left: What somebody should look at.
    """

    removed: tuple[str, ...] = ()
    left: tuple[Leftover, ...] = ()


def default_base() -> Path:
    """Return where the systems of this user live unless somebody says otherwise."""
    return Path(f"/dev/shm/actors-{os.geteuid()}")  # noqa: S108 - checked on opening, never trusted


def create(base: Path | None, system: str) -> RuntimeDirectory:
    """Sweep what killed systems left, then make and lock a directory for *system*.

    Several systems may have the same name.
    A name that is to be unique is made so afterwards: the system is the one if ``find_live`` lists its directory first.

    Args:
        base: Where; None takes ``default_base``. It is made if it is missing, its parent is not.
        system: Name of the system: 1 to 32 of a-z, 0-9, ``_`` and ``-``.

    Raises:
        OptionError: *system* is not such a name.
        RuntimeDirectoryError: *base* is not ours alone, cannot be made, or is locked by a process that does not go on.
        NoSpaceError: The file system is full.
    """
    _check_system(system)
    path = _base(base)
    with _locked_base(path, make=True) as base_fd:
        _sweep(base_fd)
        matches = [_NAME.fullmatch(name) for name in _names(base_fd)]
        taken = [int(match[2]) for match in matches if match]
        # Microseconds are finer than two creations under one lock can follow each other, so no name ever returns.
        incarnation = max(time.time_ns() // 1000, *(number + 1 for number in taken), 1)
        return directories.make(path / f"{system}.{incarnation}", base_fd)


def find_live(base: Path | None, system: str | None = None) -> list[Path]:
    """Return the directories of the running systems called *system*, oldest first; None takes them all.

    Raises:
        OptionError: *system* cannot be the name of a system.
        RuntimeDirectoryError: *base* is not ours alone, or is locked by a process that does not go on.
    """
    if system is not None:
        _check_system(system)
    path = _base(base)
    if not os.path.lexists(path):
        return []
    found: list[tuple[int, Path]] = []
    with _locked_base(path) as base_fd:
        for name in _names(base_fd):
            match = _NAME.fullmatch(name)
            # What cannot be looked at is no system; a sweep reports it.
            with contextlib.suppress(OSError, RuntimeDirectoryError):
                if match and system in {None, match[1]} and _is_live(base_fd, name):
                    found.append((int(match[2]), path / name))
    return [directory for _, directory in sorted(found)]


def sweep(base: Path | None = None) -> Swept:
    """Remove the directories of systems that run no more, and what their mailboxes keep elsewhere.

    Args:
        base: Where; None takes ``default_base``.

    Raises:
        RuntimeDirectoryError: *base* is not ours alone, or is locked by a process that does not go on.
    """
    path = _base(base)
    if not os.path.lexists(path):
        return Swept()
    with _locked_base(path) as base_fd:
        return _sweep(base_fd)


def _check_system(system: str) -> None:
    if not SYSTEM.fullmatch(system):
        accepted = "1 to 32 characters out of a-z, 0-9, '_' and '-'"
        raise refused("system", system, accepted)


# The base.


def _base(base: Path | None) -> Path:
    # Not resolve(): that would follow the very link that opening refuses.
    return Path(os.path.abspath(base or default_base()))  # noqa: PTH100 - see above


def _names(fd: int) -> list[str]:
    return sorted(os.listdir(fd))


@contextlib.contextmanager
def _locked_base(path: Path, *, make: bool = False) -> Iterator[int]:
    """Yield the descriptor of the base *path*, checked and locked."""
    if make:
        with (
            private.translated(path, "cannot be made"),
            contextlib.suppress(FileExistsError),
        ):
            path.mkdir(0o700)
    fd = private.open_directory(path)
    try:
        with private.translated(path, "cannot be locked"):
            _lock(fd, path)
        try:
            yield fd
        finally:
            # Closing alone would not do: a process forked meanwhile by another thread shares the lock.
            fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    deadline = time.monotonic() + BASE_LOCK_SECONDS
    while not _try_lock(fd):
        if time.monotonic() >= deadline:
            msg = f"{path} has been locked for {BASE_LOCK_SECONDS:g} s; is a process that starts a system stopped?"
            raise RuntimeDirectoryError(msg)
        time.sleep(0.002)  # noqa: TID251 - flock has no timeout, and nothing tells when it is given back


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Sweeping: the base is locked.


def _is_live(base_fd: int, name: str) -> bool:
    """Return whether somebody holds the lock of the directory *name*."""
    dir_fd = private.open_directory(Path(name), base_fd)
    try:
        fd = private.open_file(directories.LOCK, dir_fd)
    except FileNotFoundError:
        return False
    finally:
        os.close(dir_fd)
    try:
        # Taken and given back at once; nobody else tries meanwhile, since the base is locked.
        return not _try_lock(fd)
    finally:
        os.close(fd)


def _sweep(base_fd: int) -> Swept:
    removed: list[str] = []
    left: list[Leftover] = []
    for name in _names(base_fd):
        if not _NAME.fullmatch(name):
            left.append(Leftover(name, "not a name of ours"))
            continue
        try:
            if _is_live(base_fd, name):
                continue
            left += _sweep_stale(base_fd, name)
            removed.append(name)
        except (OSError, RuntimeDirectoryError, TransportError) as exc:
            # A system that ends in order removes itself without the lock of the base.
            if name in _names(base_fd):
                left.append(Leftover(name, str(exc)))
    return Swept(tuple(removed), tuple(left))


def _sweep_stale(base_fd: int, name: str) -> list[Leftover]:
    """Remove a stale directory and what belongs to it; return the lines of its manifest that are not ours.

    Raises:
        RuntimeDirectoryError: It has to stay.
        TransportError: The same.
        OSError: The same.
    """
    fd = private.open_directory(Path(name), base_fd)
    try:
        version = manifest.version(fd)
        if version not in {manifest.VERSION, ""}:
            msg = f"of another version: {version!r}"
            raise RuntimeDirectoryError(msg)
        foreign = manifest.unlink_elsewhere(fd)
    finally:
        os.close(fd)
    remove(base_fd, name)
    return [
        Leftover(line, f"not a mailbox of ours, in the manifest of {name}")
        for line in foreign
    ]
