"""A call that is tried again: several asks, one result."""

from __future__ import annotations

import random
import time

from actors.pool.policy import Policy
from actors.pool.relay import Relay, Send
from actors.runtime.client import Client


class Call(Relay):
    """The asks of one call."""

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
        super().__init__(client)
        self._send = send
        self._policy = policy
        self._attempts = 1
        self._deadline = None if timeout is None else time.monotonic() + timeout
        asked = send(timeout)
        self.describe(asked.number, asked.target, asked.method, timeout)
        self.follow(asked)

    def _on_failed(self, error: BaseException) -> None:
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
        self.follow(asked)
