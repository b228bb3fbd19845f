"""What can go wrong with a transport, and whose fault it is.

Foreign ``OSError``s become ours through the one table below.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import attrs


class TransportError(Exception):
    """Anything a transport raises."""


class EndpointError(TransportError, ValueError):
    """The caller named something that cannot be used as a mailbox."""


class MailboxNotFoundError(TransportError):
    """There is no such mailbox, or not any more."""


class MailboxExistsError(TransportError):
    """The name is taken."""


class ClosedError(TransportError):
    """We closed this end ourselves."""


class CorruptError(TransportError):
    """The shared bytes of a mailbox make no sense; it must be replaced."""


class FrameTooLargeError(TransportError):
    """A frame is larger than the transport takes.

    Attributes:
        size: Of the frame, in bytes.
        limit: The largest that is taken.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return f"a frame of {self.size} bytes: the limit is {self.limit}"


class NoSpaceError(TransportError):
    """The file system has no room for something that must be allocated in full.

    Attributes:
        what: The thing that found no room.
        needed_bytes: How much it needs.
        where: The directory, if known.
        free_bytes: What was free there at that moment, if known.
    """

    def __init__(
        self,
        what: str,
        needed_bytes: int,
        where: str | None = None,
        free_bytes: int | None = None,
    ) -> None:
        super().__init__(what, needed_bytes, where, free_bytes)
        self.what = what
        self.needed_bytes = needed_bytes
        self.where = where
        self.free_bytes = free_bytes

    def __str__(self) -> str:
        place = f" in {self.where}" if self.where else ""
        free = "" if self.free_bytes is None else f", {self.free_bytes} are free"
        return (
            f"no room{place} for {self.what}: {self.needed_bytes} bytes are needed"
            f"{free} (in a container, raise --shm-size)"
        )

    @classmethod
    def from_os_error(
        cls, exc: OSError, what: str, needed_bytes: int, dir_fd: int | None = None
    ) -> NoSpaceError:
        """Describe *exc*, which came from making *what* in the directory *dir_fd*."""
        reason = "" if exc.errno in NO_SPACE else f" ({os.strerror(exc.errno or 0)})"
        where = free = None
        if dir_fd is not None:
            with contextlib.suppress(OSError):  # the text is better with it, no more
                where = str(Path(f"/proc/self/fd/{dir_fd}").readlink())
                stat = os.fstatvfs(dir_fd)
                free = stat.f_bavail * stat.f_frsize
        return cls(what + reason, needed_bytes, where, free)


class LimitError(TransportError):
    """A limit of the machine leaves no room for a kernel object.

    Attributes:
        what: The thing that found no room.
        limit: The limit's name, as the system's settings spell it.
        value: What it is set to.
        unit: What it counts.
        remedy: The settings that raise it.
    """

    def __init__(
        self, what: str, limit: str, value: int, unit: str, remedy: str
    ) -> None:
        super().__init__(what, limit, value, unit, remedy)
        self.what = what
        self.limit = limit
        self.value = value
        self.unit = unit
        self.remedy = remedy

    def __str__(self) -> str:
        return (
            f"no room for {self.what}: {self.limit} is {self.value} {self.unit}"
            f" (raise it with {self.remedy})"
        )


def limit_behind(exc: OSError, what: str) -> LimitError | None:
    """Return the limit that *exc*, which came from making *what*, is about, if it is."""
    if exc.errno == errno.EMFILE:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return LimitError(what, "RLIMIT_NOFILE", files, "open files", "ulimit -n")
    if exc.errno == errno.ENFILE:
        files = int(Path("/proc/sys/fs/file-max").read_text())
        return LimitError(
            what, "fs.file-max", files, "open files", "sysctl fs.file-max="
        )
    if exc.errno == errno.EAGAIN:  # what the kernel says when it refuses a process
        processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        remedy = (
            "ulimit -u; in a container --pids-limit, in a unit of systemd TasksMax="
        )
        return LimitError(what, "RLIMIT_NPROC", processes, "processes", remedy)
    return None


NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})

FROM_ERRNO: dict[int, type[TransportError]] = {
    errno.ENOENT: MailboxNotFoundError,
    errno.ECONNREFUSED: MailboxNotFoundError,  # a socket file nobody holds any more
    errno.EEXIST: MailboxExistsError,
    errno.EADDRINUSE: MailboxExistsError,
    errno.ELOOP: EndpointError,  # a symbolic link, refused by O_NOFOLLOW
    errno.ENXIO: EndpointError,  # a socket file where a regular one belongs
    errno.ENOTDIR: EndpointError,
    errno.EISDIR: EndpointError,
    errno.ENAMETOOLONG: EndpointError,
    errno.EPROTOTYPE: EndpointError,  # a socket of another type
    errno.EBADF: EndpointError,
    errno.ENOTSOCK: EndpointError,
}


@attrs.frozen
class _Instead:
    """Raises what *translate* makes of the ``OSError`` of a block, if it makes something of it.

    A class, which lets go of the name it has for it: the frame of a generator would hold the error whose traceback holds the frame, and so keep
    all that the callers have in hand.
    """

    translate: Callable[[OSError], Exception | None]

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            ours = self.translate(error)
            if ours is not None:
                try:
                    raise ours from error
                finally:
                    del ours


def translated(what: str) -> _Instead:
    """Turn an ``OSError`` of the block, which deals with *what*, into one of ours."""

    def translate(error: OSError) -> Exception:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            limit = limit_behind(error, f"an open file ({what})")
            if limit is not None:
                return limit
        ours = FROM_ERRNO.get(error.errno or 0, TransportError)
        return ours(f"{what}: {error.strerror or error}")

    return _Instead(translate)


def space_for(what: str, needed_bytes: int, dir_fd: int) -> _Instead:
    """Turn a full file system in the block into a ``NoSpaceError`` with the figures."""

    def translate(error: OSError) -> Exception | None:
        if error.errno not in NO_SPACE:
            return None
        return NoSpaceError.from_os_error(error, what, needed_bytes, dir_fd)

    return _Instead(translate)
