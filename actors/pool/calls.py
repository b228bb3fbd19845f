"""A call that is tried again: several asks, one result."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Generator
from typing import Any

from actors.pending import Pending
from actors.pool.policy import Policy
from actors.runtime.client import Client

Send = Callable[[float | None], Pending[Any]]


class Call:
    """The asks of one call, and the ``pending.Source`` of its result.

    What follows from the end of an attempt is done in the thread that takes it in, so nobody has to wait for it.
    """

    def __init__(
        self, client: Client, send: Send, policy: Policy, timeout: float | None
    ) -> None:
        """Begin with the first attempt, whose mistakes are raised.

        Args:
            client: Of this process.
            send: Asks, with so many seconds left.
            policy: When to do it again.
            timeout: Seconds for all attempts.
        """
        self._client = client
        self._send = send
        self._policy = policy
        self._attempts = 1
        self._deadline = None if timeout is None else time.monotonic() + timeout
        asked = send(timeout)
        self.pending: Pending[Any] = Pending(self)
        client.questions.describe(
            self.pending, asked.number, asked.target, asked.method, timeout
        )
        client.questions.number(self.pending)
        self._follow(asked)

    def _follow(self, asked: Pending[Any]) -> None:
        self._asked = asked
        asked.when_settled(functools.partial(self._on_settled, asked))

    def _on_settled(self, asked: Pending[Any]) -> None:
        error = asked.failure()
        if error is None:
            self.pending.resolve(asked.value)
            return
        delay = self._policy.delay(self._attempts, random.random())  # noqa: S311 - it only spreads
        left = self._left()
        is_late = left is not None and left <= delay
        if is_late or not self._policy.wants(error, self._attempts):
            if self._attempts > 1:
                error.add_note(f"after {self._attempts} attempts")
            self.pending.fail(error)
        elif delay:
            self._client.questions.call_later(delay, self._try_again)
        else:
            self._try_again()

    def _left(self) -> float | None:
        return None if self._deadline is None else self._deadline - time.monotonic()

    def _try_again(self) -> None:
        if self.pending.done():  # nobody wants it any more
            return
        self._attempts += 1
        left = self._left()
        try:
            asked = self._send(None if left is None else max(0.0, left))
        except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits must get it
            self.pending.fail(exc)
            return
        self._follow(asked)

    # The source of its result.

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

    def breathe(self) -> Generator[Any, Any, None]:
        """See ``pending.Source``."""
        return self._client.breathe()

    def withdraw(self, pending: Pending[Any]) -> None:
        """See ``pending.Source``."""
        if not pending.done() and not self._client.waiting.has_waiter(pending):
            self._client.outgoing.withdraw(self._asked)
