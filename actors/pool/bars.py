"""How a ``Meter`` is shown: as a bar at the bottom of the terminal, or in a line now and then where there is none.

The terminal is written to by the root supervisor, which shows there what actors print: it keeps the bar below that.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

from actors.pool.meter import Meter
from actors.runtime.client import MAIN, Client

if TYPE_CHECKING:  # optional
    from rich.console import Console

BAR_CELLS = 30
ERASE = "\r\x1b[K"
_STDERR = 2
_keys = itertools.count(1)


class Display(Protocol):
    """What shows a meter; ``period`` is the time between two looks, in seconds."""

    period: float

    def begin(self, meter: Meter) -> None:
        """It begins."""

    def show(self, meter: Meter) -> None:
        """Show how it is now."""

    def finish(self, meter: Meter) -> None:
        """Show how it has ended."""


def display(client: Client) -> Display:
    """Return a bar for the program that owns the system and has a terminal, lines for all others."""
    if client.number == MAIN and os.isatty(_STDERR) and _is_terminal(sys.stderr):
        return Bar(client)
    return Lines()


class Lines:
    """A line now and then, on standard error."""

    period = 5.0

    def begin(self, meter: Meter) -> None:
        """See ``Display``: there is nothing to say yet."""

    @staticmethod
    def show(meter: Meter) -> None:
        """See ``Display``."""
        _print(f"{meter.title}: {meter.figures()}")

    @staticmethod
    def finish(meter: Meter) -> None:
        """See ``Display``."""
        _print(meter.summary())


class Bar:
    """A line that the root of *client*'s system keeps below everything else on the terminal of this program."""

    period = 0.1

    def __init__(self, client: Client) -> None:
        """Show nothing yet."""
        self._client = client
        self._key = next(_keys)
        self._draw = _drawing()
        self._streams = contextlib.ExitStack()

    def begin(self, meter: Meter) -> None:
        """See ``Display``: from here on, what this program prints appears above the bar."""
        for name in ("stdout", "stderr"):
            if _is_terminal(getattr(sys, name)):
                self._streams.enter_context(_above(name))
        self.show(meter)

    def show(self, meter: Meter) -> None:
        """See ``Display``."""
        # The last column stays free: some terminals begin a new line behind it.
        columns = shutil.get_terminal_size().columns - 1
        self._tell(self._draw(meter, columns))

    def finish(self, meter: Meter) -> None:
        """See ``Display``."""
        self._tell(None)
        self._streams.close()
        _print(f"{ERASE}{meter.summary()}")

    def _tell(self, text: str | None) -> None:
        if self._client.ended_with is None:  # else it went with the root
            self._client.notify_root("bar", {"key": self._key, "text": text})


def _is_terminal(stream: object) -> bool:
    """Return whether *stream* is a terminal of the program's own; in a notebook, or where somebody has replaced it, it is not."""
    return isinstance(stream, io.TextIOWrapper | _Above) and stream.isatty()


def _print(line: str) -> None:
    # Nobody's work ends because nobody reads how far it is.
    with contextlib.suppress(OSError):
        # At once, with its end: else the root, which erases a bar, could come in between.
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


# What this program prints itself.


class _Above(io.TextIOBase):
    """A stream at a terminal, of which each whole line takes the place of the bar; that is drawn anew below."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        head, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._stream.write(f"{ERASE}{head}\n")
            self._stream.flush()
        return len(text)

    def finish(self) -> None:
        """Write the beginning of a line that has not ended."""
        if self._rest:
            self._stream.write(f"{ERASE}{self._rest}")

    def isatty(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()


@contextlib.contextmanager
def _above(name: str) -> Iterator[None]:
    before = getattr(sys, name)
    above = _Above(before)
    setattr(sys, name, above)
    try:
        yield
    finally:
        above.finish()
        if getattr(sys, name) is above:  # else somebody has put another one there
            setattr(sys, name, before)


# Drawing.


def _drawing() -> Callable[[Meter, int], str]:
    """Return what draws a meter in so many columns."""
    try:
        import rich.console  # noqa: F401, PLC0415 - optional, and not for those who want no bar
    except ImportError:
        return plain
    return coloured


def plain(meter: Meter, columns: int) -> str:
    """Return *meter* as a line, in characters that every terminal has."""
    figures = meter.figures()
    if meter.share is None:
        return f"{meter.title} {figures}"[:columns]
    cells = max(0, min(BAR_CELLS, columns - len(meter.title) - len(figures) - 9))
    full = int(meter.share * cells)
    bar = "#" * full + "." * (cells - full)
    return f"{meter.title} [{bar}] {meter.share:4.0%} {figures}"[:columns]


def coloured(meter: Meter, columns: int) -> str:
    """Return *meter* as a line that rich has drawn."""
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - see _drawing
    from rich.table import Table  # noqa: PLC0415 - see _drawing
    from rich.text import Text  # noqa: PLC0415 - see _drawing

    line = Table.grid(padding=(0, 1))
    row: list[Text | ProgressBar] = [Text(meter.title, "bold", no_wrap=True)]
    if meter.share is not None:
        row.append(
            ProgressBar(meter.total or 1, meter.share * (meter.total or 1), BAR_CELLS)
        )
        row.append(Text(f"{meter.share:.0%}", no_wrap=True))
    row.append(Text(meter.figures(), "cyan", no_wrap=True, overflow="crop"))
    line.add_row(*row)
    console = _console(columns)
    with console.capture() as captured:
        console.print(line, end="", no_wrap=True, crop=True)
    return captured.get().rstrip("\n")


@functools.lru_cache(1)
def _console(columns: int) -> Console:
    from rich.console import Console  # noqa: PLC0415 - see _drawing

    return Console(file=io.StringIO(), force_terminal=True, width=columns)
