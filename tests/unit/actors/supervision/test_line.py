"""The connection between the root and a supervisor."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from actors.supervision.line import Line


@pytest.fixture
def ends() -> Iterator[tuple[Line, Line]]:
    ours, theirs = Line.pair()
    other = Line(theirs)
    yield ours, other
    ours.close()
    other.close()


def test_nothing_has_come(ends: tuple[Line, Line]) -> None:
    assert ends[0].receive() is None


def test_descriptors_travel_beside_what_is_sent(ends: tuple[Line, Line]) -> None:
    fd = os.memfd_create("sent", os.MFD_CLOEXEC)
    os.write(fd, b"content")

    ends[0].send(b"order", [fd])
    os.close(fd)

    received = ends[1].receive()
    assert received is not None
    data, (copy,) = received
    assert data == b"order"
    assert os.pread(copy, 9, 0) == b"content"
    assert not os.get_inheritable(copy)
    os.close(copy)


def test_what_finds_no_room_waits_in_order(ends: tuple[Line, Line]) -> None:
    fd = os.memfd_create("sent", os.MFD_CLOEXEC)
    for number in range(1000):
        ends[0].send(b"%d" % number + bytes(1000), [fd])
    os.close(fd)
    assert ends[0].has_backlog

    seen: list[int] = []
    while len(seen) < 1000:
        while (received := ends[1].receive()) is not None:
            data, descriptors = received
            seen.append(int(data.rstrip(b"\0")))
            for copy in descriptors:
                os.close(copy)
        ends[0].flush()

    assert seen == list(range(1000))
    assert not ends[0].has_backlog


def test_end_comes_after_everything_that_was_sent(ends: tuple[Line, Line]) -> None:
    ends[1].send(b"never read")
    ends[0].send(b"last")
    ends[0].close()

    assert ends[1].receive() == (b"last", [])
    with pytest.raises(EOFError):
        ends[1].receive()


def test_what_is_sent_to_a_closed_end_is_gone(ends: tuple[Line, Line]) -> None:
    ends[1].close()

    ends[0].send(b"order")

    assert not ends[0].has_backlog
