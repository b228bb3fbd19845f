"""The directory that holds everything of one system, and the end of what killed systems left behind.

``<base>/<system>.<incarnation>`` belongs to one run of one system.
Its ``lock`` is held by the root supervisor for life: a directory whose lock can be taken is stale, and nothing else makes it so,
neither age nor a process number.
Directories are made, looked at and swept under a ``flock`` on the base, so nobody meets one that is half made by a living
process; one without a lock is what a killed creator left.

What the files in it mean is the business of those who create them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from actors.errors import OptionError, RuntimeDirectoryError
from transports import files, registry
from transports.errors import (
    NO_SPACE,
    EndpointError,
    NoSpaceError,
    TransportError,
    space_for,
)

LOCK = "lock"
MANIFEST = "manifest"
CODE = "code"
BLOB = "blob"
VERSION = "actors 1"  # first line of a manifest; another one is another layout, which is not ours to touch
BASE_LOCK_SECONDS = 10.0  # it is needed for milliseconds; a longer holder is stopped

_SYSTEM = re.compile(r"[a-z0-9_-]{1,32}")
_NAME = re.compile(r"([a-z0-9_-]{1,32})\.([0-9]{1,20})")
_ELSEWHERE = re.compile(r"([a-z][a-z0-9]{0,7}) ([0-9]{1,20}\.mail)")
_REMOVE_ATTEMPTS = 10  # against processes of a dying system that still make files

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | files.BASE_FLAGS
_CREATE_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | files.BASE_FLAGS


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


@attrs.define(eq=False)
class RuntimeDirectory:
    """The directory of one system, open.

    Attributes:
        path: For people and for other processes; work goes through the descriptors.
        fd: The directory.
        code_fd: Its ``code``.
        blob_fd: Its ``blob``.
        lock_fd: The held lock, -1 in a process that does not hold it.
            It stays held until every process that inherited the descriptor has closed it.
        swept: What was found when the directory was created.
    """

    path: Path
    fd: int
    code_fd: int
    blob_fd: int
    lock_fd: int = -1
    swept: Swept = Swept()

    @staticmethod
    def open(path: Path, *, lock_fd: int = -1) -> RuntimeDirectory:
        """Open the directory of a system that another process created.

        Args:
            path: As in the creator's ``path``.
            lock_fd: The creator's lock, if this process has inherited it and shall hold it; it is passed on no further.

        Raises:
            RuntimeDirectoryError: It is not there, not ours alone, or of another version.
        """
        directory = _opened(path, _open_checked(path))
        if lock_fd != -1:
            os.set_inheritable(lock_fd, False)  # noqa: FBT003 - positional only
            directory.lock_fd = lock_fd
        return directory

    def descriptors(self) -> Iterator[int]:
        """Yield the descriptors that every process of the system has."""
        yield from (self.fd, self.code_fd, self.blob_fd)

    @property
    def name(self) -> str:
        """``<system>.<incarnation>``, unique among the systems of this user."""
        return self.path.name

    def create_file(self, name: str, size: int) -> int:
        """Create a file of *size* zero bytes and return its descriptor.

        The bytes are allocated: in a sparse file on a full file system, a store into the mapping would end the process.

        Raises:
            NoSpaceError: There is no room; nothing is left behind.
            FileExistsError: The name is taken.
        """
        fd = _new_file(name, self.fd)
        try:
            if size:
                with space_for(name, size, self.fd):
                    os.posix_fallocate(fd, 0, size)
        except BaseException:
            os.close(fd)
            os.unlink(name, dir_fd=self.fd)
            raise
        return fd

    def announce(self, scheme: str, name: str) -> None:
        """Write into the manifest that the mailbox *name* of the transport *scheme* is about to be created.

        For transports that keep things outside the directory, so that a sweep has them removed.

        Raises:
            ValueError: A sweep would not recognise them.
            NoSpaceError: The file system is full.
        """
        line = f"{scheme} {name}"
        if not _ELSEWHERE.fullmatch(line):
            msg = f"not a mailbox that a sweep would recognise: {line!r}"
            raise ValueError(msg)
        with _translated(line, "cannot be announced"):
            fd = _open_file(MANIFEST, self.fd, os.O_APPEND)
            try:
                # One write, so that two processes never mix their lines.
                os.write(fd, f"{line}\n".encode())
            finally:
                os.close(fd)

    def release_lock(self) -> None:
        """Close our descriptor of the lock; whoever inherited it goes on holding it."""
        if self.lock_fd != -1:
            os.close(self.lock_fd)
            self.lock_fd = -1

    def close(self) -> None:
        """Close every descriptor; the directory stays."""
        self.release_lock()
        for name in ("fd", "code_fd", "blob_fd"):
            if (fd := getattr(self, name)) != -1:
                os.close(fd)
                setattr(self, name, -1)

    def remove(self) -> None:
        """Remove the directory with all that is in it or belongs to it; it may be gone already.

        Raises:
            RuntimeDirectoryError: Some process keeps creating files in it.
        """
        _unlink_elsewhere(self.fd)
        # Not by the path: somebody may have moved the base meanwhile.
        base_fd = os.open("..", _OPEN_DIRECTORY, dir_fd=self.fd)
        try:
            _remove(base_fd, self.name)
        finally:
            os.close(base_fd)


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
        swept = _sweep(base_fd)
        matches = [_NAME.fullmatch(name) for name in _names(base_fd)]
        taken = [int(match[2]) for match in matches if match]
        # Microseconds are finer than two creations under one lock can follow each other, so no name ever returns.
        incarnation = max(time.time_ns() // 1000, *(number + 1 for number in taken), 1)
        directory = _make(path / f"{system}.{incarnation}", base_fd)
    directory.swept = swept
    return directory


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
    if not _SYSTEM.fullmatch(system):
        msg = f"system={system!r}: 1 to 32 characters out of a-z, 0-9, '_' and '-'"
        raise OptionError(msg)


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
            _translated(path, "cannot be made"),
            contextlib.suppress(FileExistsError),
        ):
            path.mkdir(0o700)
    fd = _open_checked(path)
    try:
        with _translated(path, "cannot be locked"):
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


@contextlib.contextmanager
def _translated(what: object, refusal: str) -> Iterator[None]:
    """Turn a refusal of the system, about *what*, into one of ours."""
    try:
        yield
    except OSError as exc:
        if exc.errno in NO_SPACE:
            page = os.sysconf("SC_PAGE_SIZE")
            raise NoSpaceError.from_os_error(exc, str(what), page) from exc
        msg = f"{what} {refusal}: {exc.strerror}"
        raise RuntimeDirectoryError(msg) from exc


def _open_checked(path: Path, dir_fd: int | None = None) -> int:
    """Open a directory and make sure that nobody but us can enter it.

    Args:
        path: Its path; with *dir_fd*, only the last part counts for opening it.
        dir_fd: The directory that it is in.
    """
    name = path if dir_fd is None else path.name
    try:
        fd = os.open(name, _OPEN_DIRECTORY, dir_fd=dir_fd)
    except OSError as exc:
        found = "a symbolic link" if _is_link(name, dir_fd) else f"{exc.strerror}"
        raise RuntimeDirectoryError(_unfit(path, found)) from exc
    info = os.fstat(fd)
    mode = stat.S_IMODE(info.st_mode)
    if info.st_uid != os.geteuid() or mode & 0o077 or mode & 0o700 != 0o700:
        os.close(fd)
        found = f"a directory of user {info.st_uid} with mode {mode:04o}"
        raise RuntimeDirectoryError(_unfit(path, found))
    return fd


def _is_link(name: Path | str, dir_fd: int | None) -> bool:
    # open() calls a link "not a directory", which would send people looking for the wrong thing.
    with contextlib.suppress(OSError):
        return stat.S_ISLNK(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    return False


def _unfit(path: Path, found: str) -> str:
    return f"{path}: found: {found}; required: a real directory of user {os.geteuid()} with mode 0700"


# One directory.


def _opened(path: Path, fd: int) -> RuntimeDirectory:
    """Return the system at *path*, which owns *fd*; it is closed if anything goes wrong."""
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, fd)
        if (version := _manifest(fd)[0]) != VERSION:
            msg = f"{path}: found the version {version!r}; required: {VERSION!r}"
            raise RuntimeDirectoryError(msg)
        code_fd = _open_checked(path / CODE, fd)
        undo.callback(os.close, code_fd)
        blob_fd = _open_checked(path / BLOB, fd)
        undo.pop_all()
    return RuntimeDirectory(path, fd, code_fd, blob_fd)


def _make(path: Path, base_fd: int) -> RuntimeDirectory:
    with contextlib.ExitStack() as undo, _translated(path, "cannot be made"):
        os.mkdir(path.name, 0o700, dir_fd=base_fd)
        undo.callback(_remove, base_fd, path.name)
        fd = _open_checked(path, base_fd)
        try:
            lock_fd = _new_file(LOCK, fd)
            undo.callback(os.close, lock_fd)
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.mkdir(CODE, 0o700, dir_fd=fd)
            os.mkdir(BLOB, 0o700, dir_fd=fd)
            # The manifest comes last: a directory with one is complete.
            manifest_fd = _new_file(MANIFEST, fd)
            try:
                os.write(manifest_fd, f"{VERSION}\n".encode())
            finally:
                os.close(manifest_fd)
        except BaseException:
            os.close(fd)
            raise
        directory = _opened(path, fd)
        directory.lock_fd = lock_fd
        undo.pop_all()
    return directory


def _new_file(name: str, dir_fd: int) -> int:
    fd = os.open(name, _CREATE_FILE, 0o600, dir_fd=dir_fd)
    try:
        return _checked(fd, name)
    except RuntimeDirectoryError as exc:
        os.unlink(name, dir_fd=dir_fd)
        exc.add_note("It was made with mode 0600; the umask may have taken from that.")
        raise


def _open_file(name: str, dir_fd: int, flags: int = 0) -> int:
    # O_RDWR even for reading: a FIFO under the name of a file would make O_RDONLY wait for a writer.
    fd = os.open(name, os.O_RDWR | files.BASE_FLAGS | flags, dir_fd=dir_fd)
    return _checked(fd, name)


def _checked(fd: int, name: str) -> int:
    """Return *fd* if it is a private file of ours, else close it."""
    try:
        files.verify(fd, "a regular file", name)
    except EndpointError as exc:
        os.close(fd)
        raise RuntimeDirectoryError(str(exc)) from exc
    return fd


def _manifest(fd: int) -> tuple[str, list[str]]:
    """Return the version and the announced mailboxes; no version in a half made directory."""
    try:
        manifest_fd = _open_file(MANIFEST, fd)
    except FileNotFoundError:
        return "", []
    with os.fdopen(manifest_fd, "rb") as file:
        data = file.read()
    # A line without an end was never finished, hence its mailbox never created.
    version, *lines = data.decode("utf-8", "backslashreplace").split("\n")[:-1] or [""]
    return version, lines


# Sweeping: the base is locked.


def _is_live(base_fd: int, name: str) -> bool:
    """Return whether somebody holds the lock of the directory *name*."""
    dir_fd = _open_checked(Path(name), base_fd)
    try:
        fd = _open_file(LOCK, dir_fd)
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
    fd = _open_checked(Path(name), base_fd)
    try:
        version, _ = _manifest(fd)
        if version not in {VERSION, ""}:
            msg = f"of another version: {version!r}"
            raise RuntimeDirectoryError(msg)
        foreign = _unlink_elsewhere(fd)
    finally:
        os.close(fd)
    _remove(base_fd, name)
    return [
        Leftover(line, f"not a mailbox of ours, in the manifest of {name}")
        for line in foreign
    ]


def _unlink_elsewhere(fd: int) -> list[str]:
    """Have the announced mailboxes of the directory *fd* removed by their transports; return lines that name none."""
    foreign = []
    for line in _manifest(fd)[1]:
        if match := _ELSEWHERE.fullmatch(line):
            registry.get(match[1]).unlink(fd, match[2])
        else:
            foreign.append(line)
    return foreign


def _remove(parent_fd: int, name: str) -> None:
    """Remove the directory *name* with all that is in it, following no link; whatever is gone already is fine."""
    try:
        fd = os.open(name, _OPEN_DIRECTORY, dir_fd=parent_fd)
    except FileNotFoundError:
        return
    try:
        for _ in range(_REMOVE_ATTEMPTS):
            _empty(fd)
            try:
                os.rmdir(name, dir_fd=parent_fd)
            except FileNotFoundError:
                return
            except OSError as exc:
                if exc.errno != errno.ENOTEMPTY:
                    raise
            else:
                return
    finally:
        os.close(fd)
    msg = f"{name} cannot be removed: a process keeps creating files in it"
    raise RuntimeDirectoryError(msg)


def _empty(fd: int) -> None:
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if is_directory:
            _remove(fd, name)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=fd)
