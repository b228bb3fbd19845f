"""Payloads in files: whose they are, when they go, and what they cost."""

from __future__ import annotations

import errno
import gc
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from tests.support.programs import outcome_of
from tests.support.transports import Place
from transports import blob
from transports.blob import BlobStore
from transports.errors import NoSpaceError
from transports.kept import KEPT_SECONDS, MAX_KEPT, MIN_KEPT_BYTES

LARGE = os.urandom(1024) * (MIN_KEPT_BYTES // 1024)


@attrs.define(eq=False)
class Pair:
    """A sender, a receiver, and the directory between them."""

    place: Place
    sender: BlobStore
    receiver: BlobStore

    def names(self) -> list[str]:
        return sorted(path.name for path in self.place.path.iterdir())

    def held_bytes(self) -> int:
        """Count each file once, whatever number of names it has."""
        files = {(s.st_ino, s.st_blocks * 512) for s in map(os.stat, self.paths())}
        return sum(size for _, size in files)

    def paths(self) -> list[str]:
        return [str(path) for path in self.place.path.iterdir()]


@pytest.fixture
def pair(place: Place) -> Iterator[Pair]:
    made = Pair(place, BlobStore(place.dir_fd, "5.1"), BlobStore(place.dir_fd, "7.2"))
    yield made
    made.sender.close()
    made.receiver.close()


def test_parts_arrive_as_one_read_only_memory(pair: Pair) -> None:
    name = pair.sender.write([b"one", memoryview(b"-two-")[1:4], b""], "7")

    view = memoryview(pair.receiver.take(name))

    assert (bytes(view), view.readonly) == (b"onetwo", True)


def test_private_memory_is_copied_as_it_is_written(pair: Pair) -> None:
    name = pair.sender.write([b"original"], "7")
    shared = pair.receiver.take(name)
    other = pair.receiver.post(shared, "7")

    private = memoryview(pair.receiver.take(other, private=True))
    private[:4] = b"mine"

    assert (bytes(private), bytes(memoryview(shared))) == (b"mineinal", b"original")


def test_private_memory_is_not_referred_to(pair: Pair) -> None:
    private = pair.receiver.take(pair.sender.write([b"original"], "7"), private=True)

    assert pair.receiver.view_of(private) is None


def test_more_parts_than_one_system_call_takes_are_all_written(pair: Pair) -> None:
    name = pair.sender.write([b"%04d" % n for n in range(3000)], "7")

    assert bytes(pair.receiver.take(name)) == b"".join(b"%04d" % n for n in range(3000))


def test_payload_goes_with_the_last_look_into_it(pair: Pair) -> None:
    view = memoryview(pair.receiver.take(pair.sender.write([b"payload"], "7")))
    part = view[3:]
    del view
    gc.collect()
    before = pair.names()

    del part

    assert (before, pair.names()) == (["7.2+1"], [])


def test_payload_is_taken_once(pair: Pair) -> None:
    name = pair.sender.write([b"payload"], "7")
    pair.receiver.take(name)

    with pytest.raises(FileNotFoundError):
        pair.receiver.take(name)


def test_read_payload_is_removed(pair: Pair) -> None:
    name = pair.sender.write([b"payload"], "7")

    assert pair.receiver.read(name) == b"payload"
    assert pair.names() == []


def test_dropping_may_be_repeated_and_ignores_what_is_no_name(pair: Pair) -> None:
    name = pair.sender.write([b"payload"], "7")

    for what in (name, name, b"../lock", b""):
        pair.sender.drop(what)

    assert pair.names() == []


@pytest.mark.parametrize(
    "name", [b"", b"lock", b"5.1+1", b"7@5.1+", b"../7@5.1+1", b"7@5.1+1/..", b"7@@5+1"]
)
def test_what_is_no_name_of_a_payload_is_refused(pair: Pair, name: bytes) -> None:
    with pytest.raises(ValueError, match="not the name"):
        pair.receiver.take(name)


def test_link_in_the_place_of_a_payload_is_refused(pair: Pair) -> None:
    (pair.place.path / "precious").write_bytes(b"precious")
    (pair.place.path / "7@5.1+1").symlink_to(pair.place.path / "precious")

    with pytest.raises(OSError, match="symbolic"):
        pair.receiver.take(b"7@5.1+1")


def test_view_knows_what_lies_in_it(pair: Pair) -> None:
    view = pair.receiver.take(pair.sender.write([b"0123456789"], "7"))
    inside, outside = memoryview(view)[3:7], b"3456"

    assert pair.receiver.view_of(inside) is view
    assert pair.receiver.view_of(outside) is None


def test_posted_view_outlives_the_one_who_posted_it(pair: Pair) -> None:
    view = pair.receiver.take(pair.sender.write([b"handed on"], "7"))
    third = BlobStore(pair.place.dir_fd, "9.1")
    name = pair.receiver.post(view, "9")

    del view

    assert bytes(third.take(name)) == b"handed on"
    assert pair.names() == []


def test_shared_memory_is_one_file_however_often_it_is_posted(pair: Pair) -> None:
    shared = pair.sender.share([LARGE])

    views = [pair.receiver.take(pair.sender.post(shared, "7")) for _ in range(8)]

    assert pair.held_bytes() == len(LARGE)
    assert all(bytes(view) == LARGE for view in views)


# Memory that is used again.


def send(pair: Pair, data: bytes) -> None:
    view = memoryview(pair.receiver.take(pair.sender.write([data], "7")))
    assert view[: len(data)] == data


def test_memory_of_many_large_payloads_is_used_again(pair: Pair) -> None:
    for number in range(100):
        send(pair, bytes([number]) * len(LARGE))

        assert pair.held_bytes() <= len(LARGE)


def test_memory_that_somebody_looks_into_is_not_used_again(pair: Pair) -> None:
    views = [
        pair.receiver.take(pair.sender.write([bytes([number]) * len(LARGE)], "7"))
        for number in range(20)
    ]

    assert all(
        bytes(view) == bytes([number]) * len(LARGE) for number, view in enumerate(views)
    )


def test_memory_of_another_size_gives_up_its_place(pair: Pair) -> None:
    """Four small ones were in the way of large ones for as long as they were used."""
    queued = [pair.sender.write([LARGE], "7") for _ in range(MAX_KEPT + 1)]
    for name in queued:
        pair.receiver.drop(name)

    for number in range(4):
        send(pair, LARGE * 4)
        if number > 1:
            assert pair.held_bytes() == (MAX_KEPT + 3) * len(LARGE)


def test_one_large_payload_leaves_no_memory_behind(pair: Pair) -> None:
    send(pair, LARGE)

    assert pair.names() == []


def test_memory_that_was_not_used_for_a_while_is_let_go(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        send(pair, LARGE)
    before = pair.held_bytes()
    later = time.monotonic() + KEPT_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)

    send(pair, LARGE * 3)

    assert (before, pair.held_bytes()) == (len(LARGE), 0)


def test_shorter_payload_in_used_memory_begins_where_it_should(pair: Pair) -> None:
    for _ in range(2):
        send(pair, LARGE)

    send(pair, LARGE[::-1][: len(LARGE) * 3 // 4 + 1024])


# No room.


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the file system be full after a first piece of each payload, as often as the list has entries."""
    times = [1]
    writev = os.writev

    def write(fd: int, parts: list[memoryview]) -> int:
        if os.fstat(fd).st_size:
            times.pop()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return writev(fd, [parts[0][:1]] if times else parts)

    monkeypatch.setattr(os, "writev", write)
    return times


def test_full_file_system_is_an_error_and_leaves_nothing(
    pair: Pair, full: list[int]
) -> None:
    with pytest.raises(NoSpaceError, match="payload of 262144 bytes"):
        pair.sender.write([LARGE], "7")

    assert (full, pair.names()) == ([], [])
    send(pair, b"smaller ones go on")


def test_memory_that_is_kept_makes_room_for_what_has_none(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        send(pair, LARGE)
    kept = pair.names()
    calls: list[list[str]] = []
    write_new = blob._write_new

    def write(dir_fd: int, name: str, parts: Sequence[memoryview]) -> int:
        calls.append(pair.names())
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_new(dir_fd, name, parts)

    monkeypatch.setattr(blob, "_write_new", write)

    send(pair, LARGE * 3)

    assert calls == [kept, []]


# Deaths.


def test_what_a_dead_process_held_is_swept_and_what_it_sent_is_not(
    pair: Pair,
) -> None:
    shared = pair.sender.share([b"held"])
    pair.sender.write([b"sent"], "7")
    elsewhere = BlobStore(pair.place.dir_fd, "5.10").share([b"of another"])

    blob.sweep_holder(pair.place.dir_fd, "5.1")

    assert pair.names() == ["5.10+1", "7@5.1+2"]
    del shared, elsewhere


def test_what_is_on_its_way_to_an_ended_mailbox_is_swept(pair: Pair) -> None:
    pair.sender.write([b"one"], "7")
    pair.sender.write([b"two"], "70")

    blob.sweep_mailbox(pair.place.dir_fd, "7")

    assert pair.names() == ["70@5.1+2"]


def test_what_one_process_sent_can_be_listed(pair: Pair) -> None:
    pair.sender.write([b"one"], "7")
    pair.receiver.write([b"two"], "5")

    assert list(blob.sent(pair.place.dir_fd, "5.1")) == ["7@5.1+1"]
    assert sorted(blob.sent(pair.place.dir_fd)) == ["5@7.2+1", "7@5.1+1"]


def test_forked_child_does_not_end_the_claim_of_its_parent(pair: Pair) -> None:
    script = """
import os, sys
from transports.blob import BlobStore
store = BlobStore(os.open(sys.argv[1], os.O_DIRECTORY), "9.1")
view = store.share([b"claimed"])
if os.fork() == 0:
    del view
    sys.exit(0)
os.wait()
print(os.listdir(sys.argv[1]))
os._exit(0)
"""
    done = outcome_of("-c", script, str(pair.place.path))

    assert done.stdout.strip() == "['9.1+1']"


def test_what_is_forgotten_late_removes_nothing_of_another_directory(
    tmp_path: Path,
) -> None:
    """An array of a closed system took one of the same name out of the next, whose directory had got its descriptor."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    fd = os.open(tmp_path / "first", os.O_RDONLY)
    first = BlobStore(fd, "5.1")
    view = first.share([b"one"])
    first.close()
    os.close(fd)
    again = os.open(tmp_path / "second", os.O_RDONLY)
    other = BlobStore(again, "5.1").share([b"two"])

    del view

    names = [file.name for file in (tmp_path / "second").iterdir()]
    assert (again, names) == (fd, [other.name])
    assert list((tmp_path / "first").iterdir()) == []
    os.close(again)
