"""A process of which others are copies: forked once, it has nothing of anybody's, and makes one when it is told to.

Its copies are children of its parent, and of what its parent did since they have nothing.
A supervisor that forks would pay for it with each page that it writes to afterwards.

It ends when its line is closed, and with its parent.

Source: Android's zygote, which is the parent of its copies.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Callable
from typing import NoReturn

import attrs

from actors.supervision import fork, linux
from actors.supervision.line import Line

NAME = "actors: mould"  # what ``ps`` shows
# Of a system that can have no copies like that: a kernel without checkpoints, a C library of another make, a sandbox.
NEVER = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM})


_AHEAD, _AWAITED = b"ahead", b"awaited"  # what is ordered


@attrs.frozen
class Copy:
    """What has come of an order.

    Attributes:
        pid: Of the process; 0 where there is none.
        pidfd: Of the process; open.
        code: Why there is none, as ``errno``.
    """

    pid: int
    pidfd: int = -1
    code: int = 0


def order(line: Line, end: socket.socket, *, is_awaited: bool = False) -> bool:
    """Have a copy made that has *end*, and whether it *is_awaited* by a birth; return whether there is somebody to make it."""
    return line.try_send(_AWAITED if is_awaited else _AHEAD, [end.fileno()])


def receive(line: Line) -> Copy | None:
    """Return what has come of an order, None as long as nothing has.

    Raises:
        EOFError: Nobody is there any more.
    """
    received = line.receive()
    if received is None:
        return None
    data, descriptors = received
    pid, code = json.loads(data)
    if descriptors:
        return Copy(pid, descriptors[0])
    return Copy(0, code=code or errno.EMFILE)  # none came: we have no room for it


def be(
    end: int, body: Callable[[int, bool], NoReturn], finish: Callable[[], None]
) -> NoReturn:
    """Make copies as they are ordered, in a new process; never returns.

    Args:
        end: Descriptor by which orders come.
        body: What a copy does with the descriptor that has come with the order for it, and whether a birth awaits it.
        finish: Is called when no more will be ordered.
    """
    linux.set_process_name(NAME)
    parent = os.getppid()
    line = Line.waiting(end)
    with contextlib.suppress(EOFError):  # whoever keeps us has ended, or needs none
        while True:
            _serve(line, parent, body)
    finish()
    os._exit(0)


def _serve(line: Line, parent: int, body: Callable[[int, bool], NoReturn]) -> None:
    received = line.receive()
    assert received is not None  # noqa: S101 - it waits for what comes; for the checkers
    kind, (own,) = received

    def live() -> NoReturn:
        line.close()
        body(own, kind == _AWAITED)

    try:
        pid, pidfd = fork.sibling(parent, live)
    except OSError as exc:
        line.send(json.dumps([0, exc.errno]).encode())
    else:
        line.send(json.dumps([pid, 0]).encode(), [pidfd])
        os.close(pidfd)
    finally:
        os.close(own)
