"""The files around a ring: bells, sizes, rights, and a full file system."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.transports import (
    NAME,
    Place,
    fill,
    is_ready,
    new_slot,
    take_all,
)
from transports import _ring, shm
from transports._ring import Slot, arm
from transports.errors import (
    CorruptError,
    EndpointError,
    MailboxExistsError,
    MailboxNotFoundError,
    NoSpaceError,
)
from transports.mailbox import Depth, Mailbox, Outlet, Put
from transports.shm import TRANSPORT

LANE = "1.lane"
BELL = "1.bell"
BELLS = [BELL, "1.room"]


def names(place: Place) -> list[str]:
    return sorted(path.name for path in place.path.iterdir())


# Bells.


def test_mail_and_lane_of_a_process_share_one_bell(place: Place) -> None:
    place.create(TRANSPORT, NAME)
    place.create(TRANSPORT, LANE)
    place.create(TRANSPORT, "2.mail")

    assert names(place) == sorted([*BELLS, LANE, NAME, "2.bell", "2.mail", "2.room"])


@pytest.mark.parametrize("order", [(NAME, LANE), (LANE, NAME)])
def test_bell_goes_with_the_last_ring_that_shares_it(
    place: Place, order: tuple[str, str]
) -> None:
    for name in order:
        place.create(TRANSPORT, name)

    TRANSPORT.unlink(place.dir_fd, order[0])
    after_one = names(place)
    TRANSPORT.unlink(place.dir_fd, order[1])

    assert after_one == sorted([*BELLS, order[1]])
    assert names(place) == []


def test_other_endings_have_a_bell_of_their_own(place: Place) -> None:
    place.create(TRANSPORT, "1.x")
    place.create(TRANSPORT, "1.y")

    TRANSPORT.unlink(place.dir_fd, "1.x")

    assert names(place) == ["1.y", "1.y.bell", "1.y.room"]


def test_bell_of_one_process_wakes_for_each_of_its_rings(place: Place) -> None:
    held = place.create(TRANSPORT, NAME)
    place.create(TRANSPORT, LANE)
    reader = place.keep(TRANSPORT.open(held, place.dir_fd, NAME))
    lane_held = os.open(place.path / LANE, os.O_RDWR)
    lane = place.keep(shm.open_reader(lane_held, place.dir_fd, LANE))
    os.close(lane_held)
    arm((reader, lane))

    place.connect(TRANSPORT, LANE).put(b"to the lane")

    assert is_ready(reader.fileno(), select.POLLIN)


def test_ring_bell_wakes_the_receiver_as_a_dead_sender_should_have(
    place: Place,
) -> None:
    held = place.create(TRANSPORT)
    reader = place.keep(TRANSPORT.open(held, place.dir_fd, NAME))
    arm((reader,))
    bell = reader.fileno()

    for _ in range(5000):  # more than it holds
        shm.ring_bell(place.dir_fd, NAME)

    assert is_ready(bell, select.POLLIN)


def test_ring_bell_of_a_mailbox_that_is_gone_is_not_found(place: Place) -> None:
    with pytest.raises(MailboxNotFoundError):
        shm.ring_bell(place.dir_fd, NAME)


def test_sender_that_waits_for_room_is_woken_when_half_of_the_ring_is_free(
    place: Place,
) -> None:
    mailbox, outlet, slot = a_full_ring(place)
    room = outlet.fileno()
    assert room is not None

    asleep = 0
    while not is_ready(room, select.POLLOUT):
        assert mailbox.take(slot) is not None
        slot.clear()
        asleep += 1

    depth = mailbox.depth()
    assert (depth.bytes, depth.capacity_bytes) == (128 * 1024, 256 * 1024)
    assert asleep == depth.frames


def test_sender_that_waits_for_room_is_woken_by_the_end_of_the_ring(
    place: Place,
) -> None:
    _, outlet, _ = a_full_ring(place)
    early = outlet.fileno()
    assert early is not None

    TRANSPORT.unlink(place.dir_fd, NAME)

    assert is_ready(early, select.POLLOUT)
    late = outlet.fileno()
    assert late is None or is_ready(late, select.POLLOUT)
    assert outlet.put(b"") == Put.CLOSED


def test_sender_that_comes_to_wait_when_there_is_room_again_does_not_sleep(
    place: Place,
) -> None:
    mailbox, outlet, slot = a_full_ring(place)
    mailbox.take(slot)  # and so it is not the receiver that will wake it

    room = outlet.fileno()

    assert room is not None
    assert is_ready(room, select.POLLOUT)


def test_receiver_wakes_whom_a_killed_one_should_have_woken(place: Place) -> None:
    held = place.create(TRANSPORT)
    outlet = place.connect(TRANSPORT)
    fill(outlet, bytes(1000))
    room = outlet.fileno()
    assert room is not None
    before = place.open(TRANSPORT, held)
    take_all(before, new_slot())
    os.write(room, b"!")  # as if it had died before it emptied the FIFO,
    os.pwrite(held, b"\2\0\0\0", _ring.WAITERS_OFFSET)  # and after it had begun

    following = place.open(TRANSPORT, held)
    following.take(new_slot())

    assert is_ready(room, select.POLLOUT)


def test_sender_can_wait_where_the_file_that_would_wake_it_is_gone(
    place: Place,
) -> None:
    mailbox, outlet, slot = a_full_ring(place)
    (place.path / "1.room").unlink()

    assert outlet.fileno() is None

    assert take_all(mailbox, slot)
    assert outlet.put(b"") == Put.ACCEPTED


def a_full_ring(place: Place) -> tuple[Mailbox, Outlet, Slot]:
    held = place.create(TRANSPORT)
    outlet = place.connect(TRANSPORT)
    fill(outlet, bytes(1024 - _ring.RECORD_BYTES))
    return place.open(TRANSPORT, held), outlet, new_slot()


def test_bell_takes_one_page_of_the_users_pipe_pages(place: Place) -> None:
    held = place.create(TRANSPORT)
    bell = place.keep(TRANSPORT.open(held, place.dir_fd, NAME)).fileno()

    assert os.write(bell, bytes(8192)) == 4096


@pytest.mark.parametrize("kind", ["a regular file", "a symbolic link"])
def test_bell_that_is_no_fifo_is_refused(place: Place, kind: str) -> None:
    held = place.create(TRANSPORT)
    bell = place.path / BELL
    bell.unlink()
    if kind == "a regular file":
        bell.touch(0o600)
    else:
        os.mkfifo(place.path / "fifo", 0o600)
        bell.symlink_to("fifo")

    with pytest.raises(EndpointError):
        TRANSPORT.connect(place.dir_fd, NAME)
    with pytest.raises(EndpointError):
        place.keep(TRANSPORT.open(held, place.dir_fd, NAME)).fileno()


def test_failed_creation_leaves_what_stood_in_its_way(place: Place) -> None:
    (place.path / BELL).write_text("not ours to remove")

    with pytest.raises(EndpointError):
        TRANSPORT.create(place.dir_fd, NAME)

    assert names(place) == [BELL]


# Rights.


def make_readable_by_all(path: Path) -> None:
    path.chmod(0o644)


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to somebody else")
    os.chown(path, 12345, -1)


def make_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o600)


@pytest.mark.parametrize(
    "spoil", [make_readable_by_all, give_away, make_a_link, make_a_directory]
)
def test_ring_that_is_not_private_to_us_is_refused(place: Place, spoil: object) -> None:
    place.create(TRANSPORT)
    assert callable(spoil)
    spoil(place.path / NAME)

    with pytest.raises(EndpointError, match=NAME):
        TRANSPORT.connect(place.dir_fd, NAME)

    with contextlib.suppress(OSError):
        (place.path / NAME).rmdir()
    (place.path / NAME).unlink(missing_ok=True)


# Sizes.


@pytest.mark.parametrize(
    ("wanted", "got"), [(1, 4096), (4096, 4096), (4097, 8192), (262144, 262144)]
)
def test_capacity_becomes_the_next_power_of_two(
    place: Place, wanted: int, got: int
) -> None:
    held = place.create(TRANSPORT, capacity=wanted)

    assert shm.capacity(held) == got
    assert os.fstat(held).st_blocks * 512 >= got  # allocated, not sparse


@pytest.mark.parametrize("wanted", [0, -1, 2**30 + 1])
def test_capacity_that_no_ring_can_have_is_refused(place: Place, wanted: int) -> None:
    with pytest.raises(EndpointError, match=str(wanted)):
        TRANSPORT.create(place.dir_fd, NAME, wanted)

    assert names(place) == []


def test_format_refuses_a_capacity_that_is_no_power_of_two(place: Place) -> None:
    held = place.create(TRANSPORT)

    with pytest.raises(ValueError, match="power of two"):
        _ring.format_ring(held, 5000)


# Depth without mapping.


def test_depth_of_a_held_ring_is_what_its_receiver_counts(place: Place) -> None:
    held = place.create(TRANSPORT, capacity=4096)
    reader = place.keep(TRANSPORT.open(held, place.dir_fd, NAME))
    outlet, slot = place.connect(TRANSPORT), new_slot()
    outlet.put(bytes(3000))
    reader.take(slot)

    for _ in range(3):  # the second of them wraps around
        outlet.put(bytes(700))

    expected = Depth(3, exact=True, bytes=3 * 720, capacity_bytes=4096)
    assert reader.depth() == expected
    assert shm.depth(held) == expected


def test_depth_of_a_smashed_ring_is_not_exact(place: Place) -> None:
    held = place.create(TRANSPORT)
    os.pwrite(held, bytes(8), _ring.TAIL_OFFSET)

    assert not shm.depth(held).exact


def test_depth_of_something_else_is_an_error(place: Place) -> None:
    fd = os.open(place.path / "empty", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with pytest.raises(CorruptError):
            shm.depth(fd)
    finally:
        os.close(fd)


# A full file system.


@pytest.fixture
def small(place: Place) -> Iterator[Place]:
    """A place of 64 KiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"]
    (place.path / "small").mkdir()
    path = place.path / "small"
    if os.geteuid() or subprocess.run([*mount, path], check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    dir_fd = os.open(path, os.O_DIRECTORY)
    try:
        yield Place(path, dir_fd, contextlib.ExitStack())
    finally:
        os.close(dir_fd)
        subprocess.run(["umount", path], check=True)


def test_full_file_system_is_an_error_at_creation_and_never_a_signal(
    small: Place,
) -> None:
    with pytest.raises(NoSpaceError) as caught:
        TRANSPORT.create(small.dir_fd, NAME)

    assert str(caught.value) == (
        f"no room in {small.path} for the mailbox {NAME}: 266240 bytes are needed, "
        "65536 are free (in a container, raise --shm-size)"
    )
    assert names(small) == []


def test_creation_that_runs_out_of_space_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", out_of_space)

    with pytest.raises(NoSpaceError, match="--shm-size"):
        TRANSPORT.create(place.dir_fd, NAME)

    assert names(place) == []


def test_existing_ring_is_untouched_by_a_second_creation(place: Place) -> None:
    place.create(TRANSPORT, capacity=4096)
    outlet = place.connect(TRANSPORT)
    outlet.put(b"x")

    with pytest.raises(MailboxExistsError):
        TRANSPORT.create(place.dir_fd, NAME, 8192)

    assert outlet.put(b"y") == Put.ACCEPTED
    assert names(place) == sorted([*BELLS, NAME])


def test_ring_has_its_name_only_once_it_is_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that looked earlier called it damaged, and its new receiver was killed."""
    format_ring = _ring.format_ring

    def look_first(fd: int, capacity: int) -> None:
        with pytest.raises(MailboxNotFoundError):
            place.connect(TRANSPORT)
        format_ring(fd, capacity)

    monkeypatch.setattr(_ring, "format_ring", look_first)

    place.create(TRANSPORT, NAME)

    assert place.connect(TRANSPORT).put(b"x") == Put.ACCEPTED
