"""Timers and signals of an actor: they become ticks, which wait for their turn like messages.

They belong to the incarnation: nothing of them survives it.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NoReturn

from actors.runtime.clock import Clock, MovedClock


class Tick:
    """A call that the actor sends itself."""

    def __init__(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.is_queued = False
        self.is_cancelled = False


class Timer:
    """A tick with a time: once, or again and again."""

    def __init__(
        self,
        clock: Clock,
        queue: deque[Tick],
        tick: Tick,
        delay: float,
        *,
        repeats: bool,
    ) -> None:
        """Put *tick* into *queue* in *delay* seconds, and every *delay* seconds if it *repeats*."""
        self._clock = clock
        self._queue = queue
        self._tick = tick
        self._period = delay if repeats else None
        # Ticks coalesce when the actor is late.  A test that moves the time counts its moves, however fast they come.
        self._coalesces = not isinstance(clock, MovedClock)
        self._due = clock.time() + delay
        self._handle = clock.call_at(self._due, self._fire)

    def __reduce__(self) -> NoReturn:
        msg = "a timer cannot be sent: it is the actor's own; let a message of the actor cancel it"
        raise TypeError(msg)

    def _fire(self) -> None:
        if not (self._coalesces and self._tick.is_queued):
            self._tick.is_queued = True
            self._queue.append(self._tick)
        if self._period is not None:
            missed = max(0, int((self._clock.time() - self._due) / self._period))
            self._due += self._period * (missed + 1)
            self._handle = self._clock.call_at(self._due, self._fire)

    def cancel(self) -> None:
        """Call it off; a tick that waits already is dropped."""
        self._tick.is_cancelled = True
        self._handle.cancel()
