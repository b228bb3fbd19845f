"""What only FIFOs do: packets, pages, and what they cost a user."""

from __future__ import annotations

import fcntl
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.ordinary_user import report
from tests.support.transports import NAME, Place, fill, new_slot, take_all
from transports._ring import RECORD_MARK, Slot
from transports.errors import EndpointError, MailboxNotFoundError
from transports.mailbox import Put
from transports.pipe import INLINE_LIMIT, PACKET_BYTES, TRANSPORT, PipeMailbox
from transports.record import HEADER

MAX_PIPE = int(Path("/proc/sys/fs/pipe-max-size").read_text())
USER_PAGES = int(Path("/proc/sys/fs/pipe-user-pages-soft").read_text())

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to become a user with limits of its own"
)


@attrs.define(eq=False)
class Receiver:
    place: Place
    held: int
    mailbox: PipeMailbox
    slot: Slot
    stranger: int


@pytest.fixture
def receiver(place: Place) -> Iterator[Receiver]:
    held = place.create(TRANSPORT)
    mailbox = TRANSPORT.open(held, place.dir_fd, NAME)
    stranger = os.open(place.path / NAME, os.O_WRONLY | os.O_NONBLOCK)
    fcntl.fcntl(stranger, fcntl.F_SETFL, os.O_NONBLOCK | os.O_DIRECT)
    yield Receiver(place, held, mailbox, new_slot(), stranger)
    os.close(stranger)
    mailbox.close()


@pytest.mark.parametrize(
    "packet",
    [
        b"short",
        HEADER.pack(0, 0, 1),
        HEADER.pack(RECORD_MARK ^ 1, 4, 1) + b"data",
        HEADER.pack(RECORD_MARK, 5, 1) + b"data",
        HEADER.pack(RECORD_MARK, 3, 1) + b"data",
        HEADER.pack(RECORD_MARK, 2**32 - 1, 1) + b"data",
        HEADER.pack(RECORD_MARK, PACKET_BYTES, 1) + bytes(INLINE_LIMIT),
    ],
    ids=["short", "zeros", "mark", "longer", "shorter", "huge", "over"],
)
def test_packet_that_is_no_frame_is_counted_and_the_next_one_taken(
    receiver: Receiver, packet: bytes
) -> None:
    os.write(receiver.stranger, packet)
    receiver.place.connect(TRANSPORT).put(b"good")

    assert take_all(receiver.mailbox, receiver.slot) == [b"good"]
    assert receiver.mailbox.rejected == 1


def test_each_page_holds_one_frame_whatever_its_size(receiver: Receiver) -> None:
    outlet = receiver.place.connect(TRANSPORT)

    assert fill(outlet, b"") == fill(outlet, b"") + 16


def test_capacity_is_rounded_up_to_a_power_of_two_of_pages(place: Place) -> None:
    place.create(TRANSPORT, capacity=33 * PACKET_BYTES)

    assert fill(place.connect(TRANSPORT), b"x") == 64


def test_eight_writers_of_mixed_sizes_tear_no_frame(receiver: Receiver) -> None:
    writers = [
        receiver.place.start("send_mixed", "pipe", number, 400, PACKET_BYTES)
        for number in range(8)
    ]
    taken: dict[int, list[int]] = {number: [] for number in range(8)}

    while any(writer.poll() is None for writer in writers):
        for frame in take_all(receiver.mailbox, receiver.slot):
            writer, number, seed = struct.unpack_from("=IQI", frame)
            rest = frame[struct.calcsize("=IQI") :]
            assert rest == random.Random(seed).randbytes(len(rest))
            taken[writer].append(number)

    assert [writer.returncode for writer in writers] == [0] * 8
    assert taken == {number: list(range(1, 401)) for number in range(8)}


def test_mailbox_that_nobody_holds_cannot_be_found(place: Place) -> None:
    os.mkfifo(place.path / NAME, 0o600)

    with pytest.raises(MailboxNotFoundError, match="nobody holds"):
        place.connect(TRANSPORT)


def test_put_after_the_last_holder_has_gone_is_closed(place: Place) -> None:
    held = TRANSPORT.create(place.dir_fd, NAME)
    outlet = place.connect(TRANSPORT)

    os.close(held)

    assert outlet.put(b"x") == Put.CLOSED


@pytest.mark.parametrize("kind", ["file", "mode", "link"])
def test_what_is_no_fifo_of_ours_is_refused(place: Place, kind: str) -> None:
    path = place.path / NAME
    if kind == "file":
        path.touch(0o600)
    elif kind == "mode":
        place.create(TRANSPORT)
        path.chmod(0o620)
    else:
        place.create(TRANSPORT, "2.mail")
        path.symlink_to(place.path / "2.mail")

    with pytest.raises(EndpointError, match=r"1\.mail"):
        place.connect(TRANSPORT)


@needs_root
def test_300_mailboxes_of_an_ordinary_user_leave_other_pipes_whole() -> None:
    found = report("pipe", 300)

    assert (found.made, found.error, found.pipe_bytes) == (300, "", 16 * PACKET_BYTES)


@needs_root
def test_mailbox_that_the_kernel_would_cut_down_is_an_error_with_limit_and_remedy() -> (
    None
):
    found = report("pipe", 2000)

    assert 900 < found.made * 16 * 1000 // USER_PAGES <= 1000
    assert "pages for all pipes of a user" in found.error
    assert f"fs.pipe-user-pages-soft is {USER_PAGES}" in found.error
    assert "sysctl fs.pipe-user-pages-soft=" in found.error
    assert found.left == 0


@needs_root
def test_mailbox_larger_than_a_pipe_may_be_names_the_limit() -> None:
    found = report("pipe", 1, 2 * MAX_PIPE)

    assert f"fs.pipe-max-size is {MAX_PIPE} bytes for one pipe" in found.error
    assert found.left == 0
