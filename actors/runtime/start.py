"""What a new incarnation of an actor gets from its supervisor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from actors.runtime.directory import RuntimeDirectory


@attrs.frozen
class Arguments:
    """What each incarnation of an actor is made of: (class, args, kwargs), decoded in its process and nowhere else.

    Attributes:
        data: The pickle, or the parcel it is in, which the supervisor holds.
        is_parcel: Which of them.
        is_private: Its buffers may be written to.
        places: Of each child of its tree that is in the arguments: what they know it by, its number, its name.
        worker_index: Its place in a pool; None where it is in none.
        recycle: When its process is to be replaced, as attributes of ``Recycle``; None for never.
    """

    data: bytes
    is_parcel: bool = False
    is_private: bool = False
    places: Sequence[Sequence[Any]] = ()
    worker_index: int | None = None
    recycle: Mapping[str, float | None] | None = None


@attrs.frozen
class Shared:
    """A mailbox that an actor takes from besides its own, as others do.

    Attributes:
        number: Of the mailbox.
        mailbox_fd: As the root holds it; of the same transport as the actor's own.
        seat: Of this actor.
    """

    number: int
    mailbox_fd: int
    seat: int


@attrs.frozen
class Start:
    """All that a new incarnation gets.

    Attributes:
        directory: Of the system.
        number: Of the actor.
        incarnation: Which life of it.
        name: Of the actor, for people.
        scheme: Of the transport of its mailbox.
        mailbox_fd: Its mailbox, as the root holds it.
        goodbye_fd: Where it says why it ends.
        arguments: What it is made of.
        heartbeat: Seconds between two signs of life; None for none.
        resources: What the kernel allows it, as attributes of ``Resources``.
        redelivers: What it dies of goes to the next incarnation.
        shared: A mailbox that it takes from as well.
    """

    directory: RuntimeDirectory
    number: int
    incarnation: int
    name: str
    scheme: str
    mailbox_fd: int
    goodbye_fd: int
    arguments: Arguments
    heartbeat: float | None
    resources: Mapping[str, Any]
    redelivers: bool
    shared: Shared | None = None
