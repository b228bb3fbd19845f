"""A mailbox that several actors take from: whoever of them is free takes the next message.

It has a number of its own, so that a ref with that number reaches all of them, and no process.
"""

from __future__ import annotations

import os
from typing import Protocol

import attrs

from actors.runtime.start import Shared
from actors.supervision.estate import HOLDER_SEAT, Estate
from actors.supervision.events import Subject


class Owner(Subject, Protocol):
    """Whose a mailbox is."""

    @property
    def estate(self) -> Estate:
        """What it has outside its process."""
        ...

    def method(self, name: str) -> str:
        """Return the full name of a message."""
        ...


@attrs.define(eq=False)
class SharedMailbox:
    """One of them, with the actors that take from it.

    Attributes:
        number: Its own.
        label: For people.
        class_name: Of the actors.
        estate: The mailbox, and a status page without slots.
        opener: The process that has asked for it, for actors to come.
        seats: Of the actors that there are, by their numbers.
    """

    number: int
    label: str
    class_name: str
    estate: Estate
    opener: int
    seats: dict[int, int] = attrs.field(factory=dict)
    incarnation: int = attrs.field(default=0, init=False)  # it has no process
    pid: int = attrs.field(default=0, init=False)

    @property
    def is_public(self) -> bool:
        """Whether what happens to it is told of."""
        return True

    def method(self, name: str) -> str:
        """Return the full name of a message."""
        return f"{self.class_name}.{name}"

    @property
    def source(self) -> int:
        """What slots say whose frames came from here."""
        return os.fstat(self.estate.mailbox_fd).st_ino

    def place_of(self, number: int) -> Shared:
        """Return what actor *number* gets to take from here."""
        return Shared(self.number, self.estate.mailbox_fd, self.seats[number])

    def join(self, number: int) -> bool:
        """Give actor *number* a seat; False when there is none left."""
        taken = set(self.seats.values())
        free = next((seat for seat in range(HOLDER_SEAT) if seat not in taken), None)
        if free is not None:
            self.seats[number] = free
        return free is not None
