"""The edges of the C ring: what only shared memory can get wrong."""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import random
import select
import struct
import sys
import threading
from collections import deque
from pathlib import Path

import attrs
import pytest

from tests.support.programs import outcome_of
from tests.support.transports import (
    NAME,
    Place,
    eventually,
    fill,
    is_ready,
    new_slot,
    take_all,
)
from transports import _ring, shm
from transports._ring import Reader, Slot, Writer, arm, disarm, look
from transports.errors import (
    ClosedError,
    CorruptError,
    EndpointError,
    FrameTooLargeError,
)
from transports.mailbox import SEATS, Note, Put

PAGE = 4096
WORD = struct.Struct("=Q")
HEAD, TAIL = _ring.HEAD_OFFSET, _ring.TAIL_OFFSET
SECOND_NS = 10**9


@attrs.define(eq=False)
class Ends:
    place: Place
    held: int
    reader: Reader
    writer: Writer
    slot: Slot

    def reopen(self, seat: int = 0) -> Reader:
        following = shm.TRANSPORT.open(self.held, self.place.dir_fd, NAME, seat)
        return self.place.keep(following)

    def leave_claimed(self, seq: int) -> None:
        """Leave the record *seq* as a receiver of seat 0 does that is killed in the middle of a take."""
        self.poke(_ring.HEADER_BYTES + (seq % PAGE) + 8, seq)
        self.poke(HEAD, seq)

    def word(self, offset: int) -> int:
        return int(WORD.unpack(os.pread(self.held, 8, offset))[0])

    def poke(self, offset: int, value: int) -> None:
        os.pwrite(self.held, WORD.pack(value), offset)


def make_ends(place: Place, capacity: int = PAGE) -> Ends:
    held = place.create(shm.TRANSPORT, capacity=capacity)
    reader = place.keep(shm.TRANSPORT.open(held, place.dir_fd, NAME))
    writer = place.keep(shm.TRANSPORT.connect(place.dir_fd, NAME))
    return Ends(place, held, reader, writer, new_slot())


@pytest.fixture
def ends(place: Place) -> Ends:
    return make_ends(place)


# Positions.


def test_frames_keep_their_bytes_and_order_over_many_turns_of_the_ring(
    ends: Ends,
) -> None:
    chance = random.Random(20)
    model: deque[bytes] = deque()

    for _ in range(5000):
        frame = chance.randbytes(chance.choice([0, 1, 7, 8, 9, 100, 1000, 4080]))
        if chance.random() < 0.6 and ends.writer.put(frame) == Put.ACCEPTED:
            model.append(frame)
        elif model:
            assert ends.reader.take(ends.slot) == model.popleft()
            ends.slot.clear()

    assert take_all(ends.reader, ends.slot) == list(model)
    assert ends.word(TAIL) > 50 * PAGE


def test_ring_can_be_filled_to_its_last_byte(ends: Ends) -> None:
    frame = bytes(PAGE - _ring.RECORD_BYTES)

    assert ends.writer.put(frame) == Put.ACCEPTED
    assert ends.writer.put(b"") == Put.FULL
    assert ends.word(TAIL) - ends.word(HEAD) == PAGE


