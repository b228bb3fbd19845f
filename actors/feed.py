"""What comes to a program one by one, from its system, and is taken in order: by ``for``, ``async for`` or ``next``."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import Generic, Self, TypeVar

from actors.errors import SystemClosedError
from actors.pending import DONE, Pending, failed, settled
from actors.runtime.client import Client
from actors.runtime.waiting import refuse_in_loop

T = TypeVar("T")


class Feed(Generic[T]):
    """Items in the order in which they have come, each for one taker.

    An iteration ends when the system has been closed, or this has; it raises ``SystemFailedError`` when the system has ended by itself.
    An ``anext`` that is cancelled, as by ``asyncio.wait_for``, loses no item.
    """

    def __init__(self, client: Client, closed: str) -> None:
        """Take items from *client*'s system; *closed* is what an error says when there will be no more."""
        self._client = client
        self._closed = closed
        self._waiting: deque[T] = deque()
        self._is_closed = False
        self._takers: deque[Pending[T]] = deque()
        # Items come in whichever thread looks at the lane. Reentrant: that may be a signal handler.
        self._lock = threading.RLock()

    def _add(self, item: T) -> None:
        """Give *item* to who waits for it, or keep it."""
        with self._lock:
            if not self._is_taken(item):
                self._waiting.append(item)

    def _is_taken(self, item: T) -> bool:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.resolve(item)
                return True
        return False

    def next(self) -> Pending[T]:
        """Return the next one, on the way until there is one.

        Raises (when awaited):
            SystemClosedError: The system was closed, or this was, and everything that had come is taken.
            SystemFailedError: It has ended by itself.

        Cancellation:
            Only the waiting ends: the next one still goes to this ``Pending``, so wait for the same one again.
        """
        with self._lock:
            if self._waiting:
                return settled(self._take())
            if self._is_closed:
                return failed(SystemClosedError(self._closed))
            taker: Pending[T] = Pending(self._client)
            self._takers.append(taker)
        self._client.ending.include(taker)
        return taker

    def _take(self) -> T:
        return self._waiting.popleft()

    def _give_back(self, taker: Pending[T]) -> None:
        """Nobody waits for *taker* any more: its item, if it has one, is the next one's."""
        with self._lock:
            if not taker.done():
                taker.fail(TimeoutError("nobody waits for this"))
                with contextlib.suppress(ValueError):  # the system ends
                    self._takers.remove(taker)
            elif taker.state == DONE and not self._is_taken(taker.value):
                self._waiting.appendleft(taker.value)

    def _end(self) -> None:
        """Nothing more comes; what has come already can still be taken."""
        with self._lock:
            self._is_closed = True
            takers, self._takers = self._takers, deque()
        for taker in takers:
            taker.fail(SystemClosedError(self._closed))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        taker = self.next()
        try:
            return await taker
        except SystemClosedError:
            raise StopAsyncIteration from None
        except BaseException:  # cancelled, by a deadline for example
            self._give_back(taker)
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._waiting:
            refuse_in_loop("'for'", "use 'async for'")
        taker = self.next()
        try:
            return taker.result()
        except SystemClosedError:
            raise StopIteration from None
        except BaseException:  # Ctrl-C
            self._give_back(taker)
            raise
