"""Several frames in one message of the kernel: what becomes of those that have been received and not been taken."""

from __future__ import annotations

import errno
import os
import signal
import struct

import attrs
import pytest

from tests.support.transports import (
    NAME,
    Place,
    new_slot,
    slot_file,
    take_all,
)
from transports import _ring, registry
from transports.errors import (
    ClosedError,
    CorruptError,
    FrameTooLargeError,
    LimitError,
    NoSpaceError,
)
from transports.kernel import KernelMailbox, landing_name
from transports.mailbox import GatheringOutlet, Put
from transports.mq import MqTransport
from transports.pipe import PipeTransport
from transports.record import HEADER
from transports.unix import UnixTransport

SCHEMES = ["mq", "pipe", "unix"]
HOLDER_SEAT = 253
THREE = [(b"one",), (b"t", b"wo"), (b"",)]


@attrs.define(eq=False)
class Box:
    """A mailbox with a landing, and its ends."""

    place: Place
    transport: PipeTransport | UnixTransport | MqTransport
    held: int
    mailbox: KernelMailbox
    outlet: GatheringOutlet
    slot: _ring.Slot

    def open(self, seat: int = 0) -> KernelMailbox:
        mailbox = self.place.open(self.transport, self.held, seat=seat)
        assert isinstance(mailbox, KernelMailbox)
        return mailbox

    def take_all(self) -> list[bytes]:
        return take_all(self.mailbox, self.slot)

    def land(self, frame: bytes) -> None:
        """Leave *frame* as a receiver does that dies between receiving and saying so."""
        fd = os.open(landing_name(NAME), os.O_RDWR, dir_fd=self.place.dir_fd)
        size = os.fstat(fd).st_size - _ring.HEADER_BYTES
        (tail,) = struct.unpack("=Q", os.pread(fd, 8, _ring.TAIL_OFFSET))
        record = HEADER.pack(_ring.RECORD_MARK, len(frame), 7) + frame
        os.pwrite(fd, record, _ring.HEADER_BYTES + tail % size)
        os.close(fd)


@pytest.fixture(params=SCHEMES)
def box(request: pytest.FixtureRequest, place: Place) -> Box:
    transport = registry.get(request.param)
    assert isinstance(transport, PipeTransport | UnixTransport | MqTransport)
    held = place.create(transport)
    transport.gather(place.dir_fd, NAME)
    mailbox, outlet = place.open(transport, held), place.connect(transport)
    assert isinstance(mailbox, KernelMailbox)
    assert isinstance(outlet, GatheringOutlet)
    slot = new_slot(transport.inline_limit)
    return Box(place, transport, held, mailbox, outlet, slot)


def test_frames_put_at_once_are_taken_one_by_one_in_their_order(box: Box) -> None:
    assert box.outlet.put_some(THREE) == (Put.ACCEPTED, 3)
    box.outlet.put(b"alone")

    assert box.take_all() == [b"one", b"two", b"", b"alone"]


