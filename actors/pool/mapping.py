"""What a ``map`` sends, and how: which items go together, with what policy, and what is shown of it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sized
from typing import Any, Generic, TypeVar

import attrs

from actors.actor import Actor
from actors.errors import ActorError
from actors.pending import Pending
from actors.pool import bars, stats
from actors.pool.calls import Call
from actors.pool.chunks import Chunks, Single
from actors.pool.crew import Crew
from actors.pool.distant import Distant
from actors.pool.flight import Flight
from actors.pool.meter import Meter
from actors.pool.policy import Policy
from actors.pool.progress import Progress
from actors.pool.results import Results
from actors.pool.sender import Arguments, Sender
from actors.runtime import services

A = TypeVar("A", bound=Actor)
Items = Iterable[Any] | AsyncIterable[Any]


@attrs.frozen
class Wishes:
    """What the caller of a ``map`` has said; see ``Pool.map``."""

    in_flight: int
    ordered: bool
    return_exceptions: bool
    progress: bool


@attrs.frozen
class Mapping(Generic[A]):
    """A method over many items.

    Attributes:
        crew: Who does it.
        sender: The way to them.
        policy: After what an item is tried again; None for nothing.
        timeout: Seconds that each message has; None for as long as it takes.
    """

    crew: Crew[A] | Distant[A]
    sender: Sender[A]
    policy: Policy | None
    timeout: float | None

    def over(
        self, items: Items, method: Callable[..., Any], name: bytes, wishes: Wishes
    ) -> Results[Any]:
        """Return the results of *method*, which is sent as *name*, for *items*."""
        chunks = self._chunks(items, method, wishes.in_flight)
        client = self.crew.client
        flight = Flight(
            client,
            self._sending(method, name, chunks),
            chunks,
            wishes.in_flight,
            redelivers=self.policy is not None and self.policy.redeliver,
        )
        return Results(
            client,
            flight,
            items,
            ordered=wishes.ordered,
            return_exceptions=wishes.return_exceptions,
            progress=self._progress(items, method) if wishes.progress else None,
        )

    def _chunks(
        self, items: Items, method: Callable[..., Any], in_flight: int
    ) -> Chunks | Single:
        tries_items = self.policy is not None and bool(self.policy.retry_on)
        if self.sender.is_keyed or tries_items:
            return Single()
        # Where nobody would end a message that takes long, and none that could go on beside it waits.
        is_long = self.timeout is None and self.crew.may_take_long(method.__name__)
        return Chunks(in_flight, self.crew.size, _count(items) if is_long else None)

    def _sending(
        self, method: Callable[..., Any], name: bytes, chunks: Chunks | Single
    ) -> Callable[[list[Any]], Pending[Any]]:
        """Return what sends a message."""
        is_single = isinstance(chunks, Single)
        sent_as = name if is_single else name + services.EACH.encode()
        label = method.__qualname__
        sender, policy, client = self.sender, self.policy, self.crew.client

        def send(taken: list[Any]) -> Pending[Any]:
            arguments: Arguments = ((taken[0] if is_single else taken,), {})
            if policy is None:
                return sender.ask(sent_as, label, arguments, self.timeout)

            def ask(left: float | None) -> Pending[Any]:
                return sender.ask(sent_as, label, arguments, left)

            return Call(client, ask, policy, self.timeout).pending

        return send

    def _progress(
        self, items: Items, method: Callable[..., Any]
    ) -> Callable[[], Progress]:
        def begin() -> Progress:
            meter = Meter(method.__qualname__, _count(items))
            return Progress(bars.display(self.crew.client), meter, self._lives)

        return begin

    def _lives(self) -> dict[str, int]:
        """Return the incarnations of the workers; of none where they are not known, or the system is closed."""
        if not isinstance(self.crew, Crew):
            return {}
        try:
            told = stats.of_workers(self.crew.client.directory, self.crew.workers)
        except (OSError, ActorError):
            return {}
        return {each.name: each.incarnation for each in told}


def _count(items: Items) -> int | None:
    return len(items) if isinstance(items, Sized) else None
