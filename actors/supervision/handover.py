"""A birth on its way to another process: the order, and the descriptors beside it.

An actor's arguments are in the order, or, where they are too large for that, in a file that is the last of the descriptors.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from actors.runtime.start import Arguments
from actors.supervision import orders
from actors.supervision.birth import AsActor, Birth
from actors.supervision.line import Line

INLINE_BYTES = 16 * 1024  # of the arguments in an order, which is a datagram


@contextlib.contextmanager
def packed(birth: Birth) -> Iterator[tuple[bytes, list[int]]]:
    """Give the datagram for *birth*, with what travels beside it.

    Raises:
        OSError: There is no room for its arguments, or no descriptor.
    """
    descriptors = list(birth.descriptors())
    if not isinstance(birth.role, AsActor):
        yield orders.of_birth(birth), descriptors
        return
    arguments = birth.role.arguments.data
    if len(arguments) <= INLINE_BYTES:
        yield orders.of_birth(birth, arguments), descriptors
        return
    fd = os.memfd_create("arguments", os.MFD_CLOEXEC)
    try:
        view = memoryview(arguments)
        while view:
            view = view[os.write(fd, view) :]
        yield orders.of_birth(birth), [*descriptors, fd]
    finally:
        os.close(fd)


def unpacked(facts: dict[str, Any], descriptors: list[int]) -> Birth | None:
    """Return the birth that has come, which owns *descriptors*; None when this process had no room for all of them."""
    if len(descriptors) < orders.count_descriptors(facts):
        for fd in descriptors:
            os.close(fd)
        return None
    if orders.lacks_arguments(facts):
        facts = {**facts, orders.INLINE: _read(descriptors.pop())}
    return orders.to_birth(facts, descriptors)


def rehearse() -> None:
    """Send a birth of nobody, without descriptors, and unpack it."""
    role = AsActor("shm", -1, Arguments(b""))
    order = orders.of_birth(Birth(0, 0, "", "", -1, role), b"")
    ours, end = Line.pair()
    theirs = Line.waiting(end.detach())
    with contextlib.closing(ours), contextlib.closing(theirs):
        ours.send(order)
        if theirs.has_arrived_within(0) and (received := theirs.receive()) is not None:
            unpacked(orders.from_bytes(received[0])[1], [-1, -1])


def _read(fd: int) -> bytes:
    """Return what *fd* holds, and close it."""
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        return file.read()