def test_record_that_wraps_around_the_end_is_whole(ends: Ends) -> None:
    ends.writer.put(bytes(PAGE // 2))
    take_all(ends.reader, ends.slot)
    frame = os.urandom(PAGE - _ring.RECORD_BYTES)

    ends.writer.put(frame)

    assert ends.reader.take(ends.slot) == frame


def test_frame_that_the_ring_could_never_hold_is_an_error_not_full(
    ends: Ends,
) -> None:
    with pytest.raises(FrameTooLargeError) as caught:
        ends.writer.put(bytes(PAGE))

    assert caught.value.limit == PAGE - _ring.RECORD_BYTES


def test_sequence_number_is_the_position_and_never_zero(ends: Ends) -> None:
    seqs = []
    for frame in (b"", b"x", b"y"):
        ends.writer.put(frame)
        ends.reader.take(ends.slot)
        seqs.append(ends.slot.seq)
        ends.slot.clear()

    assert seqs == [PAGE, PAGE + 16, PAGE + 40]


def test_more_than_sixteen_parts_are_refused(ends: Ends) -> None:
    with pytest.raises(ValueError, match="17 parts"):
        ends.writer.put(*[b"x"] * 17)


# Settling.


def test_frame_in_slot_and_ring_is_handed_over_once(ends: Ends) -> None:
    """A receiver killed between the slot's mark and the record's leaves both."""
    ends.writer.put(b"one")
    ends.writer.put(b"two")
    ends.reader.take(ends.slot)
    ends.leave_claimed(ends.slot.seq)

    following = ends.reopen()
    following.settle(ends.slot)
    following.settle(ends.slot)

    assert ends.slot.frame() == b"one"
    ends.slot.clear()
    assert take_all(following, ends.slot) == [b"two"]


def test_frame_that_a_dead_receiver_had_only_claimed_goes_into_its_slot(
    ends: Ends,
) -> None:
    ends.writer.put(b"one")
    ends.writer.put(b"two")
    ends.reader.take(ends.slot)
    ends.leave_claimed(ends.slot.seq)
    ends.slot.clear()  # the mark is gone, the number still stands there

    following = ends.reopen()
    following.settle(ends.slot)

    assert (ends.slot.frame(), ends.slot.started) == (b"one", False)
    ends.slot.clear()
    assert take_all(following, ends.slot) == [b"two"]


def test_claim_goes_into_the_slot_that_is_empty(ends: Ends) -> None:
    slots = [new_slot() for _ in range(3)]
    for frame in (b"one", b"two", b"three"):
        ends.writer.put(frame)
    ends.reader.take(slots[0])
    ends.reader.take(slots[2])
    ends.reader.take(ends.slot)
    ends.leave_claimed(ends.slot.seq)

    ends.reopen().settle(*slots)

    assert [slot.frame() for slot in slots] == [b"one", b"three", b"two"]


def test_frame_of_another_ring_with_the_same_number_is_not_taken_for_the_claimed_one(
    ends: Ends,
) -> None:
    other = ends.place.create(shm.TRANSPORT, "2.mail", PAGE)
    ends.place.connect(shm.TRANSPORT, "2.mail").put(b"other")
    ends.writer.put(b"one")
    slots = [new_slot(), new_slot()]
    ends.place.open(shm.TRANSPORT, other, "2.mail").take(slots[0])
    ends.reader.take(ends.slot)
    ends.leave_claimed(ends.slot.seq)

    ends.reopen().settle(*slots)

    assert slots[0].seq == slots[1].seq
    assert [slot.frame() for slot in slots] == [b"other", b"one"]


def test_claim_without_a_slot_that_could_hold_it_is_corrupt(ends: Ends) -> None:
    slot = new_slot()
    for frame in (b"one", b"two"):
        ends.writer.put(frame)
    ends.reader.take(slot)
    ends.reader.take(ends.slot)
    ends.leave_claimed(ends.slot.seq)

    with pytest.raises(CorruptError):
        ends.reopen().settle(slot)


# Several receivers.


def test_record_that_another_has_claimed_is_passed_over_and_keeps_its_room(
    ends: Ends,
) -> None:
    other = ends.reopen(seat=7)
    for frame in (b"one", b"two"):
        ends.writer.put(frame)
    first = ends.word(HEAD)
    ends.reader.take(ends.slot)
    ends.leave_claimed(first)

    assert take_all(other, new_slot()) == [b"two"]
    assert ends.word(HEAD) == first

    ends.reopen().settle(ends.slot)
    assert ends.word(HEAD) == ends.word(TAIL)


def test_settling_one_seat_leaves_the_claims_of_others(ends: Ends) -> None:
    ends.writer.put(b"one")
    first = ends.word(HEAD)
    ends.reader.take(ends.slot)
    ends.leave_claimed(first)
    slot = new_slot()

    ends.reopen(seat=1).settle(slot)

    assert not slot.filled
    assert ends.word(HEAD) == first


def test_every_seat_there_is_can_be_taken_and_no_other(ends: Ends) -> None:
    ends.reopen(seat=SEATS - 1)

    with pytest.raises(EndpointError, match="seat"):
        ends.reopen(seat=SEATS)
    with pytest.raises(EndpointError, match="seat"):
        ends.reopen(seat=-1)
    with pytest.raises(ValueError, match="seat"):
        _ring.Reader(ends.held, lambda: -1, lambda: None, SEATS)


@pytest.mark.parametrize("seat", [0, 63, 64, SEATS - 1])
def test_senders_ring_while_any_receiver_sleeps(ends: Ends, seat: int) -> None:
    sleeper = ends.reopen(seat=seat)
    disarm((sleeper,))
    bell = sleeper.fileno()

    arm((sleeper,))
    ends.writer.put(b"one")
    woken = is_ready(bell, select.POLLIN)
    sleeper.hush()
    disarm((sleeper,))
    ends.writer.put(b"two")

    assert (woken, is_ready(bell, select.POLLIN)) == (True, False)


def test_receiver_that_leaves_something_behind_wakes_another(ends: Ends) -> None:
    """It reads the bell empty, and with it what was rung for the other."""
    other = ends.reopen(seat=1)
    for reader in (ends.reader, other):
        reader.fileno()
        disarm((reader,))
    arm((other,))
    ends.writer.put(b"one")
    ends.writer.put(b"two")

    ends.reader.hush()
    ends.reader.take(ends.slot)

    assert is_ready(other.fileno(), select.POLLIN)


def test_settling_wakes_another_for_what_the_dead_receiver_was_woken_for(
    ends: Ends,
) -> None:
    other = ends.reopen(seat=1)
    disarm((other,))
    arm((other,))
    ends.writer.put(b"one")
    other.hush()

    ends.reopen().settle(ends.slot)

    assert is_ready(other.fileno(), select.POLLIN)


# Locks of the dead and of the stopped.  Real deaths are in test_every_instruction;
# here the kernel's part is played by writing what it would have written.

LOCK = 64  # the word with the holder's thread number
OWNER_DIED = 0x4000_0000  # what the kernel leaves there
NOBODY = 0x3FFF_FFFE  # no thread has this number


def hold_for(ends: Ends, tid: int) -> None:
    os.pwrite(ends.held, struct.pack("=I", tid), LOCK)


def test_put_answers_full_while_the_holder_of_the_lock_is_stopped(
    ends: Ends,
) -> None:
    hold_for(ends, 1)  # alive, and not going to let go
    meanwhile = ends.writer.put(b"x")
    hold_for(ends, 0)

    assert meanwhile == Put.FULL
    assert ends.writer.put(b"x") == Put.ACCEPTED


def test_lock_of_a_dead_sender_is_taken_over(ends: Ends) -> None:
    ends.writer.put(b"one")
    hold_for(ends, OWNER_DIED)

    results = [ends.writer.put(b"two"), ends.writer.put(b"three")]

    assert results == [Put.ACCEPTED] * 2
    assert shm.recoveries(ends.held) == 1
    assert take_all(ends.reader, ends.slot) == [b"one", b"two", b"three"]


def test_lock_of_a_dead_sender_with_positions_that_make_no_sense_is_given_up(
    ends: Ends,
) -> None:
    other = ends.place.connect(shm.TRANSPORT)
    tail = ends.word(TAIL)
    hold_for(ends, OWNER_DIED)
    ends.poke(TAIL, tail + 4)
    with pytest.raises(CorruptError):
        ends.writer.put(b"x")

    ends.poke(TAIL, tail)

    with pytest.raises(CorruptError):  # nobody trusts it again
        other.put(b"x")


def test_lock_of_a_thread_that_never_was_is_corrupt(ends: Ends) -> None:
    """It was FULL, for ever: nobody gives such a lock back."""
    hold_for(ends, NOBODY)

    with pytest.raises(CorruptError):
        ends.writer.put(b"x")


def test_lock_in_a_header_that_was_written_over_is_corrupt(ends: Ends) -> None:
    os.pwrite(ends.held, bytes(8), 0)
    hold_for(ends, 1)

    with pytest.raises(CorruptError):
        ends.writer.put(b"x")


# Bytes that make no sense.


@pytest.mark.parametrize("value", [0, 2**64 - 8, PAGE + 4, PAGE - 8, 3 * PAGE])
def test_tail_that_makes_no_sense_is_corrupt(ends: Ends, value: int) -> None:
    ends.writer.put(b"frame")

    ends.poke(TAIL, value)

    with pytest.raises(CorruptError):
        ends.reader.take(ends.slot)
    with pytest.raises(CorruptError):
        ends.writer.put(b"frame")
    with pytest.raises(CorruptError):
        ends.reopen()


def test_tail_that_goes_back_to_the_head_is_corrupt_not_empty(ends: Ends) -> None:
    ends.writer.put(b"one")
    ends.writer.put(b"two")
    ends.reader.take(ends.slot)
    ends.slot.clear()

    ends.poke(TAIL, ends.word(HEAD))

    with pytest.raises(CorruptError):
        ends.reader.take(ends.slot)


def test_tail_that_goes_back_behind_a_frame_is_corrupt(ends: Ends) -> None:
    for frame in (b"one", b"two", b"three"):
        ends.writer.put(frame)
    ends.reader.take(ends.slot)
    ends.slot.clear()

    ends.poke(TAIL, ends.word(TAIL) - 24)

    with pytest.raises(CorruptError):
        ends.reader.take(ends.slot)


def test_head_that_goes_back_stops_senders_that_need_it(ends: Ends) -> None:
    fill(ends.writer, bytes(1000))
    ends.reader.take(ends.slot)
    ends.slot.clear()
    ends.reader.take(ends.slot)
    ends.writer.put(bytes(1000))  # has seen that two are gone

    ends.poke(HEAD, ends.word(HEAD) - 1016)

    with pytest.raises(CorruptError):
        ends.writer.put(bytes(2000))


@pytest.mark.parametrize("value", [0, PAGE + 1, 2**63, 3 * PAGE])
def test_head_that_makes_no_sense_stops_senders_that_need_it(
    ends: Ends, value: int
) -> None:
    fill(ends.writer, bytes(1000))

    ends.poke(HEAD, value)

    with pytest.raises(CorruptError):
        ends.writer.put(bytes(1000))


def test_receiver_goes_on_where_another_has_stopped_that_took_in_its_place(
    ends: Ends,
) -> None:
    for frame in (b"one", b"two", b"three"):
        ends.writer.put(frame)
    assert ends.reader.take(ends.slot) == b"one"
    ends.slot.clear()
    code = (
        "import os, sys, tests.support.transports as t\n"
        "from transports import shm\n"
        "fd = t.open_directory(sys.argv[1])\n"
        "held = os.open(t.NAME, os.O_RDWR, dir_fd=fd)\n"
        "print(shm.TRANSPORT.open(held, fd, t.NAME).take(t.new_slot()).decode())"
    )

    stand_in = outcome_of("-c", code, str(ends.place.path))

    assert stand_in.stdout == "two\n"
    assert ends.reader.take(ends.slot) == b"three"
    ends.slot.clear()
    assert ends.reader.take(ends.slot) is None


@pytest.mark.parametrize("head", [0, 8, PAGE - 8, PAGE + 4, PAGE + 8, 2**63])
def test_head_that_makes_no_sense_is_corrupt(ends: Ends, head: int) -> None:
    ends.writer.put(b"one")

    ends.poke(HEAD, head)

    with pytest.raises(CorruptError):
        ends.reader.take(ends.slot)


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (0, bytes(4)),
        (4, struct.pack("=I", 2**32 - 1)),
        (4, struct.pack("=I", _ring.FRAME_LIMIT + 1)),
        (4, struct.pack("=I", 1)),
        (8, bytes(8)),
    ],
    ids=["mark", "huge", "over the limit", "past the tail", "seq"],
)
def test_record_header_that_makes_no_sense_is_corrupt(
    ends: Ends, offset: int, data: bytes
) -> None:
    ends.writer.put(b"")

    os.pwrite(ends.held, data, _ring.HEADER_BYTES + offset)

    with pytest.raises(CorruptError):
        ends.reader.take(ends.slot)
    assert not ends.slot.filled


