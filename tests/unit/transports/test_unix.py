"""What only datagram sockets do: foreign datagrams, dead sockets, the umask."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import attrs
import pytest

from tests.support.transports import NAME, Place, new_slot, take_all
from transports._ring import FRAME_LIMIT, RECORD_MARK, Slot
from transports.errors import EndpointError, MailboxNotFoundError
from transports.mailbox import Put
from transports.record import HEADER, MAX_REJECTED
from transports.unix import TRANSPORT, UnixMailbox


@attrs.define(eq=False)
class Receiver:
    place: Place
    held: int
    mailbox: UnixMailbox
    slot: Slot
    stranger: socket.socket


@pytest.fixture
def receiver(place: Place) -> Iterator[Receiver]:
    held = place.create(TRANSPORT)
    mailbox = TRANSPORT.open(held, place.dir_fd, NAME)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.connect(str(place.path / NAME))
        yield Receiver(place, held, mailbox, new_slot(), stranger)
    mailbox.close()


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"short",
        HEADER.pack(0, 0, 1),
        HEADER.pack(RECORD_MARK ^ 1, 4, 1) + b"data",
        HEADER.pack(RECORD_MARK, 5, 1) + b"data",
        HEADER.pack(RECORD_MARK, 3, 1) + b"data",
        HEADER.pack(RECORD_MARK, 2**32 - 1, 1) + b"data",
        HEADER.pack(RECORD_MARK, FRAME_LIMIT, 1) + bytes(FRAME_LIMIT + 1),
    ],
    ids=["empty", "short", "zeros", "mark", "longer", "shorter", "huge", "truncated"],
)
def test_datagram_that_is_no_frame_is_counted_and_the_next_one_taken(
    receiver: Receiver, datagram: bytes
) -> None:
    receiver.stranger.send(datagram)
    receiver.place.connect(TRANSPORT).put(b"good")

    assert take_all(receiver.mailbox, receiver.slot) == [b"good"]
    assert receiver.mailbox.rejected == 1


def test_rejected_datagram_leaves_the_slot_empty(receiver: Receiver) -> None:
    receiver.stranger.send(HEADER.pack(RECORD_MARK, 3, 1) + b"data")

    assert receiver.mailbox.take(receiver.slot) is None
    assert not receiver.slot.filled


def test_descriptors_sent_along_are_not_received(receiver: Receiver) -> None:
    frame = HEADER.pack(RECORD_MARK, 4, 1) + b"data"
    socket.send_fds(receiver.stranger, [frame], [receiver.stranger.fileno()])

    assert receiver.mailbox.take(receiver.slot) == b"data"  # the leak check counts


def test_eleven_of_the_largest_frames_fit(receiver: Receiver) -> None:
    outlet = receiver.place.connect(TRANSPORT)
    frame = bytes(FRAME_LIMIT)

    results = [outlet.put(frame) for _ in range(11)]

    assert results == [Put.ACCEPTED] * 11


def test_sequence_number_counts_the_senders_frames(receiver: Receiver) -> None:
    outlet = receiver.place.connect(TRANSPORT)
    seqs = []
    for _ in range(3):
        outlet.put(b"x")
        receiver.mailbox.take(receiver.slot)
        seqs.append(receiver.slot.seq)
        receiver.slot.clear()

    assert seqs == [1, 2, 3]


def test_one_take_reads_a_bounded_number_of_foreign_datagrams() -> None:
    assert MAX_REJECTED <= 256


def test_put_after_the_last_holder_is_gone_answers_closed(place: Place) -> None:
    held = TRANSPORT.create(place.dir_fd, NAME)
    outlet = place.connect(TRANSPORT)

    os.close(held)

    # The kernel refuses the first, and forgets whom the socket was connected with.
    assert [outlet.put(b"x") for _ in range(3)] == [Put.CLOSED] * 3


def test_socket_file_that_nobody_holds_is_not_found(place: Place) -> None:
    os.close(TRANSPORT.create(place.dir_fd, NAME))

    with pytest.raises(MailboxNotFoundError):
        TRANSPORT.connect(place.dir_fd, NAME)


def test_stream_socket_is_refused(place: Place) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(place.path / NAME))
        (place.path / NAME).chmod(0o600)
        stream.listen()

        with pytest.raises(EndpointError):
            TRANSPORT.connect(place.dir_fd, NAME)


@pytest.mark.parametrize("mode", [0o700, 0o666])
def test_socket_that_is_not_private_is_refused(place: Place, mode: int) -> None:
    place.create(TRANSPORT)
    (place.path / NAME).chmod(mode)

    with pytest.raises(EndpointError, match="mode"):
        TRANSPORT.connect(place.dir_fd, NAME)


def test_umask_is_what_it_was_after_a_creation(place: Place) -> None:
    before = os.umask(0o027)
    try:
        place.create(TRANSPORT)
    finally:
        after = os.umask(before)

    assert after == 0o027


def test_deep_directory_does_not_make_the_address_too_long(place: Place) -> None:
    deep = place.path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    dir_fd = os.open(deep, os.O_DIRECTORY)
    try:
        held = TRANSPORT.create(dir_fd, NAME)
        outlet = TRANSPORT.connect(dir_fd, NAME)

        assert outlet.put(b"x") == Put.ACCEPTED
    finally:
        os.close(dir_fd)
    outlet.close()
    os.close(held)


def test_dropped_ends_leave_no_descriptor(place: Place) -> None:
    place.create(TRANSPORT)

    outlet = TRANSPORT.connect(place.dir_fd, NAME)

    del outlet  # the leak check counts
