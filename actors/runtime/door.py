"""The door of a system: a socket in its directory at which programs that do not own the system ask to join it.

A program sends its pidfd and one end of a *line*, a pair of connected sockets, in one datagram.
The root answers on the line with a process number and a pidfd of its own, so that each sees the other's death.
The line stays for as long as the program is part of the system: it leaves by hanging up.
A line that nobody takes in is closed by the kernel with the root's end of the door, so no program waits for a dead root.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import attrs

from actors.errors import AttachError, SystemClosedError
from transports import registry

NAME = "door"
ANSWER_SECONDS = 5.0  # a root answers within milliseconds unless it is stopped
ENDED = "it has just ended"

_JOIN = b"join"
_ANSWER_BYTES = 4096
_LINE = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC
_REFUSALS: dict[str, type[Exception]] = {
    "closing": SystemClosedError,
    "no_room": AttachError,
}


@attrs.define(eq=False)
class Place:
    """What a program has got from the root: its place in the system.

    Attributes:
        number: Its process number.
        root_pidfd: The root.
        line: To hang up.
    """

    number: int
    root_pidfd: int
    line: socket.socket

    def leave(self) -> None:
        """Hang up, and wait until the root has removed what belonged to the place."""
        # The root may be gone, or stopped: then nobody removes anything now, and there is nothing to wait for.
        with contextlib.suppress(OSError):
            # Not close alone: a process forked from this one may hold the line as well.
            self.line.shutdown(socket.SHUT_WR)
            self.line.recv(1)
        self.line.close()
        os.close(self.root_pidfd)


@attrs.define(eq=False)
class Visitor:
    """A program at the door, seen from inside.

    Attributes:
        pidfd: The program.
        line: To answer, and to notice that it hangs up.
    """

    pidfd: int
    line: socket.socket

    def admit(self, number: int, root_pidfd: int) -> None:
        """Give it a place."""
        self._answer({"number": number}, root_pidfd)

    def refuse(self, error: str, text: str) -> None:
        """Send it away; *error* is ``closing`` or ``no_room``."""
        self._answer({"error": error, "text": text})
        self.close()

    def _answer(self, facts: dict[str, object], *fds: int) -> None:
        # It may have died meanwhile, which its pidfd tells.
        with contextlib.suppress(OSError):
            socket.send_fds(self.line, [json.dumps(facts).encode()], fds)

    def close(self) -> None:
        """Hang up."""
        self.line.close()
        os.close(self.pidfd)


def create(dir_fd: int) -> int:
    """Make the door of the system in the directory *dir_fd* and return its descriptor."""
    return registry.get("unix").create(dir_fd, NAME)


def knock(dir_fd: int) -> Place:
    """Ask to join the system in the directory *dir_fd*.

    Raises:
        AttachError: The system has ended, does not answer, or has no room for another program.
        SystemClosedError: It is closing.
    """
    line, theirs = socket.socketpair(socket.AF_UNIX, _LINE)
    with contextlib.ExitStack() as undo:
        undo.callback(line.close)
        with _translated(), theirs:
            _send(dir_fd, theirs.fileno())
        with _translated():
            line.settimeout(ANSWER_SECONDS)
            answer, fds, _, _ = socket.recv_fds(
                line, _ANSWER_BYTES, 1, socket.MSG_CMSG_CLOEXEC
            )
        if not answer:
            raise AttachError(ENDED)
        facts = json.loads(answer)
        if "error" in facts:
            error = _REFUSALS[facts["error"]]
            raise error(facts["text"])
        if not fds:  # the kernel drops what finds no place
            msg = "this program has too many open files"
            raise AttachError(msg)
        undo.pop_all()
    return Place(facts["number"], fds[0], line)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn a silence or a refusal of the kernel into what it means."""
    try:
        yield
    except TimeoutError as exc:
        msg = f"its root supervisor has not answered for {ANSWER_SECONDS:g} s; is it stopped?"
        raise AttachError(msg) from exc
    except OSError as exc:
        raise AttachError(ENDED) from exc


def _send(dir_fd: int, line_fd: int) -> None:
    own = os.pidfd_open(os.getpid())
    try:
        with socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        ) as outside:
            outside.settimeout(ANSWER_SECONDS)
            outside.connect(f"/proc/self/fd/{dir_fd}/{NAME}")
            socket.send_fds(outside, [_JOIN], [own, line_fd])
    finally:
        os.close(own)


def take(door: socket.socket) -> Visitor | None:
    """Return the next program at the *door*, which does not block; None when there is none, or it makes no sense."""
    try:
        data, fds, _, _ = socket.recv_fds(
            door, len(_JOIN), 2, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
        )
    except BlockingIOError:
        return None
    with contextlib.ExitStack() as undo:
        for fd in fds:
            undo.callback(os.close, fd)
        if data != _JOIN or len(fds) != 2 or pid_of(fds[0]) is None:
            return None
        try:
            line = socket.socket(fileno=fds[1])
        except OSError:  # it is something else
            return None
        undo.pop_all()
    line.setblocking(False)  # noqa: FBT003 - the function's own form
    return Visitor(fds[0], line)


def pid_of(pidfd: int) -> int | None:
    """Return the pid behind *pidfd*, -1 once the process is gone; None if it is no pidfd."""
    try:
        text = Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii")
    except OSError:  # no descriptor is left to look with
        return None
    found = re.search(r"^Pid:\s*(-?[0-9]+)$", text, re.MULTILINE)
    return int(found[1]) if found else None