def test_length_over_the_limit_is_corrupt_even_where_the_bytes_are_there(
    place: Place,
) -> None:
    ends = make_ends(place, 256 * 1024)
    fill(ends.writer, bytes(_ring.FRAME_LIMIT))

    length = struct.pack("=I", _ring.FRAME_LIMIT + 1)
    os.pwrite(ends.held, length, _ring.HEADER_BYTES + 4)

    with pytest.raises(CorruptError):
        ends.reader.take(ends.slot)


def test_corruption_is_raised_once_and_then_nothing_waits(ends: Ends) -> None:
    ends.writer.put(b"frame")
    ends.poke(TAIL, 0)
    with pytest.raises(CorruptError):
        ends.reader.take(ends.slot)

    assert ends.reader.take(ends.slot) is None
    assert not look((ends.reader,), SECOND_NS)
    assert not arm((ends.reader,))
    assert ends.reader.depth().exact is False
    ends.reader.settle(ends.slot)


def test_corrupt_sender_goes_on_saying_so(ends: Ends) -> None:
    ends.poke(TAIL, 4)

    for _ in range(2):
        with pytest.raises(CorruptError):
            ends.writer.put(b"frame")


def test_random_bytes_anywhere_never_crash_a_process(place: Place) -> None:
    process = place.start("smash", 1500, 7)

    printed, _ = process.communicate()

    assert process.returncode == 0
    corrupt, other = map(int, printed.split())
    assert corrupt > 150  # most bytes are payload, padding, or not looked at again
    assert corrupt + other == 1500


