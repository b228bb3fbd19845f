"""What waits outside of a mailbox: how much is let in, who is woken, and what the dead leave."""

from __future__ import annotations

import mmap
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.transports import eventually
from transports import _ledger
from transports.ledger import PLACES, WORDS, Ledger, Outside

KIB = 1024
BOUND = 100 * KIB


@attrs.define(eq=False)
class Table:
    """The same table, as a sender and as the receiver see it."""

    path: Path
    words: memoryview[int]
    sender: Ledger
    receiver: Ledger

    def waiting(self) -> tuple[int, int]:
        outside = self.receiver.outside()
        return outside.payloads, outside.bytes


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    fd = os.open(tmp_path, os.O_RDONLY)
    words = memoryview(mmap.mmap(-1, 8 * WORDS)).cast("Q")
    ends = [Ledger(words, fd, "7.outside") for _ in range(2)]
    ends[0].bound = BOUND
    yield Table(tmp_path, words, *ends)
    for end in ends:
        end.close()
    os.close(fd)


def has_room(ledger: Ledger) -> bool:
    fd = ledger.await_room()
    assert fd is not None
    return is_writable(fd)


def is_writable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))


def test_payloads_are_let_in_while_less_than_the_bound_waits(table: Table) -> None:
    claims = [table.sender.claim(b"7@3.1+%d" % n, 60 * KIB) for n in range(3)]

    assert claims == [True, True, False]
    assert table.receiver.outside() == Outside(2, 120 * KIB, PLACES, BOUND)


def test_one_always_fits_however_large(table: Table) -> None:
    assert table.sender.claim(b"7@3.1+1", 1 << 50)
    assert not table.sender.claim(b"7@3.1+2", 1)


def test_payload_is_counted_once(table: Table) -> None:
    for _ in range(2):
        assert table.sender.claim(b"7@3.1+1", 60 * KIB)

    assert table.waiting() == (1, 60 * KIB)


def test_places_bound_how_many_wait(table: Table) -> None:
    claims = [table.sender.claim(b"7@3.1+%d" % n, 1) for n in range(PLACES + 1)]

    assert claims == [True] * 100 + [False] * (PLACES - 99)  # each counts a KiB
    table.sender.bound = 1 << 30
    claims = [table.sender.claim(b"7@3.2+%d" % n, 1) for n in range(PLACES)]
    assert claims == [True] * (PLACES - 100) + [False] * 100


def test_released_payload_makes_room(table: Table) -> None:
    for name in (b"7@3.1+1", b"7@3.1+2"):
        table.sender.claim(name, 60 * KIB)
        table.sender.confirm(name)

    table.receiver.release(b"7@3.1+1")
    table.receiver.release(b"7@3.1+1")
    table.sender.confirm(b"7@3.1+1")  # it comes late: the receiver was faster

    assert table.waiting() == (1, 60 * KIB)
    assert table.sender.claim(b"7@3.1+3", 60 * KIB)


def test_who_waits_is_woken_once_half_is_free(table: Table) -> None:
    for number in range(4):
        table.sender.claim(b"7@3.1+%d" % number, 25 * KIB)
    other = Ledger(table.words, table.sender._dir_fd, "7.outside")
    waiting = [table.sender.await_room(), other.await_room()]

    seen = []
    for number in range(4):
        seen.append([fd is not None and is_writable(fd) for fd in waiting])
        table.receiver.release(b"7@3.1+%d" % number)

    assert seen == [[False, False], [False, False], [True, True], [True, True]]
    other.close()


def test_who_asks_when_there_is_room_need_not_wait(table: Table) -> None:
    table.sender.claim(b"7@3.1+1", 50 * KIB)

    assert has_room(table.sender)


def test_nobody_waits_where_the_mailbox_has_ended(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    fd = os.open(tmp_path / "gone", os.O_RDONLY)
    (tmp_path / "gone").rmdir()
    ledger = Ledger(memoryview(bytearray(8 * WORDS)).cast("Q"), fd, "7.outside")

    assert ledger.await_room() is None
    os.close(fd)


def test_what_was_taken_by_one_who_died_does_not_count(table: Table) -> None:
    for number in range(2):
        table.sender.claim(b"7@3.1+%d" % number, 50 * KIB)
    room = table.sender.await_room()

    table.receiver.keep(lambda: ["7@3.1+1", "7@3.1+2"])

    assert table.waiting() == (1, 50 * KIB)
    assert room is not None
    assert is_writable(room)


def test_what_is_claimed_while_the_files_are_listed_stays(table: Table) -> None:
    table.sender.claim(b"7@3.1+1", KIB)

    def listed() -> list[str]:
        table.sender.claim(b"7@3.1+2", KIB)
        return []

    table.receiver.keep(listed)

    assert table.waiting() == (1, KIB)


def test_only_what_a_dead_sender_was_putting_is_abandoned(table: Table) -> None:
    for number in range(3):
        table.sender.claim(b"7@3.1+%d" % number, KIB)
    table.sender.confirm(b"7@3.1+1")

    table.receiver.abandon(["7@3.1+0", "7@3.1+1"])

    assert table.waiting() == (2, 2 * KIB)
    assert table.sender.claim(b"7@3.1+0", KIB)


def test_what_a_lost_mailbox_held_does_not_count(table: Table) -> None:
    for number in range(2):
        table.sender.claim(b"7@3.1+%d" % number, KIB)
    table.sender.confirm(b"7@3.1+1")

    table.receiver.lose()

    assert table.waiting() == (1, KIB)  # which may go into the next one


def test_senders_that_are_killed_pass_the_bound_by_one_each_and_leave_nothing(
    tmp_path: Path, table: Table
) -> None:
    senders, size = 4, 20 * KIB
    file = tmp_path / "table"
    file.write_bytes(bytes(8 * (WORDS + 2 * senders)))
    with file.open("r+b") as opened:
        words = memoryview(mmap.mmap(opened.fileno(), 0)).cast("Q")
    ledger = Ledger(words[:WORDS], table.sender._dir_fd, "7.outside")
    ledger.bound = BOUND
    laps, most = words[WORDS : WORDS + senders], words[WORDS + senders :]
    running = [
        subprocess.Popen([sys.executable, "-c", ENDLESS, file, str(sender), str(size)])
        for sender in range(senders)
    ]

    eventually(lambda: min(laps) > 1_000)
    for sender in running:
        sender.kill()
        sender.wait()
    ledger.keep(list)  # there are no files

    assert ledger.outside().payloads == 0
    assert size <= max(most) < BOUND + senders * size
    assert ledger.claim(b"7@9.1+1", KIB)


ENDLESS = """
import mmap, os, sys
from transports.ledger import WORDS, Ledger
path, sender, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, "r+b") as file:
    words = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
laps = WORDS + sender
most = WORDS + (len(words) - WORDS) // 2 + sender
ledger = Ledger(words[:WORDS], os.open(os.path.dirname(path), os.O_RDONLY), "7.outside")
while True:
    words[laps] += 1
    name = b"7@%d.1+%d" % (sender, words[laps])
    if ledger.claim(name, size):
        ledger.confirm(name)
        words[most] = max(words[most], ledger.outside().bytes)
    if not words[laps] % 3:
        for lap in range(max(0, words[laps] - 3), words[laps] + 1):
            ledger.release(b"7@%d.1+%d" % (sender, lap))
"""


@pytest.mark.parametrize(("size", "at"), [(8, 0), (24, 1)])
def test_what_is_no_table_is_refused(size: int, at: int) -> None:
    with pytest.raises(ValueError, match="not a table"):
        _ledger.waiting(memoryview(bytearray(size))[at:])
