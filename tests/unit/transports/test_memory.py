"""What the in-process fake adds to the contract."""

from __future__ import annotations

import os

import pytest

from tests.support.transports import NAME, Place, fill
from transports.errors import EndpointError
from transports.memory import TRANSPORT


def test_capacity_counts_frames_and_their_headers(place: Place) -> None:
    place.create(TRANSPORT, capacity=4096)

    assert fill(place.connect(TRANSPORT), bytes(1008)) == 4


@pytest.mark.parametrize("capacity", [0, -1])
def test_capacity_without_a_byte_is_refused(place: Place, capacity: int) -> None:
    with pytest.raises(EndpointError):
        TRANSPORT.create(place.dir_fd, NAME, capacity)


def test_same_name_in_another_directory_is_another_mailbox(place: Place) -> None:
    held = place.create(TRANSPORT)
    (place.path / "other").mkdir()
    dir_fd = os.open(place.path / "other", os.O_DIRECTORY)
    try:
        other = TRANSPORT.create(dir_fd, NAME)
        TRANSPORT.connect(dir_fd, NAME).put(b"x")
        TRANSPORT.unlink(dir_fd, NAME)
        os.close(other)
    finally:
        os.close(dir_fd)

    assert place.open(TRANSPORT, held).depth().frames == 0


def test_mailbox_without_a_name_and_without_ends_is_forgotten(place: Place) -> None:
    held = place.create(TRANSPORT)

    TRANSPORT.unlink(place.dir_fd, NAME)

    with pytest.raises(EndpointError):
        TRANSPORT.open(held, place.dir_fd, NAME)