@pytest.mark.parametrize("size", [0, 100, PAGE, PAGE + 100, 3 * PAGE])
def test_file_of_a_size_that_no_ring_has_is_corrupt(place: Place, size: int) -> None:
    held = place.create(shm.TRANSPORT, capacity=PAGE)
    os.truncate(held, size)

    with pytest.raises(CorruptError):
        shm.TRANSPORT.open(held, place.dir_fd, NAME)
    with pytest.raises(CorruptError):
        shm.TRANSPORT.connect(place.dir_fd, NAME)


def test_file_without_the_magic_word_is_corrupt(ends: Ends) -> None:
    ends.poke(0, 0)

    with pytest.raises(CorruptError):
        ends.reopen()


# Looking and sleeping.


def test_look_finds_a_frame_in_any_of_the_rings(place: Place, ends: Ends) -> None:
    held = place.create(shm.TRANSPORT, "1.lane", PAGE)
    lane = place.connect(shm.TRANSPORT, "1.lane")
    lane_reader = place.keep(shm.open_reader(held, place.dir_fd, "1.lane"))
    readers = (ends.reader, lane_reader)

    before = look(readers, 0)
    lane.put(b"x")

    assert (before, look(readers, 0)) == (False, True)


def test_look_sees_a_frame_that_comes_while_it_spins(place: Place) -> None:
    ends = make_ends(place)
    place.start("send", "shm", 1, 1)

    eventually(lambda: look((ends.reader,), 100_000))

    assert ends.reader.take(ends.slot) is not None


