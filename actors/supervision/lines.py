"""What an actor writes, as whole lines with its name in front: bytes in, bytes out."""

from __future__ import annotations

MAX_LINE_BYTES = 64 * 1024  # a longer line is shown in pieces of this size


class Lines:
    """The output of one actor.

    A line that rewrites itself with carriage returns, as progress bars do, is shown as a terminal would have it in the end.
    """

    def __init__(self, prefix: bytes) -> None:
        """Put *prefix* in front of every line."""
        self._prefix = prefix
        self._between = b"\n" + prefix
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return the lines that *data* completes."""
        head, newline, rest = (self._rest + data).rpartition(b"\n")
        whole = head.split(b"\n") if newline else []
        if len(rest) > MAX_LINE_BYTES:
            rest = _seen(rest)
        while len(rest) > MAX_LINE_BYTES:
            whole.append(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest
        return self._labelled(whole) if whole else b""

    def finish(self) -> bytes:
        """Return what is left of a line whose end nobody will write any more."""
        rest, self._rest = self._rest, b""
        return self._labelled([rest]) if rest else b""

    def _labelled(self, lines: list[bytes]) -> bytes:
        text = self._between.join(map(_seen, lines))
        return self._prefix + text + b"\n"


def _seen(line: bytes) -> bytes:
    """Return what a terminal shows of *line*."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]
