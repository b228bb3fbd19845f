"""What actors write to their standard streams: read as it comes, and written to the console line by line, with the actor's name.

Each stream is a FIFO in the directory of the system, which outlives the process: whatever a killed one has written is read.
An actor waits only while its FIFO is full, and the FIFO is read unless the console is full.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors

import attrs

from actors.runtime import streams
from actors.runtime.directory import RuntimeDirectory
from actors.supervision import log
from actors.supervision.console import STDERR, STDOUT, Console
from actors.supervision.lines import Lines

READ_BYTES = 64 * 1024
# A user has 16 384 pages in all pipes, of which one would take 16 by default; with 2, twelve actors' lines a wake-up.
PIPE_BYTES = 8192


@attrs.define(eq=False)
class Stream:
    """One stream of one actor."""

    fd: int
    name: str  # of the FIFO
    place: int  # which stream of the console
    lines: Lines


class Outputs:
    """The output of all actors."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        selector: selectors.EpollSelector,
        console: Console,
        *,
        is_labelled: bool,
    ) -> None:
        """Read in *selector*, unless not *is_labelled*: then actors write where we do."""
        console.when_room = self._go_on
        self._directory = directory
        self._selector = selector
        self._console = console
        self._is_labelled = is_labelled
        self._streams: dict[int, list[Stream]] = {}
        self._stopped: list[Stream] = []  # until there is room

    def open(self, number: int, name: str) -> None:
        """Give actor *number* streams of its own.

        Raises:
            OSError: They cannot be made, and it has none.
        """
        if not self._is_labelled:
            return
        made = self._streams[number] = list[Stream]()
        places = {streams.OUT: STDOUT, streams.ERR: STDERR}
        if self._console.is_one_place:
            del places[streams.ERR]
        try:
            for ending, place in places.items():
                fd = streams.create(self._directory.fd, number, ending)
                file = streams.file_name(number, ending)
                lines = Lines(self._console.prefix(place, number, name))
                made.append(Stream(fd, file, place, lines))
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                self._watch(made[-1])
        except OSError:
            self.end(number)
            raise

    def finish(self, number: int) -> None:
        """Write what is left of an incarnation that has ended, with all it has started."""
        for stream in self._streams.get(number, ()):
            while data := _read(stream):
                self._put(stream, stream.lines.feed(data))
            self._put(stream, stream.lines.finish())

    def end(self, number: int) -> None:
        """Remove the streams of an actor that has ended for good."""
        for stream in self._streams.pop(number, ()):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(stream.fd)
            if stream in self._stopped:
                self._stopped.remove(stream)
            os.close(stream.fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(stream.name, dir_fd=self._directory.fd)

    def leave(self) -> None:
        """This is a new process: the log does not go to the console here."""
        log.FILE.inherit(is_read=self._is_labelled)

    def _watch(self, stream: Stream) -> None:
        self._selector.register(
            stream.fd, selectors.EVENT_READ, lambda: self._on_readable(stream)
        )

    def _on_readable(self, stream: Stream) -> None:
        if self._console.is_full:
            self._selector.unregister(stream.fd)
            self._stopped.append(stream)
            return
        self._put(stream, stream.lines.feed(_read(stream)))

    def _go_on(self) -> None:
        stopped, self._stopped = self._stopped, []
        for stream in stopped:
            self._watch(stream)

    def _put(self, stream: Stream, lines: bytes) -> None:
        if lines:
            self._console.put(stream.place, lines)


def _read(stream: Stream) -> bytes:
    """Return what there is; nothing when nothing is."""
    try:
        return os.read(stream.fd, READ_BYTES)
    except BlockingIOError:
        return b""
