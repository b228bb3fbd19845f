"""The connection between the root and one supervisor: datagrams in order, with descriptors beside them, and nobody ever waits for it.

What finds no room waits here.
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
from collections import deque
from collections.abc import Sequence

from actors.supervision import linux

MAX_BYTES = 64 * 1024  # of a datagram
MAX_DESCRIPTORS = 4
_CLOSE_ON_EXEC = int(socket.MSG_CMSG_CLOEXEC)
_CONTROL_BYTES = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


class Line:
    """One end of it."""

    def __init__(self, end: socket.socket) -> None:
        """Own *end*, which does not block."""
        self._socket = end
        self._waiting: deque[tuple[bytes, list[int]]] = deque()

    @staticmethod
    def pair() -> tuple[Line, socket.socket]:
        """Return one end and, for another process, the other.

        Raises:
            OSError: There is none to be had.
        """
        kind = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        return Line(ours), theirs

    @staticmethod
    def waiting(end: int) -> Line:
        """Return the end that this process has as the descriptor *end*, which waits for what comes."""
        connection = socket.socket(fileno=end)
        connection.setblocking(True)  # noqa: FBT003 - the function's own form
        return Line(connection)

    def fileno(self) -> int:
        """Return what is readable when something has come."""
        return self._socket.fileno()

    def has_arrived_within(self, seconds: float) -> bool:
        """Wait until something has come, or the other end is closed, and return whether that was in time."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    @property
    def has_backlog(self) -> bool:
        """Whether something waits for room."""
        return bool(self._waiting)

    def send(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send *data* with copies of *descriptors*, now or as soon as there is room; to an end that is closed, nothing."""
        if not self._waiting and self._put(data, descriptors):
            return
        with linux.file_reserve():
            self._waiting.append((data, [os.dup(fd) for fd in descriptors]))

    def try_send(self, data: bytes, descriptors: Sequence[int]) -> bool:
        """Send *data* with copies of *descriptors* now, or not at all; return whether there was room, and an end to send it to."""
        try:
            socket.send_fds(self._socket, [data], list(descriptors))
        except OSError:
            return False
        return True

    def flush(self) -> None:
        """Send what there is room for."""
        while self._waiting and self._put(*self._waiting[0]):
            for fd in self._waiting.popleft()[1]:
                os.close(fd)

    def _put(self, data: bytes, descriptors: Sequence[int]) -> bool:
        try:
            socket.send_fds(self._socket, [data], list(descriptors))
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            pass  # whoever is at the other end has died, and will be reaped
        return True

    def receive(self) -> tuple[bytes, list[int]] | None:
        """Return the next datagram with its descriptors; None when there is none now.

        Raises:
            EOFError: The other end is closed, and everything from it has been received.
        """
        with contextlib.suppress(BlockingIOError), linux.file_reserve():
            try:
                data, control, _, _ = self._socket.recvmsg(
                    MAX_BYTES, _CONTROL_BYTES, _CLOSE_ON_EXEC
                )
            except ConnectionResetError:  # it left something unread; its own is next
                data, control, _, _ = self._socket.recvmsg(
                    MAX_BYTES, _CONTROL_BYTES, _CLOSE_ON_EXEC
                )
            if not data:
                raise EOFError
            fds = array.array("i")
            for _, _, part in control:
                fds.frombytes(part[: len(part) - len(part) % fds.itemsize])
            return data, list(fds)
        return None

    def close(self) -> None:
        """Let go of it, and of what waits."""
        for _, descriptors in self._waiting:
            for fd in descriptors:
                os.close(fd)
        self._waiting.clear()
        self._socket.close()
