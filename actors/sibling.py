"""The ref of a child that no supervisor has started yet: for the constructors of its siblings.

It stands for an actor by a place in a specification.
Packed for a tree in which that place is, it becomes the ref of the actor there when it is unpacked: only then has each place an actor.
A specification stays a value by that: two trees can be made of one, and each knows its own actors.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

from actors.errors import ActorError, NotSerializableError
from actors.ref import ActorRef

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)

_numbers = itertools.count(-1, -1)  # no mailbox has one of these
_tree: ContextVar[tuple[AbstractSet[int], set[int]]] = ContextVar("tree")
_NO_TREE: tuple[AbstractSet[int], set[int]] = (frozenset(), set())
_actors: ContextVar[Mapping[int, ActorRef[Any]]] = ContextVar("actors")


class SiblingRef(ActorRef[A_co]):
    """The ref of a child to be."""

    __slots__ = ()

    @staticmethod
    def of(child_id: str, cls: type[A]) -> SiblingRef[A]:
        """Return a ref for the child *child_id* of class *cls*."""
        return SiblingRef(None, "", next(_numbers), child_id, cls)

    @property
    def place(self) -> int:
        """What a tree knows the child by."""
        return self._number

    def _join(self) -> NoReturn:
        msg = f"{self!r}: no supervisor has started it; this ref is for the constructors of its siblings"
        raise ActorError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        places, met = _tree.get(_NO_TREE)
        if self.place not in places:
            msg = f"{self!r}: it has no place in this tree; give the ref of a child to children of the same tree only"
            raise NotSerializableError(msg)
        met.add(self.place)
        return _actor_at, (self.place, self._timeout)


def _actor_at(place: int, timeout: float | None) -> ActorRef[Any]:
    return _actors.get()[place].within(timeout)


@contextlib.contextmanager
def packing(places: AbstractSet[int]) -> Iterator[set[int]]:
    """Let refs of children to be travel that have one of these *places*, in what is packed inside the block.

    Yields:
        Those places that were met: whoever unpacks has to know these, and no others.
    """
    met = set[int]()
    token = _tree.set((places, met))
    try:
        yield met
    finally:
        _tree.reset(token)


@contextlib.contextmanager
def unpacking(actors: Mapping[int, ActorRef[Any]]) -> Iterator[None]:
    """Put *actors*, by place, where refs of children to be were packed, in what is unpacked inside the block."""
    token = _actors.set(actors)
    try:
        yield
    finally:
        _actors.reset(token)
