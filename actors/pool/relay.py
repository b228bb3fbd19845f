"""A result that comes from another one on its way, which may not have been asked for yet."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Generator
from typing import Any

from actors.pending import Pending
from actors.runtime.client import Client

Send = Callable[[float | None], Pending[Any]]  # with so many seconds left


class Relay:
    """Passes the outcome of a message on, as the ``pending.Source`` of its result.

    What follows from its end is done in the thread that takes it in, so nobody has to wait for it.

    Attributes:
        pending: The result.
    """

    def __init__(self, client: Client) -> None:
        self.pending: Pending[Any] = Pending(self)
        self._client = client
        self._sent: Pending[Any] | None = None

    def describe(
        self, number: int, target: str, method: str, timeout: float | None
    ) -> None:
        """Give the result what an error about it will have to say."""
        questions = self._client.questions
        questions.describe(self.pending, number, target, method, timeout)
        questions.number(self.pending)

    def follow(self, sent: Pending[Any]) -> None:
        """Go on with the outcome of *sent*, which nobody waits for yet."""
        self._sent = sent
        sent.when_settled(functools.partial(self._on_settled, sent))

    def _on_settled(self, sent: Pending[Any]) -> None:
        error = sent.failure()
        if error is None:
            self.pending.resolve(sent.value)
        else:
            self._on_failed(error)

    def _on_failed(self, error: BaseException) -> None:
        self.pending.fail(error)

    # The source of the result.

    @property
    def is_finishing(self) -> bool:
        """See ``pending.Source``."""
        return self._client.is_finishing

    def suspend(self, pending: Pending[Any]) -> Generator[Any, Any, None]:
        """See ``pending.Source``."""
        return self._client.suspend(pending)

    def block(self, pending: Pending[Any], timeout: float | None) -> None:
        """See ``pending.Source``."""
        self._client.block(pending, timeout)

    def is_breath_due(self) -> bool:
        """See ``pending.Source``."""
        return self._client.is_breath_due()

    def withdraw(self, pending: Pending[Any]) -> None:
        """See ``pending.Source``."""
        if pending.done() or self._client.waiting.has_waiter(pending):
            return
        if self._sent is None or self._sent.done():
            pending.fail(asyncio.CancelledError("withdrawn before it was sent"))
        else:
            self._client.outgoing.withdraw(self._sent)
