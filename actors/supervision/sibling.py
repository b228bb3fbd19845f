"""The ref of a child that no supervisor has started yet: for the constructors of its siblings.

It stands for an actor, and turns into that actor's ref when the arguments it is in are packed for a tree in which the child has its
place.
A specification stays a value by that: two trees can be made of one, and each knows its own actors.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

from actors.errors import ActorError, NotSerializableError
from actors.ref import DEFAULT_TIMEOUT, ActorRef

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)

_numbers = itertools.count(-1, -1)  # no mailbox has one of these
_places: ContextVar[Mapping[int, ActorRef[Any]]] = ContextVar("places")


class SiblingRef(ActorRef[A_co]):
    """The ref of a child to be."""

    __slots__ = ()

    @staticmethod
    def of(child_id: str, cls: type[A]) -> SiblingRef[A]:
        """Return a ref for the child *child_id* of class *cls*."""
        return SiblingRef(None, "", next(_numbers), child_id, cls)

    @property
    def place(self) -> int:
        """What ``placed`` knows the child by."""
        return self._number

    def _join(self) -> NoReturn:
        msg = f"{self!r}: no supervisor has started it; this ref is for the constructors of its siblings"
        raise ActorError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        ref = _places.get({}).get(self._number)
        if ref is None:
            msg = f"{self!r}: it has no place in this tree; give the ref of a child to children of the same tree only"
            raise NotSerializableError(msg)
        is_usual = self._timeout == DEFAULT_TIMEOUT
        return (ref if is_usual else ref.within(self._timeout)).__reduce__()


@contextlib.contextmanager
def placed(refs: Mapping[int, ActorRef[Any]]) -> Iterator[None]:
    """Let the refs of children to be stand for *refs*, by place, in what is packed inside the block."""
    token = _places.set(refs)
    try:
        yield
    finally:
        _places.reset(token)
