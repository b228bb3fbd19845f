"""One call of an executor, which is the future that its caller holds.

Whoever *claims* a call settles it: whoever brings the answer, a deadline, or ``cancel``.
Until then it is pending for ``concurrent.futures``, also while it runs: so it can be cancelled by the ordinary rules of futures.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from actors import interrupts
from actors.wire.parcel import Parcel

T = TypeVar("T")


class Check(Protocol):
    """Raises where a call cannot be used."""

    def __call__(self, *, is_waiting: bool) -> None:
        """Look whether it can be, also by somebody who *is_waiting* for it."""


class Call(Future[T]):
    """A call on its way to a process, in it, or over."""

    def __init__(
        self,
        label: str,
        body: bytes | Parcel,
        timeout: float | None,
        on_cancel: Callable[[Call[T]], None],
        check: Check,
    ) -> None:
        """Make a call that nobody has taken yet.

        Args:
            label: The function, for people.
            body: The message; dropped when the call is over, because futures may be kept for long.
            timeout: Seconds it may take, waiting included; None for no limit.
            on_cancel: Is told of a call that somebody has cancelled.
            check: Raises where this process is a fork of the executor's, or whoever is going to wait would do so for ever.
        """
        super().__init__()
        self.label = label
        self.body = body
        self.timeout = timeout
        self.started = 0.0  # monotonic; 0 while it waits
        self._claim = threading.Lock()
        self._on_cancel = on_cancel
        self._check = check

    @property
    def is_over(self) -> bool:
        """Whether somebody has claimed it."""
        return self._claim.locked()

    def claim(self) -> bool:
        """Return whether it is the caller who settles it; True once."""
        if not self._claim.acquire(blocking=False):
            return False
        self.body = b""
        return True

    def cancel(self) -> bool:
        """Cancel the call; one that runs is ended, with its process.

        The next call is not affected: the process that ran this one takes no other.

        Returns:
            Whether it is cancelled; False when it has finished before.

        Raises:
            ForkedHandleError: This process was forked from the one that has made the call, and it was not over.
        """
        if not self.is_over:
            self._check(is_waiting=False)
        if not self.claim():
            return super().cancel()
        self._on_cancel(self)
        is_cancelled = super().cancel()
        if is_cancelled:
            self.set_running_or_notify_cancel()  # for those who wait for several
        return is_cancelled

    def running(self) -> bool:
        """Return whether a process executes the call."""
        return bool(self.started) and not self.done()

    def settle(self, error: BaseException | None, value: T | None = None) -> bool:
        """Finish it with *error*, or with *value*; return whether it was not over before."""
        if not self.claim():
            return False
        # A cancel that comes now finds it claimed, and wins all the same.
        if self.set_running_or_notify_cancel():
            if error is None:
                self.set_result(value)  # type: ignore[arg-type]  # T may be None
            else:
                self.set_exception(error)
        return True

    def result(self, timeout: float | None = None) -> T:
        """Return the result; see ``concurrent.futures.Future``.

        Raises:
            ForkedHandleError: This process was forked from the one that has made the call, and it was not over.
            RuntimeError: It was not over, and this is a call-back of a future of the same executor: they all run where calls are settled.
        """
        return super().result(self._sleep(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception; see ``concurrent.futures.Future``.

        Raises:
            ForkedHandleError: As ``result``.
            RuntimeError: As ``result``.
        """
        return super().exception(self._sleep(timeout))

    def _sleep(self, timeout: float | None) -> float | None:
        """Wait until it is done, or *timeout* is so near that the rest is one sleep; return the rest."""
        if self.done():
            return timeout
        if not self.is_over:
            self._check(is_waiting=True)
        step = interrupts.longest_sleep()
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self.done() and end - time.monotonic() > step:
            with self._condition:
                self._condition.wait_for(self.done, step)
        return None if timeout is None else end - time.monotonic()