def test_as_many_frames_go_at_once_as_one_message_holds(box: Box) -> None:
    frames = [(bytes([number]) * 100,) for number in range(200)]
    left = list(frames)
    taken = []

    while left:
        result, count = box.outlet.put_some(left)
        assert result == Put.ACCEPTED
        assert count == min(len(left), box.mailbox.message_bytes // 120)
        del left[:count]
        taken += box.take_all()

    assert taken == [frame for (frame,) in frames]


def test_a_frame_of_the_largest_size_goes_alone(box: Box) -> None:
    large = bytes(box.transport.inline_limit)

    assert box.outlet.put_some([(large,), (b"next",)]) == (Put.ACCEPTED, 1)

    assert box.take_all() == [large]


def test_what_cannot_be_put_is_refused_and_nothing_is_sent(box: Box) -> None:
    with pytest.raises(ValueError, match="needs a frame"):
        box.outlet.put_some([])
    with pytest.raises(FrameTooLargeError):
        box.outlet.put_some([(b"x",), (bytes(box.transport.inline_limit + 1),)])
    with pytest.raises(TypeError, match="tuple"):
        box.outlet.put_some([b"x"])  # type: ignore[list-item]  # the mistake

    assert box.take_all() == []


def test_without_a_landing_frames_go_one_by_one(box: Box) -> None:
    box.place.create(box.transport, "2.mail")
    outlet = box.place.connect(box.transport, "2.mail")

    assert isinstance(outlet, GatheringOutlet)
    assert not outlet.gathers
    assert outlet.put_some(THREE) == (Put.ACCEPTED, 1)


def test_a_full_mailbox_refuses_frames_at_once_and_keeps_what_it_has(box: Box) -> None:
    count = 0
    while box.outlet.put_some(THREE) == (Put.ACCEPTED, 3):
        count += 1

    assert box.outlet.put_some(THREE) == (Put.FULL, 3)
    assert len(box.take_all()) == 3 * count


def test_a_sender_hears_that_the_receiver_is_behind_before_the_mailbox_is_full(
    box: Box,
) -> None:
    early = late = 0

    while box.outlet.put_unless_behind(bytes(100)) == Put.ACCEPTED:
        early += 1
    while box.outlet.put(bytes(100)) == Put.ACCEPTED:
        late += 1

    assert early > 1
    assert late > 0


def test_a_receiver_that_has_caught_up_is_not_behind(box: Box) -> None:
    counts = []

    for _ in range(3):
        count = 0
        while box.outlet.put_unless_behind(bytes(100)) == Put.ACCEPTED:
            count += 1
        assert len(box.take_all()) == count
        counts.append(count)

    assert counts[0] == counts[1] == counts[2]


def test_an_outlet_has_room_unless_the_mailbox_is_full_or_it_is_closed(
    box: Box,
) -> None:
    answers = [box.outlet.has_room()]
    while box.outlet.put(bytes(100)) == Put.ACCEPTED:
        pass
    answers.append(box.outlet.has_room())
    box.take_all()
    answers.append(box.outlet.has_room())
    box.outlet.close()
    answers.append(box.outlet.has_room())

    assert answers == [True, False, True, False]


def test_unlinked_mailbox_takes_no_frames_and_has_no_landing(box: Box) -> None:
    box.outlet.put_some(THREE)
    box.mailbox.take(box.slot)
    box.slot.clear()

    box.transport.unlink(box.place.dir_fd, NAME)

    assert box.outlet.put_some(THREE) == (Put.CLOSED, 3)
    assert landing_name(NAME) not in {each.name for each in box.place.path.iterdir()}
    assert box.take_all() == [b"two", b""]


def test_closed_ends_say_so(box: Box) -> None:
    box.outlet.close()
    box.mailbox.close()

    with pytest.raises(ClosedError):
        box.outlet.put_some(THREE)
    with pytest.raises(ClosedError):
        box.outlet.put_unless_behind(b"x")
    with pytest.raises(ClosedError):
        box.mailbox.take(box.slot)


# Deaths.


def test_a_receiver_killed_with_half_of_a_message_loses_nothing_of_it(box: Box) -> None:
    box.outlet.put_some(THREE)
    box.outlet.put(b"behind")
    receiver = box.place.start(
        "take_and_die", box.transport.scheme, box.held, held=box.held
    )
    assert receiver.wait() == -signal.SIGKILL
    slot = slot_file(box.place.path)

    successor = box.open()
    successor.settle(slot)

    assert (slot.frame(), slot.started) == (b"one", False)
    assert take_all(successor, box.slot) == [b"two", b"", b"behind"]


def test_what_a_receiver_had_received_when_it_died_comes_first_and_once(
    box: Box,
) -> None:
    box.outlet.put(b"behind")
    box.land(b"received")

    assert box.open().take(box.slot) == b"received"
    box.slot.clear()
    assert box.take_all() == [b"behind"]


def test_what_is_no_record_is_dropped_although_its_receiver_died(box: Box) -> None:
    box.land(b"")
    fd = os.open(landing_name(NAME), os.O_RDWR, dir_fd=box.place.dir_fd)
    size = os.fstat(fd).st_size - _ring.HEADER_BYTES
    (tail,) = struct.unpack("=Q", os.pread(fd, 8, _ring.TAIL_OFFSET))
    too_long = HEADER.pack(_ring.RECORD_MARK, 1 << 20, 7)
    os.pwrite(fd, too_long, _ring.HEADER_BYTES + tail % size)
    os.close(fd)
    box.outlet.put(b"next")

    assert box.take_all() == [b"next"]
    assert box.mailbox.rejected == 1


def test_a_landing_that_makes_no_sense_is_corrupt_once(box: Box) -> None:
    fd = os.open(landing_name(NAME), os.O_RDWR, dir_fd=box.place.dir_fd)
    os.pwrite(fd, struct.pack("=Q", 12345), _ring.TAIL_OFFSET)
    os.close(fd)

    with pytest.raises(CorruptError):
        box.mailbox.take(box.slot)
    assert box.mailbox.take(box.slot) is None


# Others who look, or take.


def test_depth_and_contents_count_what_has_landed(box: Box) -> None:
    box.outlet.put_some(THREE)
    box.mailbox.take(box.slot)

    contents = box.transport.inspect(
        box.place.dir_fd, NAME, held=box.held, head_bytes=2
    )

    assert box.mailbox.depth().frames == contents.depth.frames == 2
    if contents.frames is not None:  # a queue shows none
        assert [(each.size, each.head) for each in contents.frames] == [
            (3, b"tw"),
            (0, b""),
        ]


def test_contents_show_each_frame_of_what_was_put_at_once(box: Box) -> None:
    box.outlet.put_some(THREE)

    contents = box.transport.inspect(box.place.dir_fd, NAME, held=box.held)

    if contents.frames is None:
        assert (contents.depth.frames, contents.depth.exact) == (1, False)
    else:
        assert [each.size for each in contents.frames] == [3, 3, 0]


def test_a_landing_that_is_being_made_holds_nothing(box: Box) -> None:
    """Who looked into a mailbox at that moment was told that it was damaged."""
    os.truncate(box.place.path / landing_name(NAME), 0)

    contents = box.transport.inspect(box.place.dir_fd, NAME, held=box.held)

    assert contents.depth.frames == 0


def test_another_receiver_takes_what_has_landed_first(box: Box) -> None:
    box.outlet.put_some(THREE)
    box.outlet.put(b"behind")
    box.mailbox.take(box.slot)

    purged = take_all(box.open(HOLDER_SEAT), new_slot(box.transport.inline_limit))

    assert purged == [b"two", b"", b"behind"]
    box.slot.clear()
    assert box.take_all() == []


# What it costs.


def test_no_room_for_a_landing_is_said_and_leaves_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    box.place.create(box.transport, "2.mail")
    monkeypatch.setattr(os, "posix_fallocate", no_room)

    with pytest.raises(NoSpaceError, match=r"2\.mail"):
        box.transport.gather(box.place.dir_fd, "2.mail")

    assert landing_name("2.mail") not in {
        each.name for each in box.place.path.iterdir()
    }


def test_a_landing_takes_whole_pages_whatever_a_page_is(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a page has 64 KiB, no mailbox of these transports could be made."""
    made: list[int] = []
    page = 64 * 1024
    monkeypatch.setattr(_ring, "HEADER_BYTES", page)
    monkeypatch.setattr(_ring, "format_ring", lambda _, size: made.append(size))

    box.transport.gather(box.place.dir_fd, "2.mail")

    assert made[0] % page == 0


def test_no_descriptor_for_a_receiver_is_said(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "dup", none_left)

    with pytest.raises(LimitError, match="cannot open"):
        box.open()
