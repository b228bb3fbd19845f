"""Large bodies: what is copied, what is referred to, and what is refused."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from actors.wire import parcel
from actors.wire.parcel import ALIGNMENT, MAX_REFERENCES, Parcel
from transports._mapping import address_of
from transports.blob import BlobStore

STREAM = (b"the ", b"pickle")
LARGE = bytes(range(256)) * 100


@attrs.define(eq=False)
class Pair:
    path: Path
    sender: BlobStore
    receiver: BlobStore

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    fd = os.open(tmp_path, os.O_DIRECTORY)
    made = Pair(tmp_path, BlobStore(fd, "5.1"), BlobStore(fd, "7.1"))
    yield made
    made.sender.close()
    made.receiver.close()
    os.close(fd)


def send(pair: Pair, *buffers: memoryview, stream: tuple[bytes, ...] = STREAM) -> bytes:
    return parcel.send(Parcel(stream, buffers), pair.sender, "7")


def test_pickle_and_buffers_arrive_as_they_were(pair: Pair) -> None:
    buffers = [memoryview(LARGE), memoryview(b""), memoryview(b"odd")]

    opened = parcel.receive(send(pair, *buffers), pair.receiver)

    assert bytes(opened.data) == b"the pickle"
    assert opened.buffers == buffers
    assert all(view.readonly for view in opened.buffers)


def test_buffers_are_aligned(pair: Pair) -> None:
    opened = parcel.receive(
        send(pair, memoryview(b"x"), memoryview(b"y")), pair.receiver
    )

    assert {address_of(view) % ALIGNMENT for view in opened.buffers} == {0}


def test_pickle_alone_travels_in_pieces(pair: Pair) -> None:
    body = send(pair, stream=(LARGE, b"", LARGE[::-1]))

    assert bytes(parcel.receive(body, pair.receiver).data) == LARGE + LARGE[::-1]


def test_private_buffers_may_be_written(pair: Pair) -> None:
    opened = parcel.receive(send(pair, memoryview(LARGE)), pair.receiver, private=True)

    opened.buffers[0][:3] = b"new"

    assert bytes(opened.buffers[0][:4]) == b"new\3"


def test_what_came_from_a_blob_is_referred_to_and_not_copied(pair: Pair) -> None:
    shared = memoryview(pair.sender.share([LARGE]))

    body = send(pair, shared[10:20], shared)
    opened = parcel.receive(body, pair.receiver)

    assert list(map(bytes, opened.buffers)) == [LARGE[10:20], LARGE]
    files = {path.stat().st_ino for path in pair.path.iterdir()}
    assert len(files) == 1


def test_references_and_copies_mix_in_order(pair: Pair) -> None:
    one, other = (memoryview(pair.sender.share([text])) for text in (b"one", b"other"))

    opened = parcel.receive(
        send(pair, memoryview(b"a"), one, memoryview(b"b"), other, one), pair.receiver
    )

    assert list(map(bytes, opened.buffers)) == [b"a", b"one", b"b", b"other", b"one"]


def test_reference_with_a_pickle_that_is_not_small_arrives_too(pair: Pair) -> None:
    shared = memoryview(pair.sender.share([LARGE]))

    opened = parcel.receive(send(pair, shared, stream=(LARGE,)), pair.receiver)

    assert (bytes(opened.data), bytes(opened.buffers[0])) == (LARGE, LARGE)


def test_body_fits_into_the_smallest_mailbox_however_many_buffers_there_are(
    pair: Pair,
) -> None:
    shared = [memoryview(pair.sender.share([b"%d" % n])) for n in range(20)]

    body = send(pair, *shared, *[memoryview(b"x")] * 500)
    opened = parcel.receive(body, pair.receiver)

    assert len(body) < 900
    assert body[8:].partition(b"\n\n")[0].count(b"\n") == MAX_REFERENCES
    assert list(map(bytes, opened.buffers[:20])) == [b"%d" % n for n in range(20)]


def test_memory_stays_as_long_as_one_buffer_is_looked_at(pair: Pair) -> None:
    opened = parcel.receive(
        send(pair, memoryview(LARGE), memoryview(b"other")), pair.receiver
    )
    last = opened.buffers[1]
    del opened
    before = len(pair.names())

    del last

    assert (before, pair.names()) == (1, [])


def test_dropped_parcel_leaves_nothing(pair: Pair) -> None:
    shared = memoryview(pair.sender.share([LARGE]))
    body = send(pair, shared, memoryview(LARGE))

    parcel.drop(body, pair.receiver)
    parcel.drop(body, pair.receiver)
    del shared

    assert pair.names() == []


@pytest.mark.parametrize(
    "table",
    [
        b"",
        struct.pack("<I", 2**31),
        struct.pack("<I", 0),
        struct.pack("<IIQQ", 1, 0, 0, 2**40),
        struct.pack("<IIQQ", 1, 0, 2**63, 2**63),
        struct.pack("<IIQQ", 1, 7, 0, 1),
    ],
    ids=["empty", "count", "none", "length", "wrap", "number"],
)
def test_table_that_makes_no_sense_is_refused(pair: Pair, table: bytes) -> None:
    name = bytes(8) + pair.sender.write([table or b"\0"], "7")

    with pytest.raises(ValueError, match="makes no sense"):
        parcel.receive(name + b"\n\n", pair.receiver)

    assert pair.names() == []


@pytest.mark.parametrize(
    "body", [b"", bytes(8) + b"7@5.1+1", b"\n" * 20 + b"\n\n", b"x\n\n"]
)
def test_body_that_is_no_parcel_is_refused(pair: Pair, body: bytes) -> None:
    with pytest.raises((ValueError, OSError)):
        parcel.receive(body, pair.receiver)


def test_pickled_buffers_keep_their_order_through_the_codec_of_python(
    pair: Pair,
) -> None:
    raw: list[memoryview] = []
    data = pickle.dumps(
        [pickle.PickleBuffer(LARGE), 1, pickle.PickleBuffer(b"2")],
        protocol=5,
        buffer_callback=lambda buffer: raw.append(buffer.raw()),
    )

    opened = parcel.receive(send(pair, *raw, stream=(data,)), pair.receiver)
    first, middle, last = pickle.loads(opened.data, buffers=opened.buffers)  # noqa: TID251 - what this test has dumped

    assert (bytes(first), middle, bytes(last)) == (LARGE, 1, b"2")


def test_held_parcel_is_received_any_number_of_times_until_it_is_released(
    pair: Pair,
) -> None:
    shared = memoryview(pair.sender.share([LARGE]))
    held = parcel.hold(send(pair, shared, memoryview(b"x")), pair.receiver)
    del shared
    child = BlobStore(pair.receiver._dir_fd, "8.1")

    for _ in range(3):
        opened = parcel.receive(held, child, is_held=True)
        assert list(map(bytes, opened.buffers)) == [LARGE, b"x"]
        del opened
    before = pair.names()
    parcel.release(held, pair.receiver)

    assert (before, pair.names()) == (["7.1+1", "7.1+2"], [])


def test_nothing_is_held_when_a_part_of_the_parcel_is_gone(pair: Pair) -> None:
    shared = memoryview(pair.sender.share([LARGE]))
    body = send(pair, shared, memoryview(b"x"))
    del shared
    (pair.path / body[8:].split(b"\n")[1].decode()).unlink()

    with pytest.raises(FileNotFoundError):
        parcel.hold(body, pair.receiver)

    assert pair.names() == []


def test_shared_buffers_are_aligned_and_share_one_file(pair: Pair) -> None:
    opened = parcel.share(
        Parcel(STREAM, [memoryview(b"x"), memoryview(LARGE)]), pair.sender
    )

    assert (bytes(opened.data), list(map(bytes, opened.buffers))) == (
        b"the pickle",
        [b"x", LARGE],
    )
    assert {address_of(view) % ALIGNMENT for view in opened.buffers} == {0}
    assert len(pair.names()) == 1


def test_what_is_shared_already_is_not_copied_again(pair: Pair) -> None:
    shared = memoryview(pair.sender.share([LARGE]))

    opened = parcel.share(Parcel(STREAM, [shared[5:]]), pair.sender)

    assert address_of(opened.buffers[0]) == address_of(shared) + 5
    assert len(pair.names()) == 1


def test_pickle_that_is_not_very_large_is_read_and_its_memory_given_back(
    pair: Pair,
) -> None:
    opened = parcel.receive(send(pair, stream=(LARGE,)), pair.receiver)

    assert (bytes(opened.data), pair.names()) == (LARGE, [])


def test_small_pickle_does_not_have_what_it_refers_to_read(pair: Pair) -> None:
    shared = memoryview(pair.sender.share([LARGE * 9]))

    opened = parcel.receive(send(pair, shared, stream=(LARGE,)), pair.receiver)

    assert pair.receiver.view_of(opened.buffers[0]) is not None