def test_look_lets_other_threads_run(ends: Ends) -> None:
    readers = (ends.reader,)
    thread = threading.Thread(target=ends.writer.put, args=(b"from a thread",))

    thread.start()
    eventually(lambda: look(readers, 100_000))
    thread.join()

    assert ends.reader.take(ends.slot) == b"from a thread"


def test_reader_may_be_closed_while_another_thread_looks(ends: Ends) -> None:
    done = threading.Event()

    def look_on() -> None:
        while not done.is_set():
            look((ends.reader,), 200_000)

    thread = threading.Thread(target=look_on)
    thread.start()
    look((ends.reader,), 200_000)  # gives the other one the interpreter
    ends.reader.close()
    look((), 0)
    done.set()
    thread.join()

    assert not look((ends.reader,), 0)


def test_arm_reports_what_waits_and_leaves_the_bell_silent(ends: Ends) -> None:
    disarm((ends.reader,))
    bell = ends.reader.fileno()
    ends.writer.put(b"x")

    found = arm((ends.reader,))
    ends.writer.put(b"y")

    assert found
    assert not is_ready(bell, select.POLLIN)


def test_put_rings_only_while_the_reader_is_armed(ends: Ends) -> None:
    disarm((ends.reader,))
    bell = ends.reader.fileno()
    assert ends.reader.take(ends.slot) is None  # which does not arm it again
    ends.writer.put(b"unarmed")
    before = is_ready(bell, select.POLLIN)
    take_all(ends.reader, ends.slot)

    found = arm((ends.reader,))
    ends.writer.put(b"armed")

    assert (found, before, is_ready(bell, select.POLLIN)) == (False, False, True)


