"""What only POSIX queues do: a namespace of their own, tight limits, few messages."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import attrs
import posix_ipc
import pytest

from tests.support.ordinary_user import report
from tests.support.transports import NAME, Place, fill, new_slot, take_all
from transports._ring import RECORD_MARK, Slot
from transports.errors import EndpointError, LimitError, MailboxNotFoundError
from transports.mq import INLINE_LIMIT, MESSAGE_BYTES, TRANSPORT, MqMailbox
from transports.record import HEADER

BYTES_OF_A_QUEUE = 6 * (1024 + 96)  # what the kernel counts for six messages
LIMITS = Path("/proc/sys/fs/mqueue")

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to become a user with limits of its own"
)


@attrs.define(eq=False)
class Receiver:
    place: Place
    mailbox: MqMailbox
    slot: Slot
    stranger: posix_ipc.MessageQueue


def name_of_queue(place: Place) -> str:
    return (place.path / NAME).read_text()


@pytest.fixture
def receiver(place: Place) -> Iterator[Receiver]:
    held = place.create(TRANSPORT)
    mailbox = TRANSPORT.open(held, place.dir_fd, NAME)
    stranger = posix_ipc.MessageQueue(name_of_queue(place), read=False)
    yield Receiver(place, mailbox, new_slot(), stranger)
    stranger.close()
    mailbox.close()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"short",
        HEADER.pack(0, 0, 1),
        HEADER.pack(RECORD_MARK ^ 1, 4, 1) + b"data",
        HEADER.pack(RECORD_MARK, 5, 1) + b"data",
        HEADER.pack(RECORD_MARK, 3, 1) + b"data",
        HEADER.pack(RECORD_MARK, 2**32 - 1, 1) + b"data",
    ],
    ids=["empty", "short", "zeros", "mark", "longer", "shorter", "huge"],
)
def test_message_that_is_no_frame_is_counted_and_the_next_one_taken(
    receiver: Receiver, message: bytes
) -> None:
    receiver.stranger.send(message)
    receiver.place.connect(TRANSPORT).put(b"good")

    assert take_all(receiver.mailbox, receiver.slot) == [b"good"]
    assert receiver.mailbox.rejected == 1


def test_default_mailbox_holds_six_messages(receiver: Receiver) -> None:
    assert fill(receiver.place.connect(TRANSPORT), bytes(INLINE_LIMIT)) == 6


def test_capacity_is_rounded_up_to_whole_messages(place: Place) -> None:
    place.create(TRANSPORT, capacity=5 * MESSAGE_BYTES + 1)

    assert fill(place.connect(TRANSPORT), b"x") == 6


def test_depth_is_exact(receiver: Receiver) -> None:
    fill(receiver.place.connect(TRANSPORT), b"x")

    assert receiver.mailbox.depth().frames == 6


def test_unlink_removes_the_queue_and_its_file(place: Place) -> None:
    place.create(TRANSPORT)
    queue_name = name_of_queue(place)

    TRANSPORT.unlink(place.dir_fd, NAME)

    assert not (place.path / NAME).exists()
    with pytest.raises(posix_ipc.ExistentialError):
        posix_ipc.MessageQueue(queue_name)


def test_unlink_goes_on_where_a_killed_one_stopped(place: Place) -> None:
    place.create(TRANSPORT)
    posix_ipc.unlink_message_queue(name_of_queue(place))

    TRANSPORT.unlink(place.dir_fd, NAME)

    assert not (place.path / NAME).exists()


def test_file_whose_creator_was_killed_before_the_queue_is_removed(
    place: Place,
) -> None:
    (place.path / NAME).touch(0o600)

    with pytest.raises(MailboxNotFoundError, match="no queue yet"):
        place.connect(TRANSPORT)
    TRANSPORT.unlink(place.dir_fd, NAME)

    assert not (place.path / NAME).exists()


def test_file_with_the_name_of_another_queue_is_refused_and_the_queue_kept(
    place: Place,
) -> None:
    path = place.path / NAME
    path.touch(0o600)
    path.write_text("/somebody-elses")

    with pytest.raises(EndpointError, match="message queue"):
        place.connect(TRANSPORT)
    with pytest.raises(EndpointError, match="message queue"):
        TRANSPORT.unlink(place.dir_fd, NAME)


def test_descriptor_of_a_file_is_not_opened_as_a_queue(place: Place) -> None:
    place.create(TRANSPORT)
    fd = os.open(place.path / NAME, os.O_RDWR)

    with pytest.raises(EndpointError, match="message queue"):
        TRANSPORT.open(fd, place.dir_fd, NAME)
    os.close(fd)


@needs_root
def test_100_mailboxes_work_on_the_limits_of_an_ordinary_user() -> None:
    assert attrs.evolve(report("mq", 100), pipe_bytes=0) == attrs.evolve(
        report("mq", 100), made=100, error="", left=0, pipe_bytes=0
    )


def test_too_many_queues_on_the_machine_are_named_with_their_limit(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It spoke of the bytes that a user may have: posix_ipc drops the error number."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Insufficient space for a new queue")

    monkeypatch.setattr(posix_ipc, "MessageQueue", refuse)

    with pytest.raises(LimitError, match=r"fs\.mqueue\.queues_max is \d+ queues"):
        place.create(TRANSPORT)
    assert list(place.path.iterdir()) == []


@needs_root
def test_exhausted_queue_memory_is_named_with_its_value_and_remedy() -> None:
    limit = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0]

    found = report("mq", 200)

    if "queues_max" in found.error:
        pytest.skip("queues of others leave too few for an ordinary user")
    assert found.made == limit // BYTES_OF_A_QUEUE
    assert f"RLIMIT_MSGQUEUE is {limit} bytes" in found.error
    assert "ulimit -q" in found.error
    assert found.left == 0


@needs_root
def test_mailbox_with_more_messages_than_allowed_names_the_limit() -> None:
    limit = int((LIMITS / "msg_max").read_text())

    found = report("mq", 1, (limit + 1) * MESSAGE_BYTES)

    assert f"fs.mqueue.msg_max is {limit} messages for one queue" in found.error
    assert "sysctl fs.mqueue.msg_max=" in found.error
    assert found.left == 0
