"""The contract of ``transports.mailbox``, clause by clause, against every transport.

A test here may use only the public protocol and slots.  Whatever only one transport can
promise belongs in tests/unit/transports/.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import struct

import attrs
import pytest

import transports
from tests.support.procfs import is_asleep
from tests.support.transports import (
    ECHO,
    NAME,
    Place,
    eventually,
    fill,
    is_ready,
    new_slot,
    slot_file,
    take_all,
)
from transports import registry
from transports._ring import RECORD_BYTES, Slot
from transports.address import Address
from transports.errors import (
    ClosedError,
    EndpointError,
    FrameTooLargeError,
    MailboxExistsError,
    MailboxNotFoundError,
    TransportError,
)
from transports.mailbox import Contents, Mailbox, Note, Outlet, Put, Transport

ACROSS_PROCESSES = ["mq", "pipe", "shm", "unix"]
SCHEMES = ["memory", *ACROSS_PROCESSES]


@attrs.define(eq=False)
class Box:
    """One mailbox, both of its ends, and a slot."""

    place: Place
    transport: Transport
    held: int
    mailbox: Mailbox
    outlet: Outlet
    slot: Slot

    def take_all(self) -> list[bytes]:
        return take_all(self.mailbox, self.slot)

    def inspect(self, *, head_bytes: int = 0, limit: int | None = None) -> Contents:
        return self.transport.inspect(
            self.place.dir_fd,
            NAME,
            held=self.held,
            head_bytes=head_bytes,
            limit=limit,
        )


def make_box(place: Place, scheme: str) -> Box:
    transport = registry.get(scheme)
    held = place.create(transport)
    mailbox, outlet = place.open(transport, held), place.connect(transport)
    return Box(
        place, transport, held, mailbox, outlet, new_slot(transport.inline_limit)
    )


@pytest.fixture(params=SCHEMES)
def box(request: pytest.FixtureRequest, place: Place) -> Box:
    return make_box(place, request.param)


@pytest.fixture(params=ACROSS_PROCESSES)
def shared_box(request: pytest.FixtureRequest, place: Place) -> Box:
    return make_box(place, request.param)


# Frames.


def test_frames_of_one_sender_are_taken_in_order(box: Box) -> None:
    frames = [b"%d" % n for n in range(4)]

    for frame in frames:
        assert box.outlet.put(frame) == Put.ACCEPTED

    assert box.take_all() == frames


# Negative sizes count from the end, as indices do: -1 is the limit itself.
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, -2, -1])
def test_frame_of_any_allowed_size_arrives_unchanged(box: Box, size: int) -> None:
    frame = os.urandom(size % (box.transport.inline_limit + 1))

    assert box.outlet.put(frame) == Put.ACCEPTED

    assert box.mailbox.take(box.slot) == frame
    assert box.slot.frame() == frame


def test_frame_over_the_limit_is_refused_with_both_sizes(box: Box) -> None:
    limit = box.transport.inline_limit

    with pytest.raises(FrameTooLargeError) as caught:
        box.outlet.put(bytes(limit), b"x")

    assert (caught.value.size, caught.value.limit) == (limit + 1, limit)
    assert box.take_all() == []


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"one",),
        (b"one", b"two"),
        (b"one", b"", b"three"),
        (bytearray(b"bytearray"), memoryview(b"..view..")[2:-2], b""),
        (b"x",) * 16,
    ],
    ids=len,
)
def test_parts_of_a_put_arrive_as_one_frame(
    box: Box, parts: tuple[bytes | bytearray | memoryview, ...]
) -> None:
    assert box.outlet.put(*parts) == Put.ACCEPTED

    assert box.take_all() == [b"".join(parts)]


def test_part_that_is_no_buffer_is_a_type_error_and_nothing_is_sent(box: Box) -> None:
    with pytest.raises(TypeError):
        box.outlet.put(b"head", "text")  # type: ignore[arg-type]  # the mistake

    assert box.take_all() == []


def test_frame_outlives_the_sender_that_is_killed_after_its_put(
    shared_box: Box,
) -> None:
    sender = shared_box.place.start(
        "put_and_die", shared_box.transport.scheme, "last words"
    )

    assert sender.wait() == -signal.SIGKILL

    assert shared_box.take_all() == [b"last words"]


def test_eight_sending_processes_lose_and_swap_nothing(shared_box: Box) -> None:
    count = 500
    senders = [
        shared_box.place.start("send", shared_box.transport.scheme, n, count)
        for n in range(8)
    ]
    taken: dict[int, list[int]] = {n: [] for n in range(8)}

    while any(sender.poll() is None for sender in senders):
        is_ready(shared_box.mailbox.fileno(), select.POLLIN, 0.05)
        for frame in shared_box.take_all():
            sender, number = struct.unpack("=IQ", frame)
            taken[sender].append(number)

    assert [sender.returncode for sender in senders] == [0] * 8
    assert taken == {n: list(range(1, count + 1)) for n in range(8)}


def test_mailboxes_of_one_directory_do_not_mix(box: Box) -> None:
    box.place.create(box.transport, "2.mail")
    other = box.place.connect(box.transport, "2.mail")

    other.put(b"for the other one")

    assert box.take_all() == []


# Room.


def test_full_mailbox_refuses_and_accepts_again_after_a_take(box: Box) -> None:
    frame = bytes(box.transport.inline_limit)
    fill(box.outlet, frame)

    before = box.outlet.put(frame)
    box.mailbox.take(box.slot)
    after = box.outlet.put(frame)

    assert (before, after) == (Put.FULL, Put.ACCEPTED)


def test_full_mailbox_keeps_what_it_accepted_and_nothing_else(box: Box) -> None:
    size = box.transport.inline_limit
    count = 0

    while box.outlet.put(bytes([count]) * size) == Put.ACCEPTED:
        count += 1

    assert count > 1
    assert box.take_all() == [bytes([n]) * size for n in range(count)]


def test_default_capacity_holds_as_many_of_the_largest_frames_as_fit(
    box: Box,
) -> None:
    frame = bytes(box.transport.inline_limit)

    count = fill(box.outlet, frame)

    assert count >= box.transport.default_capacity // (len(frame) + RECORD_BYTES)


def test_bound_holds_for_eight_senders_together(box: Box) -> None:
    frame = bytes(box.transport.inline_limit)
    alone = fill(box.outlet, frame)
    box.take_all()
    outlets = [box.place.connect(box.transport) for _ in range(8)]
    together = 0

    while accepted := [outlet.put(frame) for outlet in outlets].count(Put.ACCEPTED):
        together += accepted

    assert together == alone == len(box.take_all())


def test_killed_senders_leave_the_room_as_it_was(shared_box: Box) -> None:
    frame = bytes(shared_box.transport.inline_limit)
    before = fill(shared_box.outlet, frame)
    shared_box.take_all()
    senders = [
        shared_box.place.start("send", shared_box.transport.scheme, n, 1_000_000)
        for n in range(3)
    ]
    taken = 0
    while taken < 2_000:
        is_ready(shared_box.mailbox.fileno(), select.POLLIN, 0.05)
        taken += len(shared_box.take_all())

    for sender in senders:
        sender.kill()
        sender.wait()
    shared_box.take_all()

    assert fill(shared_box.outlet, frame) == before


def test_take_from_an_empty_mailbox_returns_none_at_once(box: Box) -> None:
    assert box.mailbox.take(box.slot) is None
    assert not box.slot.filled


# Waiting.


def test_fileno_becomes_readable_with_a_frame_and_silent_without(box: Box) -> None:
    fd = box.mailbox.fileno()
    box.take_all()
    before = is_ready(fd, select.POLLIN)

    box.outlet.put(b"wake up")
    woken = is_ready(fd, select.POLLIN, 5)
    box.take_all()

    assert (before, woken, is_ready(fd, select.POLLIN)) == (False, True, False)


def test_fileno_is_readable_for_a_frame_that_came_before_it_was_asked_for(
    box: Box,
) -> None:
    box.outlet.put(b"early")

    assert is_ready(box.mailbox.fileno(), select.POLLIN)


def test_fileno_stays_readable_until_everything_is_taken(box: Box) -> None:
    fd = box.mailbox.fileno()
    box.outlet.put(b"one")
    box.outlet.put(b"two")

    box.mailbox.take(box.slot)

    assert is_ready(fd, select.POLLIN)


def test_two_processes_that_sleep_between_messages_always_wake_each_other(
    shared_box: Box,
) -> None:
    transport, place = shared_box.transport, shared_box.place
    held = place.create(transport, ECHO)
    place.start("echo", transport.scheme, held, held=held)
    questions, fd = place.connect(transport, ECHO), shared_box.mailbox.fileno()

    for number in range(1000):
        questions.put(b"%d" % number)
        assert is_ready(fd, select.POLLIN, 10)
        assert shared_box.take_all() == [b"%d" % number]


def test_outlet_becomes_writable_when_there_is_room_where_the_kernel_tells(
    box: Box,
) -> None:
    if box.outlet.fileno() is None:
        pytest.skip("this transport cannot tell")
    for _ in range(3):
        fill(box.outlet, b"x")

        fd = box.outlet.fileno()
        assert fd is not None
        before = is_ready(fd, select.POLLOUT)
        box.take_all()

        assert (before, is_ready(fd, select.POLLOUT, 5)) == (False, True)


def test_all_senders_that_sleep_until_there_is_room_are_woken(shared_box: Box) -> None:
    count = 300
    frame = bytes(shared_box.transport.inline_limit)
    fill(shared_box.outlet, frame)
    senders = [
        shared_box.place.start("send", shared_box.transport.scheme, n, count)
        for n in range(4)
    ]
    taken = 0

    while any(sender.poll() is None for sender in senders):
        # Slowly, so that they do have to sleep.
        is_ready(shared_box.mailbox.fileno(), select.POLLIN, 0.05)
        if shared_box.mailbox.take(shared_box.slot) not in {None, frame}:
            taken += 1
        shared_box.slot.clear()
    taken += len([one for one in shared_box.take_all() if one != frame])

    assert [sender.returncode for sender in senders] == [0] * 4
    assert taken == 4 * count


# Slots.


def test_taken_frame_is_in_the_slot_and_not_started(box: Box) -> None:
    box.outlet.put(b"frame")

    box.mailbox.take(box.slot)

    assert (box.slot.filled, box.slot.started) == (True, False)
    assert box.slot.seq != 0


def test_slot_says_which_mailbox_its_frame_came_from(box: Box) -> None:
    box.outlet.put(b"frame")

    box.mailbox.take(box.slot)

    assert box.slot.source == os.fstat(box.held).st_ino


def test_take_clears_what_an_earlier_life_left_in_an_empty_slot(box: Box) -> None:
    """Killed inside ``clear``, a receiver leaves a start time without a frame."""
    box.slot.start()
    box.outlet.put(b"frame")

    box.mailbox.take(box.slot)

    assert not box.slot.started


def test_take_into_a_filled_slot_is_refused_and_loses_nothing(box: Box) -> None:
    box.outlet.put(b"first")
    box.outlet.put(b"second")
    box.mailbox.take(box.slot)

    with pytest.raises(ValueError, match="slot"):
        box.mailbox.take(box.slot)

    assert box.slot.frame() == b"first"
    box.slot.clear()
    assert box.take_all() == [b"second"]


def test_take_into_a_slot_that_is_too_small_is_refused_and_loses_nothing(
    box: Box,
) -> None:
    box.outlet.put(b"frame")

    with pytest.raises(ValueError, match="slot"):
        box.mailbox.take(new_slot(box.transport.inline_limit - 1))

    assert box.take_all() == [b"frame"]


def test_two_slots_hold_two_frames_that_finish_in_any_order(box: Box) -> None:
    second = new_slot(box.transport.inline_limit)
    box.outlet.put(b"one")
    box.outlet.put(b"two")
    box.mailbox.take(box.slot)
    box.mailbox.take(second)

    box.slot.clear()

    assert second.frame() == b"two"


def test_started_slot_is_visible_to_a_third_process(shared_box: Box) -> None:
    shared_box.outlet.put(b"in hand")
    slot = slot_file(shared_box.place.path)
    scheme = shared_box.transport.scheme

    worker = shared_box.place.start(
        "take_and_start", scheme, shared_box.held, held=shared_box.held
    )
    assert worker.stdout is not None
    worker.stdout.readline()

    assert slot.frame() == b"in hand"
    assert slot.started_ns > 0


def test_started_slot_is_visible_through_another_mapping(box: Box) -> None:
    slot, other = slot_file(box.place.path), slot_file(box.place.path)
    box.outlet.put(b"in hand")

    box.mailbox.take(slot)
    slot.start()

    assert (other.frame(), other.started) == (b"in hand", True)


def test_note_is_clear_again_after_every_put(box: Box) -> None:
    words = bytearray(16)
    noted = box.place.connect(box.transport, note=Note(words, 8, 17))

    results = {noted.put(bytes(box.transport.inline_limit)) for _ in range(100)}
    after_accepted_and_full = bytes(words)
    box.transport.unlink(box.place.dir_fd, NAME)

    assert results == {Put.ACCEPTED, Put.FULL}
    assert noted.put(b"too late") == Put.CLOSED
    assert after_accepted_and_full == bytes(words) == bytes(16)


# The receiver dies.


def test_next_receiver_gets_the_slot_and_the_rest_exactly_once(
    shared_box: Box,
) -> None:
    scheme, held = shared_box.transport.scheme, shared_box.held
    for frame in (b"one", b"two", b"three"):
        shared_box.outlet.put(frame)
    receiver = shared_box.place.start("take_and_die", scheme, held, held=held)
    assert receiver.wait() == -signal.SIGKILL

    following = shared_box.place.open(shared_box.transport, held)
    slot = slot_file(shared_box.place.path)
    following.settle(slot)

    assert (slot.frame(), slot.started) == (b"one", False)
    slot.clear()
    assert take_all(following, slot) == [b"two", b"three"]


def test_settle_keeps_what_is_not_in_the_slot(box: Box) -> None:
    box.outlet.put(b"one")
    box.outlet.put(b"two")
    box.mailbox.take(box.slot)

    box.mailbox.settle(box.slot)
    box.mailbox.settle(box.slot)

    box.slot.clear()
    assert box.take_all() == [b"two"]


def test_settle_with_an_empty_slot_does_nothing(box: Box) -> None:
    box.outlet.put(b"one")

    box.mailbox.settle(box.slot)

    assert box.take_all() == [b"one"]


def test_mailbox_goes_on_without_a_receiver(box: Box) -> None:
    box.mailbox.close()

    assert box.outlet.put(b"patience") == Put.ACCEPTED

    following = box.place.open(box.transport, box.held)
    assert take_all(following, box.slot) == [b"patience"]


def test_holder_can_count_and_take_what_a_receiver_left(box: Box) -> None:
    box.outlet.put(b"left")

    holder = box.place.open(box.transport, box.held)

    assert holder.depth().frames == 1
    assert take_all(holder, box.slot) == [b"left"]


# Several receivers.


def test_each_frame_goes_to_one_of_the_receivers_in_the_order_of_their_takes(
    box: Box,
) -> None:
    other = box.place.open(box.transport, box.held, seat=1)
    for frame in (b"one", b"two", b"three", b"four"):
        box.outlet.put(frame)
    slot = new_slot(box.transport.inline_limit)
    taken = []

    for mailbox in (box.mailbox, other, other, box.mailbox, other):
        taken.append(mailbox.take(slot))
        slot.clear()

    assert taken == [b"one", b"two", b"three", b"four", None]


def test_receivers_take_what_another_has_left_when_it_dies_and_not_what_it_had(
    shared_box: Box,
) -> None:
    scheme, held = shared_box.transport.scheme, shared_box.held
    other = shared_box.place.open(shared_box.transport, held, seat=1)
    for frame in (b"one", b"two", b"three"):
        shared_box.outlet.put(frame)
    receiver = shared_box.place.start("take_and_die", scheme, held, held=held)
    assert receiver.wait() == -signal.SIGKILL

    taken = take_all(other, shared_box.slot)
    slot = slot_file(shared_box.place.path)
    shared_box.place.open(shared_box.transport, held).settle(slot)

    assert taken == [b"two", b"three"]
    assert (slot.frame(), slot.started) == (b"one", False)


def test_receiver_that_only_waits_is_woken_for_what_another_does_not_take(
    shared_box: Box,
) -> None:
    other = shared_box.place.open(shared_box.transport, shared_box.held, seat=1)
    fds = shared_box.mailbox.fileno(), other.fileno()
    shared_box.take_all()
    take_all(other, shared_box.slot)

    shared_box.outlet.put(b"one")
    shared_box.outlet.put(b"two")
    assert shared_box.mailbox.take(shared_box.slot) == b"one"

    assert is_ready(fds[1], select.POLLIN, 5)
    assert other.take(new_slot(shared_box.transport.inline_limit)) == b"two"


def test_one_frame_wakes_one_of_the_receivers_that_sleep(shared_box: Box) -> None:
    scheme, held, count = shared_box.transport.scheme, shared_box.held, 40
    receivers = [
        shared_box.place.start("doze", scheme, held, seat, held=held)
        for seat in range(4)
    ]

    for _ in range(count):
        eventually(lambda: all(is_asleep(each.pid) for each in receivers))
        assert shared_box.outlet.put(b"wake up") == Put.ACCEPTED
        eventually(lambda: shared_box.mailbox.depth().frames == 0)
    reports = [each.communicate("end")[0].split() for each in receivers]

    wakes, taken = (sum(int(one[field]) for one in reports) for field in (0, 1))
    assert taken == count
    assert wakes < 2 * count  # all of them would be 4 times as many


# Depth.


def test_depth_of_an_empty_mailbox_is_exactly_zero(box: Box) -> None:
    depth = box.mailbox.depth()

    assert (depth.frames, depth.exact) == (0, True)


def test_depth_counts_what_waits_or_says_that_it_is_a_lower_bound(box: Box) -> None:
    for _ in range(4):
        box.outlet.put(b"waits")
    box.mailbox.take(box.slot)

    depth = box.mailbox.depth()

    assert depth.frames == 3 if depth.exact else 1 <= depth.frames <= 3


# Names.


def test_unlinked_mailbox_answers_closed_and_cannot_be_found(box: Box) -> None:
    box.transport.unlink(box.place.dir_fd, NAME)

    assert box.outlet.put(b"too late") == Put.CLOSED
    with pytest.raises(MailboxNotFoundError):
        box.transport.connect(box.place.dir_fd, NAME)


def test_full_mailbox_answers_closed_once_it_is_unlinked(box: Box) -> None:
    fill(box.outlet, bytes(1000))

    box.transport.unlink(box.place.dir_fd, NAME)

    assert box.outlet.put(b"too late") == Put.CLOSED


def test_what_was_accepted_can_be_taken_after_the_unlink_and_nothing_later(
    box: Box,
) -> None:
    box.outlet.put(b"in time")

    box.transport.unlink(box.place.dir_fd, NAME)
    box.outlet.put(b"too late")

    holder = box.place.open(box.transport, box.held)
    assert take_all(holder, box.slot) == [b"in time"]


def test_unlink_is_idempotent_and_leaves_no_file(box: Box) -> None:
    box.transport.unlink(box.place.dir_fd, NAME)
    box.transport.unlink(box.place.dir_fd, NAME)

    assert list(box.place.path.iterdir()) == []


def test_name_can_be_used_again_after_the_unlink(box: Box) -> None:
    box.outlet.put(b"old")
    box.transport.unlink(box.place.dir_fd, NAME)

    held = box.place.create(box.transport)

    assert take_all(box.place.open(box.transport, held), box.slot) == []
    assert box.outlet.put(b"old") == Put.CLOSED


def test_connecting_to_what_never_existed_is_not_found(box: Box) -> None:
    with pytest.raises(MailboxNotFoundError, match=r"2\.mail"):
        box.transport.connect(box.place.dir_fd, "2.mail")


def test_taken_name_is_refused_and_the_first_mailbox_unharmed(box: Box) -> None:
    box.outlet.put(b"mine")

    with pytest.raises(MailboxExistsError):
        box.transport.create(box.place.dir_fd, NAME)

    assert box.take_all() == [b"mine"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../1.mail", "a\0b", "x" * 65])
def test_name_that_is_no_plain_file_name_is_refused(box: Box, name: str) -> None:
    with pytest.raises(EndpointError):
        box.transport.create(box.place.dir_fd, name)
    with pytest.raises(EndpointError):
        box.transport.connect(box.place.dir_fd, name)
    with pytest.raises(EndpointError):
        box.transport.unlink(box.place.dir_fd, name)


def test_every_file_is_private_whatever_the_umask(box: Box) -> None:
    before = os.umask(0)
    try:
        box.place.create(box.transport, "2.mail")
    finally:
        os.umask(before)

    modes = {
        path.name: stat.S_IMODE(path.lstat().st_mode)
        for path in box.place.path.iterdir()
    }
    assert set(modes.values()) <= {0o600}


def test_held_descriptor_is_not_inherited_by_programs(box: Box) -> None:
    assert not os.get_inheritable(box.held)


def test_opening_something_else_is_refused(box: Box) -> None:
    with pytest.raises(TransportError):
        box.transport.open(box.place.dir_fd, box.place.dir_fd, NAME)


# Closing.


def test_closing_twice_is_harmless(box: Box) -> None:
    for _ in range(2):
        box.outlet.close()
        box.mailbox.close()


def test_closed_outlet_raises(box: Box) -> None:
    box.outlet.close()

    with pytest.raises(ClosedError):
        box.outlet.put(b"x")


def test_closed_mailbox_raises(box: Box) -> None:
    box.mailbox.close()

    with pytest.raises(ClosedError):
        box.mailbox.take(box.slot)
    with pytest.raises(ClosedError):
        box.mailbox.settle(box.slot)
    with pytest.raises(ClosedError):
        box.mailbox.depth()
    with pytest.raises(ClosedError):
        box.mailbox.fileno()


def test_other_outlets_go_on_when_one_is_closed(box: Box) -> None:
    other = box.place.connect(box.transport)
    box.outlet.close()

    assert other.put(b"still here") == Put.ACCEPTED
    assert box.take_all() == [b"still here"]


# Looking without taking.


def test_inspecting_shows_what_waits_and_takes_nothing(box: Box) -> None:
    frames = [b"%d" % n * (n + 1) for n in range(4)]
    for frame in frames:
        assert box.outlet.put(frame) == Put.ACCEPTED

    contents = box.inspect(head_bytes=2)

    assert contents.depth.frames == 4
    if contents.frames is not None:
        found = [(waiting.size, waiting.head) for waiting in contents.frames]
        assert found == [(len(frame), frame[:2]) for frame in frames]
    assert box.take_all() == frames


def test_inspecting_returns_no_more_frames_than_asked_for(box: Box) -> None:
    for frame in (b"one", b"two", b"three"):
        assert box.outlet.put(frame) == Put.ACCEPTED

    contents = box.inspect(head_bytes=9, limit=2)

    assert contents.depth.frames == 3
    if contents.frames is not None:
        assert [waiting.head for waiting in contents.frames] == [b"one", b"two"]


def test_inspecting_an_empty_mailbox_shows_nothing(box: Box) -> None:
    contents = box.inspect()

    assert contents.depth.frames == 0
    assert not contents.frames


def test_inspecting_a_full_mailbox_shows_all_of_it(box: Box) -> None:
    count = fill(box.outlet, b"frame")

    contents = box.inspect()

    assert contents.depth.frames == count
    assert contents.frames is None or len(contents.frames) == count
    assert contents.depth.capacity_frames in {None, count}
    assert box.take_all() == [b"frame"] * count


def test_frames_of_the_largest_size_are_seen_whole(box: Box) -> None:
    frame = os.urandom(box.transport.inline_limit)
    assert box.outlet.put(frame) == Put.ACCEPTED

    contents = box.inspect(head_bytes=len(frame))

    if contents.frames is not None:
        assert [waiting.head for waiting in contents.frames] == [frame]


def test_inspecting_leaves_the_receiver_in_its_place(box: Box) -> None:
    for frame in (b"one", b"two", b"three"):
        assert box.outlet.put(frame) == Put.ACCEPTED
    assert box.mailbox.take(box.slot) == b"one"
    box.slot.clear()

    contents = box.inspect(head_bytes=9)
    box.outlet.put(b"four")

    if contents.frames is not None:
        assert [waiting.head for waiting in contents.frames] == [b"two", b"three"]
    assert box.take_all() == [b"two", b"three", b"four"]


def test_inspecting_while_others_send_and_take_loses_and_repeats_nothing(
    shared_box: Box,
) -> None:
    count = 2000
    shared_box.place.start("send", shared_box.transport.scheme, 1, count)
    taken: list[int] = []

    while len(taken) < count:
        shared_box.inspect(head_bytes=16)
        if is_ready(shared_box.mailbox.fileno(), select.POLLIN, 1):
            taken += [struct.unpack("=IQ", frame)[1] for frame in shared_box.take_all()]

    assert taken == list(range(1, count + 1))


def test_inspecting_a_mailbox_that_does_not_exist_is_an_error(box: Box) -> None:
    with pytest.raises(MailboxNotFoundError):
        box.transport.inspect(box.place.dir_fd, "nobody.mail")


def test_mailboxes_are_inspected_by_address_too(box: Box) -> None:
    assert box.outlet.put(b"frame") == Put.ACCEPTED
    address = Address(box.transport.scheme, str(box.place.path), NAME)

    contents = transports.inspect(address, held=box.held, head_bytes=3)

    assert contents == box.inspect(head_bytes=3)
    assert contents.depth.frames == 1
