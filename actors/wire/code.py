"""Code that other processes cannot import: where it is kept, and which object is which.

What is defined in ``__main__``, a REPL, a notebook or a namespace of ``exec`` exists
only in the process that ran it.  It is written once, by value, into a file of the
system's ``code`` directory, and messages carry its name: the digest of the file and a
position in it.  One file, a *unit*, holds everything that has to be rebuilt together,
because classes and functions refer to each other in circles.

A process maps names to objects and objects to names, for what it has published and for
what it has loaded.  So ``type(reply) is Foo`` holds where ``Foo`` was defined, and a
class that came in a message leaves under the name it came with.  A digest means the
same bytes in every system, so the map is the process's, and a name need not say through
which of its systems it came.

Not here: what has to go by value (``byvalue.py``) and all pickling (``codec.py``).
"""

from __future__ import annotations

import collections
import contextlib
import copyreg
import hashlib
import os
import secrets
import weakref
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from transports.errors import space_for

# Units that stay loaded while nothing uses them.  A program that makes classes for ever
# loads units for ever; the oldest then live only as long as something uses them, and
# are loaded again, with fresh class attributes, when they are named again.
MAX_KEPT_UNITS = 1024

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC

Name: TypeAlias = tuple[bytes, int]
V = TypeVar("V")


class IdentityMap(Generic[V]):
    """Remembers something about objects without keeping them alive.

    By identity, because a metaclass may define equality, or forbid hashing.

    Attributes:
        by_id: The values; an id is in it only while the object with this id lives.
    """

    __slots__ = ("_refs", "by_id")

    def __init__(self) -> None:
        self.by_id: dict[int, V] = {}
        self._refs: dict[int, weakref.ref[object]] = {}

    def remember(self, obj: object, value: V) -> None:
        """Map *obj* to *value*; without effect if there are no weak references to its kind."""
        key, by_id, refs = id(obj), self.by_id, self._refs

        def forget(_: object) -> None:
            by_id.pop(key, None)
            refs.pop(key, None)

        try:
            refs[key] = weakref.ref(obj, forget)
        except TypeError:
            return  # a type alias, from Python 3.12 on
        by_id[key] = value


_objects: weakref.WeakValueDictionary[Name, object] = weakref.WeakValueDictionary()
_names: IdentityMap[Name] = IdentityMap()
_kept: collections.deque[list[object]] = collections.deque(maxlen=MAX_KEPT_UNITS)
_stores: weakref.WeakValueDictionary[int, CodeStore] = weakref.WeakValueDictionary()


def load_code(unit: bytes, index: int) -> object:
    """Return a published object; messages call this while they are decoded.

    Raises:
        LookupError: No system that this process has joined holds the unit.
    """
    found = _objects.get((unit, index))
    return _load(unit)[index] if found is None else found


# pickle's registry of short names: a reference is 26 bytes shorter, and costs no import
# when it is decoded.  The numbers below 256 are given out to others (PEP 307).
copyreg.add_extension(load_code.__module__, load_code.__name__, 0x4AC7025)


def name_of(obj: object) -> Name | None:
    """Return the name under which *obj* was published or loaded, if it was."""
    return _names.by_id.get(id(obj))


def register(unit: bytes, members: list[object]) -> list[object]:
    """Make the members of *unit* known, and return those that are known by its names.

    Names and objects that are known already keep what they have: somebody may be using
    it.
    """
    known = []
    for index, member in enumerate(members):
        known.append(_objects.setdefault((unit, index), member))
        if id(member) not in _names.by_id:
            _names.remember(member, (unit, index))
    return known


class CodeStore:
    """The ``code`` directory of one system."""

    def __init__(self, dir_fd: int) -> None:
        """Use the directory open as *dir_fd*, which stays the caller's to close."""
        self._dir_fd = dir_fd
        self._decode: Callable[[bytes], list[object]] | None = None

    def serve(self, decode: Callable[[bytes], list[object]]) -> None:
        """Let ``load_code`` look for units here.

        Args:
            decode: Makes the members of a unit from its bytes.
        """
        self._decode = decode
        _stores[id(self)] = self

    def write(self, content: bytes) -> bytes:
        """Store *content*, unless it is there already, and return its name as a unit.

        Raises:
            NoSpaceError: The file system is full.
        """
        unit = hashlib.sha256(content).digest()
        if not self.holds(unit):
            with space_for("published code", len(content), self._dir_fd):
                self._write(unit.hex(), content)
        return unit

    def _write(self, name: str, content: bytes) -> None:
        # Whole, then under its name: a reader never meets half a file.  Who is second
        # replaces a file by its equal.
        temporary = f"{secrets.token_hex(8)}.part"
        fd = os.open(temporary, _NEW, 0o600, dir_fd=self._dir_fd)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(content)
            os.rename(temporary, name, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._dir_fd)
            raise

    def holds(self, unit: bytes) -> bool:
        """Return whether *unit* can be read here."""
        try:
            os.stat(unit.hex(), dir_fd=self._dir_fd)
        except OSError:
            return False
        return True

    def read(self, unit: bytes) -> bytes:
        """Return the content of *unit*.

        Raises:
            FileNotFoundError: It was not published in this system.
        """
        fd = os.open(unit.hex(), _OLD, dir_fd=self._dir_fd)
        with os.fdopen(fd, "rb") as file:
            return file.read()

    def load(self, unit: bytes) -> list[object] | None:
        """Return the members of *unit*, or None if it is not here."""
        # A system that was closed may leave a descriptor that is shut, or another's by
        # now: neither has a file of this name unless it is the right one.
        try:
            content = self.read(unit)
        except OSError:
            return None
        return self._decode(content) if self._decode else None


def _load(unit: bytes) -> list[object]:
    # Two threads may get here for one unit.  The second one's copies are dropped then;
    # a lock instead would be held while user code imports modules, whose locks others
    # may hold while they wait for this one.
    for ref in _stores.valuerefs():
        store = ref()
        members = None if store is None else store.load(unit)
        if members is not None:
            known = register(unit, members)
            _kept.append(known)
            return known
    msg = f"code {unit.hex()} is not in any system that this process has joined"
    raise LookupError(msg)