def test_ring_of_a_sender_that_left_before_the_bell_was_opened_is_not_lost(
    ends: Ends,
) -> None:
    arm((ends.reader,))
    ends.writer.put(b"x")
    ends.writer.close()  # nobody has the FIFO open now, so it forgets

    assert is_ready(ends.reader.fileno(), select.POLLIN)


def test_receiver_wakes_who_sleeps_on_its_own_bell(ends: Ends) -> None:
    bell = ends.reader.fileno()

    ends.reader.ring()

    assert is_ready(bell, select.POLLIN, 0)
    ends.reader.hush()
    assert not is_ready(bell, select.POLLIN, 0)


def test_bell_that_rings_already_is_rung_without_an_error(ends: Ends) -> None:
    bell = ends.reader.fileno()
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(bell, bytes(4096))

    ends.reader.ring()

    ends.reader.hush()
    assert not is_ready(bell, select.POLLIN, 0)


def test_bell_that_is_closed_is_not_rung(ends: Ends) -> None:
    """Its number may be somebody else's by then."""
    ends.reader.fileno()
    ends.reader.close()

    with pytest.raises(ClosedError):
        ends.reader.ring()


def test_hush_silences_a_bell_that_rang_many_times(ends: Ends) -> None:
    bell = ends.reader.fileno()
    arm((ends.reader,))
    for _ in range(200):
        ends.writer.put(b"")

    ends.reader.hush()

    assert not is_ready(bell, select.POLLIN)


def test_bell_that_is_full_does_not_stop_a_put(ends: Ends) -> None:
    bell = ends.reader.fileno()
    arm((ends.reader,))
    os.write(bell, bytes(PAGE))

    assert ends.writer.put(b"x") == Put.ACCEPTED


def test_another_end_that_only_looks_does_not_silence_the_bell(ends: Ends) -> None:
    """It did, and the receiver slept on with a frame in its ring."""
    arm((ends.reader,))
    bell = ends.reader.fileno()

    ends.reopen()
    ends.writer.put(b"x")

    assert is_ready(bell, select.POLLIN)


