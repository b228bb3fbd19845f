"""The items of a ``map`` that are in flight."""

from __future__ import annotations

from typing import Any, cast

from actors.errors import MailboxFullError, MessageTooLargeError
from actors.pending import Pending
from actors.pool.chunks import Chunks
from actors.pool.flight import Flight


class Mailbox:
    """Takes messages of one item, as long as there is room."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken: list[Any] = []

    def send(self, items: list[Any]) -> Pending[Any]:
        if len(items) > 1:
            raise MessageTooLargeError(len(items), 1)
        if not self.room:
            raise MailboxFullError
        self.room -= 1
        self.taken += items
        return Pending()


def test_items_that_are_too_large_together_go_once_each_though_room_ends_among_them() -> (
    None
):
    mailbox = Mailbox(room=2)
    chunks = Chunks(in_flight=64, workers=1)
    client = cast("Any", None)
    flight = Flight(client, mailbox.send, chunks, 64, redelivers=False)

    had_room = flight.launch([0, 1, 2, 3])
    mailbox.room = 9
    flight.launch([4])

    assert not had_room
    assert mailbox.taken == [0, 1, 2, 3, 4]
    assert flight.held == 5
