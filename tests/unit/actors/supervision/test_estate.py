"""What an actor owns outside its process: made completely or not at all, and accounted for at the end."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from actors.options import Options
from actors.runtime import lanes, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import mailbox_name
from actors.supervision.estate import Estate
from actors.wire import frame
from actors.wire.frame import Header, Kind
from transports import registry, shm
from transports._ring import arm
from transports.errors import NoSpaceError
from transports.mailbox import Outlet, Put

NUMBER = 7


@pytest.fixture(params=["shm", "unix", "pipe", "mq"])
def estate(
    request: pytest.FixtureRequest, directory: RuntimeDirectory
) -> Iterator[Estate]:
    options = Options(transport=request.param)
    made = Estate.create(directory, NUMBER, options, slots=2)
    yield made
    if not made.page.words[status.CLOSED]:
        made.close(lambda _: None)
    made.page.close()


@pytest.fixture
def outlet(estate: Estate) -> Iterator[Outlet]:
    connected = estate.transport.connect(estate.directory.fd, mailbox_name(NUMBER))
    yield connected
    connected.close()


def message(corr: int, kind: Kind = Kind.TELL) -> bytes:
    return (
        frame.HEADER.pack(
            frame.VERSION, kind, 0, frame.Codec.PICKLE, 4, 0, 1, 1, corr, 0, 0, 0
        )
        + b"work"
    )


def files(directory: RuntimeDirectory) -> set[str]:
    return {
        path.name for path in directory.path.iterdir() if path.name.startswith("7.")
    }


def take(estate: Estate, slot: int, *, start: bool) -> None:
    """Do what the actor's process does before it is killed."""
    mailbox = estate.transport.open(
        estate.mailbox_fd, estate.directory.fd, mailbox_name(NUMBER)
    )
    taken = estate.page.slots()[slot]
    assert mailbox.take(taken) is not None
    if start:
        taken.start()
    mailbox.close()


@pytest.mark.parametrize("owner", [lanes, registry.get("shm")], ids=["lane", "mailbox"])
def test_an_estate_that_finds_no_room_leaves_nothing_behind(
    directory: RuntimeDirectory, owner: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*_: object) -> None:
        raise NoSpaceError("it", 1)

    monkeypatch.setattr(owner, "create", create)

    with pytest.raises(NoSpaceError):
        Estate.create(directory, NUMBER, Options(), slots=1)

    assert files(directory) == set()


def test_a_new_estate_is_quiet_and_has_nothing_in_hand(estate: Estate) -> None:
    assert estate.is_quiet()
    assert list(estate.in_hand()) == []
    assert estate.was_sending_to() is None


def test_an_estate_with_a_message_waiting_is_not_quiet(
    estate: Estate, outlet: Outlet
) -> None:
    assert outlet.put(message(1)) is Put.ACCEPTED

    assert not estate.is_quiet()


def test_looking_whether_an_actor_is_quiet_leaves_its_bell_to_be_rung(
    directory: RuntimeDirectory,
) -> None:
    """It slept on with a message in its mailbox: closing looked, and senders did not ring any more."""
    estate = Estate.create(directory, NUMBER, Options(), slots=1)
    reader = shm.open_reader(estate.mailbox_fd, directory.fd, mailbox_name(NUMBER))
    outlet = estate.transport.connect(directory.fd, mailbox_name(NUMBER))
    bell = select.poll()
    bell.register(reader.fileno(), select.POLLIN)
    assert not arm((reader,))

    assert estate.is_quiet()
    outlet.put(message(1))

    assert bell.poll(0)
    outlet.close()
    reader.close()
    estate.close(lambda _: None)
    estate.page.close()


@pytest.mark.parametrize("word", [status.BUSY, status.OUTBOX])
def test_an_estate_whose_actor_has_something_to_do_is_not_quiet(
    estate: Estate, word: int
) -> None:
    estate.page.words[word] = 1

    assert not estate.is_quiet()


def test_in_hand_is_what_was_started_and_only_that(
    estate: Estate, outlet: Outlet
) -> None:
    for corr in (1, 2, 3):
        outlet.put(message(corr))
    take(estate, 0, start=True)
    take(estate, 1, start=False)
    estate.page.slot(0).begun = 7

    assert [(header.corr, begun) for header, begun in estate.in_hand()] == [(1, 7)]
    assert [slot.filled for slot in estate.page.slots()] == [False, True]
    assert list(estate.in_hand()) == []


def test_closing_drops_what_was_taken_and_what_waits_once_and_in_order(
    estate: Estate, outlet: Outlet
) -> None:
    for corr in range(1, 5):
        outlet.put(message(corr))
    take(estate, 0, start=False)
    dropped: list[Header] = []

    estate.close(dropped.append)

    assert [header.corr for header in dropped] == [1, 2, 3, 4]
    assert {header.kind for header in dropped} == {Kind.TELL}


def test_closing_removes_every_file_and_refuses_what_comes_later(
    estate: Estate, outlet: Outlet, directory: RuntimeDirectory
) -> None:
    before = files(directory)

    estate.close(lambda _: None)

    assert {"7.mail", "7.lane", "7.status"} <= before
    assert files(directory) == set()
    assert estate.page.words[status.CLOSED] == 1
    assert outlet.put(message(1)) is Put.CLOSED


def test_a_message_that_makes_no_sense_does_not_stop_the_closing(
    estate: Estate, outlet: Outlet
) -> None:
    outlet.put(b"nonsense")
    outlet.put(message(2))
    dropped: list[Header] = []

    estate.close(dropped.append)

    assert [header.corr for header in dropped] == [2]


@pytest.mark.parametrize("estate", ["shm"], indirect=True)
def test_a_message_of_a_replaced_mailbox_costs_the_new_one_none(
    estate: Estate, outlet: Outlet
) -> None:
    """Both are the first of their rings, and so have the same number: the new one was taken for the old one's double."""
    folder, name = estate.directory.fd, mailbox_name(NUMBER)
    outlet.put(message(1))
    take(estate, 0, start=False)

    estate.replace_mailbox()
    following = estate.transport.connect(folder, name)
    following.put(message(2))

    mailbox = estate.transport.open(estate.mailbox_fd, folder, name)
    taken, free = estate.page.slots()
    mailbox.settle(taken)
    assert taken.frame() == message(1)
    assert mailbox.take(free) == message(2)
    following.close()
    mailbox.close()


def test_whom_the_dead_was_sending_to_is_told_once(estate: Estate) -> None:
    estate.page.words[status.SENDING] = 4 + 1

    assert estate.was_sending_to() == 4
    assert estate.was_sending_to() is None


def test_a_new_incarnation_takes_large_messages_whatever_was_written_over_the_page(
    estate: Estate,
) -> None:
    """They waited for room for ever."""
    fd = os.open(status.file_name(estate.number), os.O_RDWR, dir_fd=estate.directory.fd)
    os.pwrite(fd, bytes(status.WORDS_BYTES), 0)
    os.close(fd)
    assert not estate.ledger.claim(b"3.1-1", 1)

    estate.begin(2)

    assert estate.page.is_intact()
    assert estate.ledger.claim(b"3.1-1", 2**20)


def test_a_new_incarnation_begins_with_the_counters_at_zero(estate: Estate) -> None:
    for word in (status.HANDLED, status.OUTBOX, status.BUSY, status.SENDING):
        estate.page.words[word] = 3

    estate.begin(2)

    assert estate.page.words[status.INCARNATION] == 2
    assert estate.handled() == 0
    assert estate.is_quiet()
    assert estate.was_sending_to() is None
