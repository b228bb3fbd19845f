"""The items of a ``map`` between the moment when they are taken and the moment when their results are given out."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from actors.errors import (
    ActorCrashedError,
    ItemError,
    MailboxFullError,
    MessageTooLargeError,
    NotSerializableError,
    SystemClosedError,
    SystemFailedError,
)
from actors.pending import Pending
from actors.pool.chunks import LONG_SECONDS, SECONDS, Chunks, Single
from actors.runtime.client import Client
from actors.runtime.services import Outcome
from actors.wire import failure

Send = Callable[[list[Any]], Pending[Any]]
_ENDS = (SystemClosedError, SystemFailedError)  # of all, not of an item


@attrs.define(eq=False)
class Part:
    """Items in one message."""

    items: list[Any]
    pending: Pending[Any] | None = None  # None where they could not be sent
    error: Exception | None = None


@attrs.define(eq=False)
class Batch:
    """Items that were sent together, in order; of those that a death has spared, some again.

    Attributes:
        parts: One, until a worker dies that has several items in hand.
        left: Those whose results are not here.
        has_landed: Whether all of them are.
    """

    parts: list[Part]
    left: set[Part]
    has_landed: bool = False


class Flight:
    """What is in flight: at most so many items, those included whose results nobody has fetched."""

    def __init__(
        self,
        client: Client,
        send: Send,
        chunks: Chunks | Single,
        in_flight: int,
        *,
        redelivers: bool,
    ) -> None:
        """Hold at most *in_flight* items, sent in *chunks* by *send*; *redelivers* allows to do one twice."""
        self.held = 0
        self._client = client
        self._send = send
        self._chunks = chunks
        self._in_flight = in_flight
        self._redelivers = redelivers
        self._batches: dict[Batch, None] = {}  # in the order in which they were sent
        self._landed: deque[Batch] = deque()  # in the order of their answers
        self._news: Pending[None] | None = None
        self._back: list[Any] = []  # found no room
        self._is_patient = False  # sends little until it is known what items take

    @property
    def room(self) -> int:
        """How many items are to be taken for the next message; 0 where there is no room for more."""
        chunks = self._chunks
        if chunks.messages is not None and len(self._batches) >= chunks.messages:
            if not self._is_patient:
                self._is_patient = True
                self._client.questions.call_later(LONG_SECONDS, self._hurry)
            return 0
        return min(chunks.size, self._in_flight - self.held)

    def _hurry(self) -> None:
        self._chunks.hurry()
        self.nudge()

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
        self._chunks.sent(len(items))
        items, self._back = self._back + items, []
        if not items:
            return True
        try:
            self._launch(items)
        except MailboxFullError:
            self._back = self._back or items
            if not self._batches:
                raise
            return False
        return True

    def _launch(self, items: list[Any]) -> None:
        part = Part(items)
        batch = Batch([part], {part})
        try:
            pending = part.pending = self._send(items)
        except (NotSerializableError, MessageTooLargeError) as exc:
            if len(items) > 1:  # one of them: which one shows when each goes alone
                self._launch_alone(items)
                return
            part.error = exc
            self._batches[batch] = None
            self._land(batch, part)
            return
        self._batches[batch] = None
        pending.when_settled(functools.partial(self._on_settled, batch, part))

    def _launch_alone(self, items: list[Any]) -> None:
        for place, item in enumerate(items):
            try:
                self._launch([item])
            except MailboxFullError:
                self._back = items[place:]  # those before are on their way
                raise

    def _on_settled(self, batch: Batch, part: Part) -> None:
        if batch.has_landed:  # cancelled
            return
        error = None if part.pending is None else part.pending.failure()
        if isinstance(error, ActorCrashedError) and 0 < error.begun <= len(part.items):
            self._go_on(batch, part, error.begun)
        self._land(batch, part)

    def _go_on(self, batch: Batch, part: Part, begun: int) -> None:
        """Send again what of *part* was not begun when the worker died; where items may be done twice, all but the last that was."""
        items = part.items
        spared = begun - 1 if self._redelivers else 0
        part.items = items[spared:begun]
        before, after = Part(items[:spared]), Part(items[begun:])
        place = batch.parts.index(part)
        batch.parts[place : place + 1] = [before, part, after]
        again = [each for each in (before, after) if each.items]
        batch.left.update(again)
        for each in again:
            try:
                pending = each.pending = self._send(each.items)
            except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits must get it
                each.error = exc
                batch.left.discard(each)
            else:
                pending.when_settled(functools.partial(self._on_settled, batch, each))

    def _land(self, batch: Batch, part: Part) -> None:
        batch.left.discard(part)
        if batch.left or batch.has_landed:
            return
        batch.has_landed = True
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
        self.held -= sum(len(part.items) for part in batch.parts)

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
        for part in batch.parts:
            yield from self._results(part)

    def _results(self, part: Part) -> Iterator[Any]:
        error: BaseException | None = part.error
        if part.pending is not None:
            error = part.pending.failure()
        if isinstance(error, _ENDS) or (
            error is not None and not isinstance(error, Exception)
        ):
            raise error
        if error is not None:
            yield from (ItemError(item, error) for item in part.items)
            return
        if part.pending is None:  # nothing of it was spared
            return
        if isinstance(self._chunks, Single):
            yield part.pending.value
            return
        outcome: Outcome = part.pending.value
        packed_values, failures, seconds = outcome
        self._chunks.measured(len(part.items), seconds)
        values: Any = packed_values
        if isinstance(packed_values, bytes):
            values = self._client.codec.loads(packed_values)
        for place, packed in failures:
            cause = failure.unpack(packed, self._client.codec.loads)
            values[place] = ItemError(part.items[place], cause)
        yield from values

    def cancel(self) -> None:
        """Withdraw what nobody has taken yet; what becomes of the rest interests nobody."""
        for batch in list(self._batches):
            batch.has_landed = True
            for part in batch.parts:
                if part.pending is not None:
                    part.pending.when_settled(part.pending.failure)
                    self._client.outgoing.withdraw(part.pending)
        self._batches.clear()
