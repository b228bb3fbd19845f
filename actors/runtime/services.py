"""What every actor answers besides its own messages, for pools: a method over many items in one message, and the order of messages.

Their names are no identifiers, so no method of a user's class can have one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    Callable,
    Collection,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from types import CoroutineType
from typing import Any, Protocol

from actors.wire import failure

EACH = "[]"  # behind the name of a method
BARRIER = "[barrier]"

# What a method made of its items: the results, pickled where there are several; where an item failed, what with, packed; the seconds.
Outcome = tuple[list[Any] | bytes, list[tuple[int, bytes]], float]
Dump = Callable[[object], bytes | None]


class Mark(Protocol):
    """Where it is marked, for whoever finds the process dead, how many items were begun."""

    begun: int


class Items:
    """A method, called with one item after the other.

    What one item raises is told of that item, and the others go on.
    """

    def __init__(
        self,
        method: Callable[..., Any],
        dumps: Dump,
        mark: Callable[[], Mark | None],
        *,
        is_fatal: bool,
    ) -> None:
        """Call *method*.

        Args:
            method: Of an actor, plain or ``async``.
            dumps: Pickles what can be pickled.
            mark: Returns the mark of the message that is being handled.
            is_fatal: Whether what it raises is to crash the actor.
        """
        self._method = method
        self._dumps = dumps
        self._mark = mark
        self._is_fatal = is_fatal

    def __call__(self, items: Sequence[Any]) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Return what became of *items*."""
        started = time.perf_counter()
        values: list[Any] = []
        failures: list[tuple[int, bytes]] = []
        method = self._method
        add = values.append
        mark = self._mark()
        assert mark is not None  # noqa: S101 - a handler runs: this one; for the checkers
        left = enumerate(items, 1)
        for begun, item in left:
            mark.begun = begun
            try:
                value = method(item)
            except Exception as exc:  # noqa: BLE001 - user code's, for whoever sent the item
                self._fail(exc, values, failures)
                continue
            if type(value) is CoroutineType:
                return self._await(value, mark, left, values, failures, started)
            add(value)
        return self._packed(values, failures, started)

    async def _await(
        self,
        first: Coroutine[Any, Any, Any],
        mark: Mark,
        left: Iterator[tuple[int, Any]],
        values: list[Any],
        failures: list[tuple[int, bytes]],
        started: float,
    ) -> Outcome:
        coro = first
        while True:
            try:
                values.append(await coro)
            except Exception as exc:  # noqa: BLE001 - user code's, for whoever sent the item
                self._fail(exc, values, failures)
            for begun, item in left:
                mark.begun = begun
                coro = self._method(item)
                break
            else:
                return self._packed(values, failures, started)

    def _fail(
        self, error: Exception, values: list[Any], failures: list[tuple[int, bytes]]
    ) -> None:
        if self._is_fatal or isinstance(error, MemoryError):
            raise error
        failures.append((len(values), failure.pack(error, self._dumps)))
        values.append(None)

    def _packed(
        self, values: list[Any], failures: list[tuple[int, bytes]], started: float
    ) -> Outcome:
        seconds = time.perf_counter() - started
        if len(values) == 1:
            return values, failures, seconds
        # Pickled here, so that one result that cannot travel does not take the others with it.
        packed = self._dumps(values)
        if packed is None:
            for place, value in enumerate(values):
                if self._dumps(value) is None:
                    kind = type(value).__name__
                    error = TypeError(f"the result, of type {kind}, cannot be pickled")
                    failures.append((place, failure.pack(error, self._dumps)))
                    values[place] = None
            packed = self._dumps(values)
        return values if packed is None else packed, failures, seconds


class Barriers:
    """Waits for the messages that an actor has in hand, where it has several: those queued before are done then."""

    def __init__(self) -> None:
        self._open: list[tuple[set[object], asyncio.Future[None]]] = []

    def __bool__(self) -> bool:
        """Return whether anybody waits."""
        return bool(self._open)

    def wait(self, busy: Collection[object]) -> Coroutine[Any, Any, None] | None:
        """Return what waits until each of those that are *busy* has passed; None where nobody is."""
        return self._wait({*busy}) if busy else None

    async def _wait(self, busy: set[object]) -> None:
        passed = asyncio.get_running_loop().create_future()
        self._open.append((busy, passed))
        await passed

    def passed(self, runner: object) -> None:
        """Enter that *runner* has finished the message it had."""
        for busy, passed in list(self._open):
            busy.discard(runner)
            if not busy:
                self._open.remove((busy, passed))
                passed.set_result(None)


def over_items(
    handlers: Mapping[bytes, Callable[..., Any]],
    dumps: Dump,
    mark: Callable[[], Mark | None],
    is_fatal: Callable[[str], bool],
) -> dict[bytes, Callable[..., Any]]:
    """Return *handlers* as they are called for many items, under their names for that."""
    return {
        name + EACH.encode(): Items(
            method, dumps, mark, is_fatal=is_fatal(name.decode())
        )
        for name, method in handlers.items()
    }
