"""The items of a ``map`` between the moment when they are taken and the moment when their results are given out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from actors.errors import (
    ItemError,
    MailboxFullError,
    MessageTooLargeError,
    NotSerializableError,
    SystemClosedError,
    SystemFailedError,
)
from actors.pending import Pending
from actors.pool.chunks import SECONDS, Chunks, Single
from actors.runtime.client import Client
from actors.runtime.services import Outcome
from actors.wire import failure

Send = Callable[[list[Any]], Pending[Any]]
_ENDS = (SystemClosedError, SystemFailedError)  # of all, not of an item


@attrs.define(eq=False)
class Batch:
    """Items that travel together."""

    items: list[Any]
    pending: Pending[Any] | None = None  # None where they could not be sent
    error: Exception | None = None

    @property
    def has_landed(self) -> bool:
        """Whether its results are here."""
        return self.pending is None or self.pending.done()


class Flight:
    """What is in flight: at most so many items, those included whose results nobody has fetched."""

    def __init__(
        self, client: Client, send: Send, chunks: Chunks | Single, in_flight: int
    ) -> None:
        """Hold at most *in_flight* items, sent in *chunks* by *send*."""
        self.held = 0
        self._client = client
        self._send = send
        self._chunks = chunks
        self._in_flight = in_flight
        self._batches: dict[Batch, None] = {}  # in the order in which they were sent
        self._landed: deque[Batch] = deque()  # in the order of their answers
        self._news: Pending[None] | None = None
        self._back: list[Any] = []  # found no room

    @property
    def room(self) -> int:
        """How many items are to be taken for the next message; 0 where there is no room for more."""
        return min(self._chunks.size, self.free)

    @property
    def free(self) -> int:
        """How many more items may be held."""
        return self._in_flight - self.held

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in flight."""
        return not self._batches and not self._back

    def took(self, count: int, seconds: float) -> None:
        """Learn how long it took to get *count* items: those that come slowly do not wait for each other."""
        if count and seconds > SECONDS:
            self._chunks.measured(count, seconds)

    def launch(self, items: list[Any]) -> bool:
        """Send *items*, and those that found no room before; return whether there was room.

        Raises:
            MailboxFullError: There was none, and nothing is in flight that could make some.
        """
        self.held += len(items)
        items, self._back = self._back + items, []
        if not items:
            return True
        try:
            self._launch(items)
        except MailboxFullError:
            self._back = items
            if not self._batches:
                raise
            return False
        return True

    def _launch(self, items: list[Any]) -> None:
        batch = Batch(items)
        try:
            pending = batch.pending = self._send(items)
        except (NotSerializableError, MessageTooLargeError) as exc:
            if len(items) > 1:  # one of them: which one shows when each goes alone
                for item in items:
                    self._launch([item])
                return
            batch.error = exc
            self._batches[batch] = None
            self._land(batch)
            return
        self._batches[batch] = None
        pending.when_settled(lambda: self._land(batch))

    def _land(self, batch: Batch) -> None:
        self._landed.append(batch)
        self.nudge()

    def nudge(self) -> None:
        """Wake whoever waits: there is news."""
        if self._news is not None:
            self._news.resolve(None)

    def take(self, *, ordered: bool) -> Batch | None:
        """Return the next batch whose results are here, the oldest or else the first to have come; None while there is none."""
        if ordered:
            batch = next(iter(self._batches), None)
            if batch is None or not batch.has_landed:
                return None
            self._landed.clear()  # looked at in the other order only
        elif self._landed:
            batch = self._landed.popleft()
        else:
            return None
        del self._batches[batch]
        return batch

    def give_out(self, batch: Batch) -> None:
        """The results of *batch* have been fetched."""
        self.held -= len(batch.items)

    def news(self, *, ordered: bool) -> Pending[None]:
        """Return what is settled when ``take`` may find something, or after a ``nudge``."""
        news = self._news = Pending(self._client)
        # What has come in between has settled nothing.
        first = next(iter(self._batches), None)
        if first is not None and first.has_landed if ordered else self._landed:
            news.resolve(None)
        return news

    def results(self, batch: Batch) -> Iterator[Any]:
        """Yield the results of *batch*; for an item that failed, an ``ItemError``.

        Raises:
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        error: BaseException | None = batch.error
        if batch.pending is not None:
            error = batch.pending.failure()
        if isinstance(error, _ENDS) or (
            error is not None and not isinstance(error, Exception)
        ):
            raise error
        if error is not None:
            yield from (ItemError(item, error) for item in batch.items)
            return
        assert batch.pending is not None  # noqa: S101 - else there is an error; for the checkers
        if isinstance(self._chunks, Single):
            yield batch.pending.value
            return
        outcome: Outcome = batch.pending.value
        packed_values, failures, seconds = outcome
        self._chunks.measured(len(batch.items), seconds)
        values: Any = packed_values
        if isinstance(packed_values, bytes):
            values = self._client.codec.loads(packed_values)
        for place, packed in failures:
            cause = failure.unpack(packed, self._client.codec.loads)
            values[place] = ItemError(batch.items[place], cause)
        yield from values

    def cancel(self) -> None:
        """Withdraw what nobody has taken yet; what becomes of the rest interests nobody."""
        for batch in list(self._batches):
            if batch.pending is not None:
                batch.pending.when_settled(batch.pending.failure)
                self._client.outgoing.withdraw(batch.pending)
        self._batches.clear()
