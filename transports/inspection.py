"""Looking into mailboxes by address, without taking anything and without their receivers noticing."""

from __future__ import annotations

import os

from transports import registry
from transports.address import Address
from transports.errors import translated
from transports.mailbox import Contents


def inspect(
    address: Address | str,
    *,
    held: int | None = None,
    head_bytes: int = 0,
    limit: int | None = None,
) -> Contents:
    """Return what waits in the mailbox at *address*: how much, and the oldest frames.

    What each transport shows: a ring and a pipe all, to any process of the user; a Unix socket all to who has *held*, and nothing
    to others; a message queue how many frames wait and none of them.

    Args:
        address: As ``shm:/dev/shm/mine/orders``.
        held: What ``Transport.create`` returned, or a duplicate, where there is one.
        head_bytes: How much of each frame to return.
        limit: How many frames to return at most; None for all.

    Raises:
        EndpointError: *address* is no address, or leads to no mailbox of this user.
        MailboxNotFoundError: There is none (any more).
        CorruptError: It makes no sense.
        LimitError: A limit of the machine leaves no room for the copy of a pipe.
    """
    if isinstance(address, str):
        address = Address.from_text(address)
    transport = registry.get(address.scheme)
    with translated(f"cannot open {address.directory}"):
        dir_fd = os.open(address.directory, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return transport.inspect(
            dir_fd, address.name, held=held, head_bytes=head_bytes, limit=limit
        )
    finally:
        os.close(dir_fd)
