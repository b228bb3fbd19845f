"""How a loop waits for room in the mailboxes of others."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import attrs
import pytest

from actors.pending import Pending
from actors.runtime.rooms import Rooms
from actors.runtime.route import Letter, Route
from tests.support.transports import Place, fill, is_ready, new_slot, take_all
from transports import registry
from transports.mailbox import Mailbox, Put

FRAME = bytes(1000)


@attrs.define(eq=False)
class Full:
    """The way to a mailbox that is full, and what a loop would watch."""

    route: Route
    mailbox: Mailbox
    rooms: Rooms
    watched: list[int]

    def is_watched(self) -> bool:
        return list(self.rooms.copies.values()) == self.watched


@pytest.fixture(params=["shm", "unix", "pipe", "mq"])
def full(request: pytest.FixtureRequest, place: Place) -> Iterator[Full]:
    transport = registry.get(request.param)
    mailbox = place.open(transport, place.create(transport))
    outlet = place.connect(transport)
    fill(outlet, FRAME)
    route = Route(7, outlet, transport.inline_limit, None)
    watched: list[int] = []
    rooms = Rooms(lambda fd, _: watched.append(fd), watched.remove)
    yield Full(route, mailbox, rooms, watched)
    rooms.leave_all()


def test_a_route_that_found_no_room_is_watched_until_there_is_some(full: Full) -> None:
    assert full.route.put(FRAME) == Put.FULL

    full.rooms.follow([full.route])
    (fd,) = full.watched
    before = is_ready(fd, select.POLLOUT)
    take_all(full.mailbox, new_slot())

    assert (before, is_ready(fd, select.POLLOUT)) == (False, True)


def test_a_route_is_watched_once(full: Full) -> None:
    full.route.put(FRAME)

    full.rooms.follow([full.route])
    full.rooms.follow([full.route])

    assert len(full.watched) == 1
    assert full.is_watched()


def test_a_route_on_which_nothing_waits_any_more_is_not_watched(full: Full) -> None:
    full.route.put(FRAME)
    full.rooms.follow([full.route])
    (fd,) = full.watched

    full.rooms.follow([])

    assert full.watched == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_route_that_waits_for_something_else_is_not_watched(full: Full) -> None:
    """A mailbox with room is writable at all times, so the loop would have spun."""
    full.route.queue(
        Letter((b"question", b"", b"question"), Pending(), is_question=True)
    )

    full.rooms.follow([full.route])

    assert full.watched == []


def test_what_is_watched_outlives_the_route(full: Full) -> None:
    full.route.put(FRAME)
    full.rooms.follow([full.route])

    full.route.close()

    full.rooms.leave_all()
    assert full.watched == []
