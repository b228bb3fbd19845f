"""Payloads too large for a mailbox: each in a file of its own, mapped by the receiver.

A blob is a file in a directory that its processes share, and each of its names is one
claim to it, so that the kernel counts the claims:

- ``<to>@<owner>+<n>``: on its way from *owner* to the mailbox *to*;
- ``<owner>+<n>``: held by *owner*, who looks at it, will use its memory again, or
  holds it for another.

Whoever takes it renames the first kind to the second; the last view into it removes
that.  So nothing has to be told to anybody: what a dead process held is found by its
name (``sweep_holder``), as is what nobody will take any more (``sweep_mailbox``).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from transports._mapping import address_of
from transports.errors import NO_SPACE, EndpointError, NoSpaceError
from transports.files import BASE_FLAGS, PRIVATE, verify
from transports.kept import MAX_KEPT_BYTES, MIN_KEPT_BYTES, Kept, Stock
from transports.view import Directory, View

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

IOV_MAX = 1024  # buffers in one system call

_PART = r"[0-9a-z.]{1,24}"
_SENT = re.compile(rf"({_PART})@({_PART})\+[0-9]+")
_HELD = re.compile(rf"({_PART})\+[0-9]+")
_FILE = "a regular file"
_READ = os.O_RDONLY | os.O_NONBLOCK | BASE_FLAGS
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | BASE_FLAGS


class BlobStore:
    """The blobs of one system, seen from one process; may be used by several threads.

    Attributes:
        owner: The one that its processes know this one by.
    """

    def __init__(self, dir_fd: int, owner: str) -> None:
        """Use the directory *dir_fd*, which must stay open.

        Args:
            dir_fd: The directory.
            owner: Unique among its processes; up to 24 of 0-9, a-z and the dot.
        """
        self._dir_fd = dir_fd
        self._directory: Directory | None = None  # of what is in memory
        self.owner = owner
        self._serial = itertools.count(1)
        self._views: weakref.WeakSet[View] = weakref.WeakSet()
        self._kept = Stock(dir_fd)
        self._lock = threading.RLock()  # reentrant for finalizers that send

    def write(self, parts: Sequence[ReadableBuffer], to: str) -> bytes:
        """Store the concatenation of *parts* for *to*, and return the name to send.

        The file may be longer than that.

        Raises:
            NoSpaceError: The file system is full; nothing is left behind.
        """
        name = f"{to}@{self._next()}"
        size = sum(memoryview(part).nbytes for part in parts)
        if not MIN_KEPT_BYTES <= size <= MAX_KEPT_BYTES:
            os.close(self._make(name, parts, size))
            return name.encode()
        with self._lock:
            now = time.monotonic()
            self._kept.let_go_of_old(now)
            kept = self._kept.free(size)
            if kept is not None:
                kept.overwrite(parts, now)
                os.link(
                    kept.name, name, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd
                )
            else:
                self._make_and_keep(name, parts, size, now)
        return name.encode()

    def read(self, name: bytes) -> bytes:
        """Return a copy of the payload, or more, and remove it.

        Raises:
            FileNotFoundError: It was taken or dropped before.
            ValueError: *name* is not one that ``write`` returns.
        """
        text = _checked(name, _SENT)
        with os.fdopen(self._open(text), "rb") as file:
            data = file.read()
        os.unlink(text, dir_fd=self._dir_fd)
        return data

    def take(self, name: bytes, *, private: bool = False, keep: bool = False) -> View:
        """Map the payload, which is ours from now on.

        Args:
            name: As sent.
            private: What is written becomes a copy of our own, page by page.
            keep: It can be taken again, until it is dropped.

        Raises:
            FileNotFoundError: It was taken or dropped before.
            ValueError: *name* is not one that ``write`` returns.
        """
        held = self.hold(name, keep=keep).decode()
        try:
            return self._map(self._open(held), held, private=private)
        except BaseException:
            os.unlink(held, dir_fd=self._dir_fd)
            raise

    def hold(self, name: bytes, *, keep: bool = False) -> bytes:
        """Take the payload without looking into it; return the name of what is ours from now on.

        Args:
            name: As sent.
            keep: As in ``take``.

        Raises:
            FileNotFoundError: It was taken or dropped before.
            ValueError: *name* is not one that ``write`` returns.
        """
        text, held = _checked(name, _SENT), self._next()
        claim = os.link if keep else os.rename
        claim(text, held, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        return held.encode()

    def forward(self, name: bytes, to: str) -> bytes:
        """Send what is on its way to one mailbox to the mailbox *to* instead; return the name to send.

        Raises:
            FileNotFoundError: It was taken or dropped before.
            ValueError: *name* is not one that ``write`` returns.
        """
        text = _checked(name, _SENT)
        other = f"{to}@{text.partition('@')[2]}"
        os.rename(text, other, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        return other.encode()

    def borrow(self, name: bytes, *, private: bool = False) -> View:
        """Map what another process holds, and goes on holding for as long as this one lives.

        Args:
            name: As its ``hold`` has returned it.
            private: As in ``take``.

        Raises:
            FileNotFoundError: It holds it no more.
            ValueError: *name* is not one that ``hold`` returns.
        """
        text = _checked(name, _HELD)
        return self._map(self._open(text), text, private=private, is_ours=False)

    def share(self, parts: Sequence[ReadableBuffer]) -> View:
        """Store the concatenation of *parts* and map it: memory to be posted to many.

        Raises:
            NoSpaceError: The file system is full; nothing is left behind.
        """
        name = self._next()
        size = sum(memoryview(part).nbytes for part in parts)
        fd = self._make(name, parts, size)
        return self._map(fd, name, private=False)

    def view_of(self, buffer: ReadableBuffer) -> View | None:
        """Return the view, not a private one, that all of the contiguous *buffer* lies in, if there is one."""
        start = address_of(buffer)
        end = start + memoryview(buffer).nbytes
        for view in list(self._views):
            if view.start <= start and end <= view.start + len(view):
                return view
        return None

    def post(self, view: View, to: str) -> bytes:
        """Give *to* a claim of its own to what is mapped here; return the name to send."""
        name = f"{to}@{self._next()}"
        os.link(view.name, name, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        return name.encode()

    def lend(self, name: bytes, to: str) -> bytes:
        """Give *to* a claim of its own to what is held here as *name*; return the name to send.

        Raises:
            FileNotFoundError: It is held no more.
            ValueError: *name* is not one that ``hold`` returns.
        """
        text, sent = _checked(name, _HELD), f"{to}@{self._next()}"
        os.link(text, sent, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        return sent.encode()

    def drop(self, name: bytes) -> None:
        """Remove the payload unread; it may be gone already."""
        with contextlib.suppress(ValueError):
            drop(self._dir_fd, _checked(name, _SENT))

    def release(self, name: bytes) -> None:
        """Let go of what ``hold`` has named; it may be gone already."""
        drop(self._dir_fd, _checked(name, _HELD))

    def close(self) -> None:
        """Let go of all memory that is kept; what was sent stays."""
        with self._lock:
            self._kept.let_go_of_all()
            self._directory = None

    def _next(self) -> str:
        return f"{self.owner}+{next(self._serial)}"

    def _open(self, name: str) -> int:
        fd = os.open(name, _READ, dir_fd=self._dir_fd)
        try:
            verify(fd, _FILE, name)
        except EndpointError as exc:
            os.close(fd)
            raise ValueError(str(exc)) from exc
        return fd

    def _map(self, fd: int, name: str, *, private: bool, is_ours: bool = True) -> View:
        try:
            view = View(fd, os.fstat(fd).st_size, private)
        finally:
            os.close(fd)
        directory = self._directory = self._directory or Directory(self._dir_fd)
        view.claim(name, directory, is_ours=is_ours)
        if not private:  # what has been written there is not in the blob
            self._views.add(view)
        return view

    def _make(self, name: str, parts: Sequence[ReadableBuffer], size: int) -> int:
        try:
            return _write_new(self._dir_fd, name, parts)
        except OSError as exc:
            if exc.errno not in NO_SPACE or not self._kept:
                raise self._full(exc, size) from exc
        self.close()  # what we keep may be what there is no room for
        try:
            return _write_new(self._dir_fd, name, parts)
        except OSError as exc:
            raise self._full(exc, size) from exc

    def _make_and_keep(
        self, name: str, parts: Sequence[ReadableBuffer], size: int, now: float
    ) -> None:
        fd = self._make(name, parts, size)
        if not self._kept.wants(size, now):
            os.close(fd)
            return
        held = self._next()
        os.link(name, held, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        self._kept.add(Kept(held, fd, size, now))

    def _full(self, exc: OSError, size: int) -> NoSpaceError:
        what = f"a payload of {size} bytes"
        return NoSpaceError.from_os_error(exc, what, size, self._dir_fd)


def sweep_holder(dir_fd: int, owner: str) -> None:
    """Remove what the dead process *owner* held; what it sent stays."""
    for name in os.listdir(dir_fd):
        match = _HELD.fullmatch(name)
        if match and match[1] == owner:
            drop(dir_fd, name)


def sweep_mailbox(dir_fd: int, to: str) -> None:
    """Remove all that is on its way to *to*, who takes nothing any more."""
    for name in sent(dir_fd):
        if name.partition("@")[0] == to:
            drop(dir_fd, name)


def sent(dir_fd: int, owner: str | None = None) -> Iterator[str]:
    """Yield the names of what is on its way, from anybody or from *owner*."""
    for name in os.listdir(dir_fd):
        match = _SENT.fullmatch(name)
        if match and owner in {None, match[2]}:
            yield name


def receiver_of(name: bytes) -> int:
    """Return the number of the mailbox that what is sent as *name* is for.

    Raises:
        ValueError: It is for none that has a number.
    """
    return int(name.partition(b"@")[0])


def drop(dir_fd: int, name: str) -> None:
    """Remove one name; it may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=dir_fd)


def _checked(name: bytes, pattern: re.Pattern[str]) -> str:
    text = name[:128].decode("ascii", "replace")
    if not pattern.fullmatch(text):
        msg = f"not the name of a blob: {text!r}"
        raise ValueError(msg)
    return text


def _write_new(dir_fd: int, name: str, parts: Iterable[ReadableBuffer]) -> int:
    """Make the file *name* and return its descriptor; nothing is left after an error."""
    fd = os.open(name, _CREATE, PRIVATE, dir_fd=dir_fd)
    try:
        # Not through a mapping: a store into it would be SIGBUS when there is no room,
        # and fresh pages are cheaper to write than to map.
        _write(fd, parts)
    except BaseException:
        os.close(fd)
        os.unlink(name, dir_fd=dir_fd)
        raise
    return fd


def _write(fd: int, parts: Iterable[ReadableBuffer]) -> None:
    views = [memoryview(part).cast("B") for part in parts if memoryview(part).nbytes]
    while views:
        written = os.writev(fd, views[:IOV_MAX])
        while views and written >= views[0].nbytes:
            written -= views.pop(0).nbytes
        if written:
            views[0] = views[0][written:]
