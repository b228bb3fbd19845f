"""Classes and functions that another process could not import, published once per system and then named by hash.

What is defined in ``__main__``, a REPL, a notebook or a namespace of ``exec`` exists only in the process that ran it.
It is written, by value, into a file of the system's ``code`` directory; messages carry (hash, index) instead.
The process that defined an object maps its hash back to the object itself, and a process that has loaded it sends it on under
the same hash, so every process has exactly one copy and ``type(reply) is Foo`` holds where ``Foo`` was defined.

The unit of publishing is everything un-importable that can be reached from the object asked for: classes that refer to each other
must be rebuilt together.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import sys
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any

import cloudpickle

MAX_KNOWN = (
    10_000  # importable objects remembered as such; programs make classes for ever
)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Reduction = tuple[Any, tuple[str, str, int]]

_stores: weakref.WeakValueDictionary[str, CodeStore] = weakref.WeakValueDictionary()


def load_code(system: str, unit: str, index: int) -> object:
    """Return a published object; this is what messages call when they are decoded."""
    return _stores[system].load(unit, index)


class CodeStore:
    """The published code of one system, as one process sees it."""

    def __init__(self, dir_fd: int) -> None:
        """Use the system's ``code`` directory."""
        self.decode: Callable[[bytes], Any] = (
            _undecided  # the codec's; only it turns bytes into objects
        )
        self._dir_fd = dir_fd
        # The directory's inode names the system to all its processes; several systems may live in one process.
        self._system = f"{os.fstat(dir_fd).st_ino:x}"
        self._members: dict[tuple[str, int], object] = {}
        self._published: dict[
            int, tuple[object, Reduction]
        ] = {}  # by identity: a metaclass may define equality
        self._importable: dict[int, object] = {}
        _stores[self._system] = self

    def reduce(self, obj: type | FunctionType) -> Any:  # noqa: ANN401 - the protocol of reducer_override
        """Return how *obj*, a class or function, travels: NotImplemented for by import, as pickle does it."""
        key = id(obj)
        known = self._published.get(key)
        if known is not None:
            return known[1]
        if key in self._importable:
            return NotImplemented
        if is_importable(obj):
            if len(self._importable) >= MAX_KNOWN:
                self._importable.clear()
            self._importable[key] = obj
            return NotImplemented
        if not is_publishable(obj):
            return NotImplemented
        self._publish(obj)
        return self._published[key][1]

    def load(self, unit: str, index: int) -> object:
        """Return member *index* of *unit*, loading the unit if this process has not seen it."""
        if (unit, index) not in self._members:
            self._register(unit, self.decode(self._read(unit)))
        return self._members[unit, index]

    def _publish(self, obj: object) -> None:
        collector = _ByValue(self, io.BytesIO())
        collector.dump(obj)
        members = collector.met
        buffer = io.BytesIO()
        _ByValue(self, buffer).dump(members)
        data = buffer.getvalue()
        unit = hashlib.sha256(data).hexdigest()
        self._write(unit, data)
        self._register(unit, members)

    def _register(self, unit: str, members: list[Any]) -> None:
        for index, member in enumerate(members):
            self._members[unit, index] = member
            self._published.setdefault(
                id(member), (member, (load_code, (self._system, unit, index)))
            )

    def _write(self, unit: str, data: bytes) -> None:
        # Under a name of its own first: a reader never sees half a file.
        temporary = f".{unit}.{os.getpid()}.{id(data)}"
        fd = os.open(temporary, _NEW, 0o600, dir_fd=self._dir_fd)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            os.rename(temporary, unit, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=self._dir_fd)
            raise

    def _read(self, unit: str) -> bytes:
        fd = os.open(
            unit, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._dir_fd
        )
        with os.fdopen(fd, "rb") as file:
            return file.read()


class _ByValue(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Pickles un-importable code by value, and says what it met."""

    def __init__(self, store: CodeStore, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.met: list[Any] = []
        self._store = store
        self._seen: set[int] = set()

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - see CodeStore.reduce
        """See ``pickle.Pickler``."""
        if isinstance(obj, type | FunctionType):
            known = self._store._published.get(id(obj))  # noqa: SLF001 - two halves of one thing
            if known is not None:
                return known[1]
            if (
                id(obj) not in self._seen
                and not is_importable(obj)
                and is_publishable(obj)
            ):
                self._seen.add(id(obj))
                self.met.append(obj)
        return super().reducer_override(obj)


def is_importable(obj: type | FunctionType) -> bool:
    """Return whether another process would find *obj* by importing its module."""
    module = getattr(obj, "__module__", None)
    if module == "__main__" or not isinstance(module, str):
        return False
    found: object = sys.modules.get(module)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def is_publishable(obj: type | FunctionType) -> bool:
    """Return whether *obj* is worth a file: a lambda or an inner function is made anew whenever its line runs."""
    return isinstance(obj, type) or not (
        "<lambda>" in obj.__qualname__ or "<locals>" in obj.__qualname__
    )


def _undecided(_: bytes) -> Any:  # noqa: ANN401 - whatever was published
    msg = "the store has no codec"
    raise RuntimeError(msg)
