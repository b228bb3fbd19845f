"""Letting a pool grow and shrink by itself: looking at it, and doing what ``autoscale`` decides."""

from __future__ import annotations

import time
from typing import Any

from actors.errors import ActorError
from actors.mailbox import MailboxState
from actors.pending import Pending
from actors.pool.autoscale import Autoscale, Calm, Look, decide
from actors.pool.crew import Crew
from actors.pool.gathering import gathered
from actors.runtime.client import Client


class Scaler:
    """Looks at one pool every now and then.

    The next look is arranged when all that follows from one is done, so nothing piles up where the system is slow.
    """

    def __init__(self, crew: Crew[Any], settings: Autoscale) -> None:
        """Look after *crew* from now on."""
        self._crew = crew
        self._client: Client = crew.client
        self._settings = settings
        self._calm = Calm()
        self._empty_at = time.monotonic()
        self._wait()

    def _wait(self) -> None:
        self._client.questions.call_later(self._settings.interval, self._look)

    def _look(self) -> None:
        if self._crew.is_stopped or self._client.ended_with is not None:
            return
        try:
            states = gathered(self._client, self._crew.queues())
        except ActorError:  # no room for the question
            self._wait()
            return
        states.when_settled(lambda: self._decide(states))

    def _decide(self, states: Pending[list[MailboxState]]) -> None:
        # It fails where a worker has ended, or the system has.
        if states.failure() is not None or self._crew.is_stopped:
            self._wait()
            return
        now, size = time.monotonic(), self._crew.size
        look = Look(now, size, self._crew.busy(), self._age(states.value, now))
        wanted, self._calm = decide(self._settings, self._calm, look)
        if wanted == size:
            self._wait()
            return
        try:
            resized = self._crew.resize(wanted)
        except ActorError:  # another thread has stopped the pool, or closes the system
            self._wait()
            return

        def go_on() -> None:
            resized.failure()  # of a worker that did not start; the root has said why
            self._wait()

        resized.when_settled(go_on)

    def _age(self, states: list[MailboxState], now: float) -> float:
        """Return for how long the oldest message has waited."""
        if not any(state.messages for state in states):
            self._empty_at = now
            return 0.0
        ages = [state.age for state in states if state.age is not None]
        # Where the kernel shows none of them, it is no older than this.
        return max(ages, default=now - self._empty_at)
