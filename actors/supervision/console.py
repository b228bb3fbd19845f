"""The two standard streams of a system: what alone writes there, so that lines stay whole and progress bars stay below them.

A stream that nobody reads delays those who write by two seconds at most, once, and the supervisor not at all.
"""

from __future__ import annotations

import os
import select
import selectors
import time
from collections.abc import Callable

from actors.supervision.alarms import Alarms
from actors.supervision.sink import Sink

STDOUT, STDERR = 1, 2
ALARM = "sink"
PATIENCE_SECONDS = 1.0  # with a sink that takes nothing of what there is
ERASE = b"\r\x1b[K"
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


class Console:
    """Standard output and standard error.

    Attributes:
        when_room: Called when it is not full any more.
    """

    def __init__(self, selector: selectors.EpollSelector, alarms: Alarms) -> None:
        """Wait for room in *selector*, no longer than *alarms* allow."""
        self.when_room: Callable[[], None] = lambda: None
        self._selector = selector
        self._alarms = alarms
        errors = Sink(STDERR)
        # A terminal mostly, or 2>&1: then the order of lines is one as well.
        self.is_one_place = _is_same(STDOUT, STDERR)
        self._sinks = {
            STDERR: errors,
            STDOUT: errors if self.is_one_place else Sink(STDOUT),
        }
        self._terminals = {stream for stream in self._sinks if os.isatty(stream)}
        self._watched: dict[Sink, int] = {}  # and what it had written when last asked
        self._bars: dict[int, bytes] = {}
        self._is_drawn = False  # one of them

    @property
    def is_full(self) -> bool:
        """Whether whoever could wait with more should."""
        return any(sink.is_full for sink in self._watched)

    def prefix(self, stream: int, number: int, name: str) -> bytes:
        """Return what stands before the lines of actor *number*."""
        label = f"{name} |"
        if stream in self._terminals and "NO_COLOR" not in os.environ:
            label = f"\x1b[{COLOURS[number % len(COLOURS)]}m{label}\x1b[0m"
        return f"{label} ".encode(errors="backslashreplace")

    def put(self, stream: int, lines: bytes) -> None:
        """Write whole *lines*."""
        if self._bars and stream in self._terminals:
            lines = self._erase() + lines + self._draw()
        self._put(stream, lines)

    def write(self, line: str) -> None:
        """Write a *line* of the log, its end included."""
        self.put(STDERR, line.encode(errors="backslashreplace"))

    def show(self, key: int, bar: str | None) -> None:
        """Keep *bar*, a line, below everything else on the terminal; None to remove it.

        There is one at a time: of several, the one that was shown first.
        """
        if STDERR not in self._terminals:
            return
        erased = self._erase()
        if bar is None:
            self._bars.pop(key, None)
        else:
            line = bar.replace("\n", " ")
            self._bars[key] = line.encode(errors="backslashreplace")
        self._put(STDERR, erased + self._draw())

    def finish(self) -> None:
        """Write what waits, for as long as somebody takes it; nothing comes after that."""
        for key in list(self._bars):
            self.show(key, None)
        self._flush_all()
        self._tell_loss()
        for sink in {*self._sinks.values()}:
            sink.close()

    def _flush_all(self) -> None:
        for sink in self._watched:
            poll = select.poll()
            poll.register(sink.fd, select.POLLOUT)
            while sink.is_behind and poll.poll(PATIENCE_SECONDS * 1000):
                sink.flush()

    def _tell_loss(self) -> None:
        """Say where it may be read what has become of the rest of standard output."""
        output = self._sinks[STDOUT]
        loss = output.loss()
        if loss is not None and output is not self._sinks[STDERR]:
            lines, why = loss
            self.write(
                f"({lines} lines could not be written to standard output: {why})\n"
            )
            self._flush_all()

    # The bars.

    def _erase(self) -> bytes:
        return ERASE if self._is_drawn else b""

    def _draw(self) -> bytes:
        self._is_drawn = bool(self._bars)
        return next(iter(self._bars.values()), b"")

    # Room.

    def _put(self, stream: int, data: bytes) -> None:
        sink = self._sinks[stream]
        sink.put(data)
        if sink.is_behind and sink not in self._watched:
            self._selector.register(
                sink.fd, selectors.EVENT_WRITE, lambda: self._on_room(sink)
            )
            self._expect(sink)

    def _on_room(self, sink: Sink) -> None:
        was_full = sink.is_full
        sink.flush()
        if not sink.is_behind:
            del self._watched[sink]
            self._selector.unregister(sink.fd)
            self._alarms.clear((ALARM, sink.fd))
        elif (ALARM, sink.fd) not in self._alarms:  # it was deaf
            self._expect(sink)
        if was_full and not sink.is_full:
            self.when_room()

    def _expect(self, sink: Sink) -> None:
        self._watched[sink] = sink.written
        due = time.monotonic() + PATIENCE_SECONDS
        self._alarms.set((ALARM, sink.fd), due)

    def on_alarm(self, fd: int) -> None:
        """Some time has passed since a sink could not take everything."""
        for sink, before in list(self._watched.items()):
            if sink.fd == fd and sink.written != before:
                self._expect(sink)
            elif sink.fd == fd:
                sink.give_up()
                self.when_room()


def _is_same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:  # closed
        return False
