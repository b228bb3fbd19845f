"""A birth on its way to another process."""

from __future__ import annotations

import os
from collections.abc import Iterator

import attrs
import pytest

from actors.runtime.start import Arguments, Shared
from actors.supervision import handover, orders
from actors.supervision.birth import AsActor, AsSupervisor, Birth
from actors.supervision.line import Line

DATA = b"pickled \x00\n" * 100_000


@pytest.fixture
def ends() -> Iterator[tuple[Line, Line]]:
    ours, theirs = Line.pair()
    other = Line(theirs)
    yield ours, other
    ours.close()
    other.close()


@pytest.fixture
def fds() -> Iterator[list[int]]:
    made = [os.memfd_create(name, os.MFD_CLOEXEC) for name in "abc"]
    yield made
    for fd in made:
        os.close(fd)


def inode(fd: int) -> int:
    return os.fstat(fd).st_ino


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("data", [DATA, DATA[: handover.INLINE_BYTES], b""])
def test_actor_arrives_with_its_arguments_and_descriptors(
    ends: tuple[Line, Line], fds: list[int], data: bytes, *, shares: bool
) -> None:
    shared = Shared(4, fds[2], 1) if shares else None
    role = AsActor(
        "shm", fds[1], Arguments(data, places=[[-3, 8, "load"]]), shared=shared
    )
    birth = Birth(7, 2, "Counter-7", "shop.1/7.2", fds[0], role)

    with handover.packed(birth) as (order, descriptors):
        assert ends[0].try_send(order, descriptors)
    received = ends[1].receive()

    assert received is not None
    arrived = handover.unpacked(orders.from_bytes(received[0])[1], received[1])
    assert arrived is not None
    assert isinstance(arrived.role, AsActor)
    assert arrived.role.arguments == role.arguments
    got = list(arrived.descriptors())
    assert list(map(inode, got)) == [inode(fd) for fd in birth.descriptors()]
    assert arrived.role.shared == (shared and attrs.evolve(shared, mailbox_fd=got[2]))
    for fd in got:
        os.close(fd)


def test_birth_without_all_its_descriptors_is_none(fds: list[int]) -> None:
    birth = Birth(7, 2, "tree", "m", fds[0], AsSupervisor(fds[1]))
    _, facts = orders.from_bytes(orders.of_birth(birth))
    copy = os.dup(fds[0])

    assert handover.unpacked(facts, [copy]) is None

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(copy)


def test_nothing_is_sent_to_an_end_that_is_closed() -> None:
    line, end = Line.pair()
    end.close()

    assert not line.try_send(b"order", [])

    line.close()


def test_line_of_another_process_waits() -> None:
    line, end = Line.pair()
    fd = end.detach()

    waiting = Line.waiting(fd)
    line.send(b"order")

    assert waiting.receive() == (b"order", [])
    assert os.get_blocking(waiting.fileno())
    waiting.close()
    line.close()


def test_line_tells_what_has_arrived_and_leaves_it_there(
    ends: tuple[Line, Line], fds: list[int]
) -> None:
    ours, theirs = ends
    before = theirs.has_arrived_within(0)

    ours.send(b"order", fds[:1])

    assert not before
    assert theirs.has_arrived_within(0)
    received = theirs.receive()
    assert received is not None
    data, (copy,) = received
    assert data == b"order"
    assert inode(copy) == inode(fds[0])
    assert not theirs.has_arrived_within(0)
    os.close(copy)


def test_end_of_a_line_arrives_as_well(ends: tuple[Line, Line]) -> None:
    ours, theirs = ends

    ours.close()

    assert theirs.has_arrived_within(60)
