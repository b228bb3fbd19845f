"""The order of a key's messages when the key moves from one worker to another.

When the table of workers changes, each worker that may lose keys gets a barrier, behind all that it was sent.
Until it has passed that, messages of the keys that it has lost are held here, in order.
No worker ever waits for another, so nothing can wait in a circle.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from actors.errors import AskTimeoutError
from actors.pending import Pending
from actors.pool.relay import Relay
from actors.pool.routing import ByKey, HashBy
from actors.pool.worker import Worker
from actors.runtime.client import Client

_HELD = "held until the worker that had the key before has handled what it was sent"
Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]
SendTo = Callable[[Worker[Any], float | None], Pending[Any]]


@attrs.define(eq=False)
class _Change:
    """A change of the table.

    Attributes:
        before: The table as it was.
        owner: Says who of them had a key.
        losers: Who may have lost keys, and has not passed its barrier.
    """

    before: tuple[Worker[Any], ...]
    owner: ByKey
    losers: set[Worker[Any]]


class _Held(Relay):
    """A message that waits for its turn."""

    def __init__(
        self,
        client: Client,
        key: Arguments,
        send: SendTo,
        about: tuple[int, str, str],
        timeout: float | None,
    ) -> None:
        super().__init__(client)
        self.describe(*about, timeout)
        self.key = key
        self._about = about
        self._send = send
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        if timeout is not None:
            client.questions.call_later(timeout, self._expire)

    def _expire(self) -> None:
        if self._sent is None and self._timeout is not None:
            _, target, method = self._about
            self.pending.fail(
                AskTimeoutError(target, method, self._timeout, False, _HELD)  # noqa: FBT003 - was_sent
            )

    def send(self, worker: Worker[Any]) -> None:
        """Send it to *worker*, unless nobody wants it any more."""
        if self.pending.done():
            return
        left = None
        if self._deadline is not None:
            left = max(0.0, self._deadline - time.monotonic())
        try:
            sent = self._send(worker, left)
        except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits must get it
            self.pending.fail(exc)
        else:
            self.follow(sent)


class Handover:
    """Keeps the order of one pool's keys."""

    def __init__(
        self,
        client: Client,
        settings: HashBy,
        table: Callable[[], tuple[Worker[Any], ...]],
        barrier: Callable[[Worker[Any]], Pending[Any]],
    ) -> None:
        """Hold back nothing yet.

        Args:
            client: Of this process.
            settings: Of the routing.
            table: Returns the workers as they are.
            barrier: Asks a worker for something that it answers behind all that it was sent; never fails while the system runs.
        """
        # Around choosing a worker and sending to it, and around changes of the table; callbacks may re-enter.
        self.lock = threading.RLock()
        self._client = client
        self._settings = settings
        self._table = table
        self._barrier = barrier
        self._choose = ByKey(settings)
        self._changes: list[_Change] = []
        self._held: deque[_Held] = deque()
        self._waiting: list[Pending[None]] = []  # until nothing is held

    def change(
        self,
        before: tuple[Worker[Any], ...],
        losers: Iterable[Worker[Any]],
    ) -> None:
        """Enter a change of the table, with the lock held, before anything is sent by the new one."""
        change = _Change(before, ByKey(self._settings), set(losers))
        if not change.losers:
            return
        self._changes.append(change)
        for worker in list(change.losers):
            passed = self._barrier(worker)
            passed.when_settled(functools.partial(self._passed, change, worker))

    def _passed(self, change: _Change, worker: Worker[Any]) -> None:
        with self.lock:
            change.losers.discard(worker)
            if not change.losers and change in self._changes:
                self._changes.remove(change)
            self._release()

    def _release(self) -> None:
        """Send what need not be held any more; what stays keeps its order."""
        for _ in range(len(self._held)):
            held = self._held.popleft()
            worker = self._choose(self._table(), *held.key)
            if self._is_blocked(held.key, worker):
                self._held.append(held)
            else:
                held.send(worker)
        if not self._changes and not self._held:
            waiting, self._waiting = self._waiting, []
            for pending in waiting:
                pending.resolve(None)

    def _is_blocked(self, key: Arguments, worker: Worker[Any]) -> bool:
        """Return whether somebody else had the key and may still have messages of it."""
        for change in self._changes:
            owner = change.owner(change.before, *key)
            if owner is not worker and owner in change.losers:
                return True
        return False

    def send(
        self, key: Arguments, send: SendTo, label: str, timeout: float | None
    ) -> Pending[Any]:
        """Send a message to the worker of its key, now or when its turn comes.

        Args:
            key: The arguments of the message.
            send: Sends it to a worker, with so many seconds left.
            label: Of its method.
            timeout: Seconds that it has.
        """
        with self.lock:
            worker = self._choose(self._table(), *key)
            if not self._changes or not self._is_blocked(key, worker):
                return send(worker, timeout)
            about = (worker.number, worker.ref.name, label)
            held = _Held(self._client, key, send, about, timeout)
            self._held.append(held)
            return held.pending

    def calm(self) -> Pending[None]:
        """Return when nothing is held."""
        pending: Pending[None] = Pending(self._client)
        with self.lock:
            if self._changes or self._held:
                self._waiting.append(pending)
            else:
                pending.resolve(None)
        return pending
