"""When the process of a worker is to be replaced by a fresh one: after so many messages, so many seconds, above so much memory.

The process says so itself, once, and goes on until somebody has seen to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

LOOK_SECONDS = 0.05  # between two looks at the memory, while there is work
_KIB = 1024


class Wear:
    """How worn this process is."""

    def __init__(
        self,
        limits: Mapping[str, float | None],
        loop: asyncio.AbstractEventLoop,
        handled: Callable[[], int],
        tell: Callable[[str], None],
    ) -> None:
        """Begin with a fresh process.

        Args:
            limits: Attributes of ``Recycle``.
            loop: Of this process.
            handled: Says how many messages it has finished.
            tell: Called once, with what it is worn of.
        """
        self._messages = limits["after_messages"]
        self._bytes = limits["above_bytes"]
        self._loop = loop
        self._handled = handled
        self._tell = tell
        self._is_told = False
        self._is_looking = False
        seconds = limits["after_seconds"]
        if seconds is not None:
            loop.call_later(seconds, self._wear_out, f"{seconds:g} s have passed")

    def left(self, most: int) -> int:
        """Return how many messages may be handled before the next call of ``worked``, *most* or fewer."""
        if self._messages is None or self._is_told:
            return most
        return max(1, min(most, int(self._messages) - self._handled()))

    def worked(self) -> None:
        """Look at what has become of the process: it has handled messages."""
        if self._is_told:
            return
        if self._messages is not None and self._handled() >= self._messages:
            self._wear_out(f"{self._handled()} messages were handled")
        elif self._bytes is not None and not self._is_looking:
            self._is_looking = True
            self._loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._is_looking = False
        used = memory()
        if self._bytes is not None and used > self._bytes:
            self._wear_out(f"{used // 2**20} MiB are in use")

    def _wear_out(self, cause: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell(cause)


def memory() -> int:
    """Return the bytes of memory of its own that this process has (``RssAnon``); what it shares with others is not in it."""
    text = Path("/proc/self/status").read_text("ascii", "replace")
    return int(text.partition("RssAnon:")[2].split(maxsplit=1)[0]) * _KIB