@pytest.mark.parametrize("readers", [[], ("reader",), (None,) * 65], ids=repr)
def test_only_tuples_of_few_readers_can_be_watched(readers: object) -> None:
    with pytest.raises(TypeError):
        look(readers, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        arm(readers)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        disarm(readers)  # type: ignore[arg-type]


# Notes.


@pytest.mark.parametrize("offset", [-8, 4, 16, 2**62])
def test_note_outside_its_buffer_or_unaligned_is_refused(
    ends: Ends, offset: int
) -> None:
    note = Note(mmap.mmap(-1, 16), offset, 1)

    with pytest.raises(ValueError, match="note"):
        shm.TRANSPORT.connect(ends.place.dir_fd, NAME, note=note)


def test_closed_outlet_gives_the_buffer_of_its_note_back(ends: Ends) -> None:
    words = mmap.mmap(-1, 16)
    outlet = shm.TRANSPORT.connect(ends.place.dir_fd, NAME, note=Note(words, 0, 1))

    with pytest.raises(BufferError):
        words.close()
    outlet.close()

    words.close()


# Slots.


def test_size_of_a_slot_is_a_multiple_of_a_cache_line() -> None:
    assert [Slot.size(n) for n in (1, 48, 49, 16384)] == [128, 128, 192, 16512]


def test_slots_in_a_row_do_not_touch_each_other(ends: Ends) -> None:
    size = Slot.size(PAGE)
    memory = mmap.mmap(-1, 3 * size)
    slots = [Slot(memory, n * size, PAGE) for n in range(3)]
    frame = b"x" * (PAGE - _ring.RECORD_BYTES)
    ends.writer.put(frame)

    ends.reader.take(slots[1])
    slots[1].start()
    slots[1].source = 2**64 - 1

    assert memory[:size] + memory[2 * size :] == bytes(2 * size)
    assert slots[1].frame() == frame


@pytest.mark.parametrize(
    ("offset", "limit"),
    [(-64, 100), (1, 100), (4096, 100), (4000, 100), (0, 0), (0, -1), (0, 2**31)],
)
def test_slot_that_does_not_fit_is_refused(offset: int, limit: int) -> None:
    with pytest.raises(ValueError, match=r"slot|limit"):
        Slot(mmap.mmap(-1, PAGE), offset, limit)


def test_slot_in_memory_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(BufferError):
        Slot(bytes(PAGE), 0, 100)


def test_slot_never_reads_past_its_limit_whatever_the_length_says() -> None:
    memory = mmap.mmap(-1, Slot.size(100))
    slot = Slot(memory, 0, 100)
    slot.record[:16] = struct.pack("=IIQ", _ring.RECORD_MARK, 101, 1)

    assert (slot.filled, slot.frame()) == (False, None)


def test_clear_empties_the_slot_and_keeps_the_owners_word() -> None:
    slot = new_slot(100)
    slot.record[:16] = struct.pack("=IIQ", _ring.RECORD_MARK, 4, 1)
    slot.start()
    slot.source = 5

    slot.clear()

    assert (slot.filled, slot.started, slot.frame(), slot.source) == (
        False,
        False,
        None,
        5,
    )


def test_prefault_changes_nothing() -> None:
    memory = mmap.mmap(-1, Slot.size(3 * PAGE))
    memory[:] = before = os.urandom(len(memory))

    Slot(memory, 0, 3 * PAGE).prefault()

    assert memory[:] == before


def test_record_keeps_the_memory_of_its_slot_alive() -> None:
    record = new_slot(100).record

    gc.collect()
    record[:4] = b"good"

    assert len(record) == 116


# Lifetimes.


def open_fds() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def mapped_rings() -> int:
    return Path("/proc/self/maps").read_text().count("/test-transports-")


def test_ends_that_are_dropped_leave_no_descriptor_and_no_mapping(
    place: Place,
) -> None:
    held = place.create(shm.TRANSPORT)
    fds, rings = open_fds(), mapped_rings()

    for _ in range(10):
        shm.TRANSPORT.open(held, place.dir_fd, NAME).fileno()
        shm.TRANSPORT.connect(place.dir_fd, NAME)

    assert mapped_rings() == rings
    assert len(open_fds()) == len(fds)


def test_failed_connects_leave_nothing_behind(ends: Ends) -> None:
    ends.poke(0, 0)
    fds, rings = open_fds(), mapped_rings()

    for _ in range(10):
        with pytest.raises(CorruptError):
            shm.TRANSPORT.connect(ends.place.dir_fd, NAME)

    assert (len(open_fds()), mapped_rings()) == (len(fds), rings)


def test_no_reference_is_gained_or_lost_on_the_way(ends: Ends) -> None:
    frame, part = b"f" * 100, bytearray(b"p")
    counted = [frame, part, Put.ACCEPTED, Put.FULL, None, True, False, ends.slot]

    def exercise() -> None:
        for _ in range(1000):
            ends.writer.put(frame, part)
            ends.reader.take(ends.slot)
            ends.reader.settle(ends.slot)
            ends.slot.clear()
            look((ends.reader,), 0)
            ends.reader.depth()

    exercise()
    before = [sys.getrefcount(thing) for thing in counted]
    exercise()

    after = [sys.getrefcount(thing) for thing in counted]
    assert all(abs(new - old) < 100 for new, old in zip(after, before, strict=True))


def test_part_is_released_after_the_put(ends: Ends) -> None:
    part = bytearray(b"resizable again")

    ends.writer.put(part)
    with pytest.raises(TypeError):
        ends.writer.put(part, None)  # type: ignore[arg-type]

    part.clear()
