"""The way of one message to the worker that takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from actors.actor import Actor
from actors.pending import Pending
from actors.pool import routing
from actors.pool.crew import Crew
from actors.pool.distant import Distant
from actors.pool.worker import Worker

A = TypeVar("A", bound=Actor)
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Sender(Generic[A]):
    """Sends messages to the workers of one crew, as its routing says."""

    __slots__ = ("_choose", "_crew")

    def __init__(self, crew: Crew[A] | Distant[A]) -> None:
        """Send to *crew*."""
        self._crew = crew
        self._choose: Callable[..., Worker[A]] = routing.router(crew.routing)

    @property
    def is_keyed(self) -> bool:
        """Whether the arguments of a message decide who takes it."""
        return not isinstance(self._crew.routing, str)

    def ask(
        self, name: bytes, label: str, arguments: Arguments, timeout: float | None
    ) -> Pending[Any]:
        """Ask the worker that *arguments* choose."""
        crew = self._crew
        if crew.shared is not None:
            return crew.client.ask(
                crew.shared, crew.name, name, label, arguments, timeout
            )

        def send(worker: Worker[A], left: float | None) -> Pending[Any]:
            pending: Pending[Any] = crew.client.ask(
                worker.number, worker.ref.name, name, label, arguments, left
            )
            worker.follow(pending)
            return pending

        return self._send(send, label, arguments, timeout)

    def tell(
        self, name: bytes, label: str, arguments: Arguments, timeout: float | None
    ) -> Pending[None]:
        """Tell the worker that *arguments* choose."""
        crew = self._crew
        if crew.shared is not None:
            return crew.client.tell(
                crew.shared, crew.name, name, label, arguments, timeout
            )

        def send(worker: Worker[A], left: float | None) -> Pending[None]:
            return crew.client.tell(
                worker.number, worker.ref.name, name, label, arguments, left
            )

        return self._send(send, label, arguments, timeout)

    def _send(
        self,
        send: Callable[[Worker[A], float | None], Pending[Any]],
        label: str,
        arguments: Arguments,
        timeout: float | None,
    ) -> Pending[Any]:
        if self._crew.handover is not None:
            return self._crew.handover.send(arguments, send, label, timeout)
        return send(self._choose(self._crew.workers, *arguments), timeout)
