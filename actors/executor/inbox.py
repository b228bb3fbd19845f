"""A thread that does one thing after the other: what others have posted to it, and what is due.

It sleeps where the answers of a system come in, and looks after those of the whole process meanwhile.
Posting takes no lock, so it may be done anywhere: in a signal handler, in a finalizer, while answers are being taken in.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from actors.pending import WAITING, Pending
from actors.runtime.client import Client

Post = tuple[Callable[..., None], tuple[Any, ...]]


class Inbox:
    """What has been posted to one thread."""

    def __init__(self, client: Client) -> None:
        """Wait with *client*."""
        self._client = client
        self._posts: deque[Post] = deque()
        self._alarm: Pending[None] = Pending(client)
        self._thread = 0

    def post(self, act: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 - as *act* takes them
        """Have *act* called with *args* by the thread."""
        self._posts.append((act, args))
        # After the post: the thread makes a new one before it looks for posts.
        alarm = self._alarm
        if alarm.state == WAITING:
            alarm.resolve(None)
            # The thread itself posts while it takes answers in, and looks at the alarm next.
            if threading.get_ident() != self._thread:
                self._client.waiting.rouse()

    def wake(self) -> None:
        """Have the thread look, also where Ctrl-C has cut a post short."""
        self._alarm.resolve(None)
        self._client.waiting.rouse()

    def wait(self, due: float | None) -> None:
        """Sleep until something has been posted, or *due*, a monotonic time, has come.

        Raises:
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        self._thread = threading.get_ident()
        alarm: Pending[None] = Pending(self._client)
        self._alarm = alarm
        self._client.ending.include(alarm)
        if not self._posts:
            left = None if due is None else max(0.0, due - time.monotonic())
            self._client.block(alarm, left)
        self._client.check()

    def work(self) -> None:
        """Do what has been posted."""
        while self._posts:
            try:
                act, args = self._posts.popleft()
            except IndexError:  # another thread helps, because this one has ended
                return
            act(*args)

    def __bool__(self) -> bool:
        return bool(self._posts)
