"""The cell on its own: what it takes first, and in what state its slots are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import attrs
import pytest

from actors import Actor, ActorRef
from actors.exits import ExitKind, ExitReason
from actors.options import Options
from actors.runtime import lanes, status
from actors.runtime.cell import Cell
from actors.runtime.client import Client
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.loop import RingLoop
from actors.runtime.outgoing import mailbox_name
from actors.supervision.estate import Estate
from actors.wire import frame
from actors.wire.frame import Kind
from tests.support.pages import page_of
from transports.mailbox import Mailbox, Put

NUMBER, CREW = 7, 9


class Listener(Actor):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def hear(self, number: int) -> None:
        self.heard.append(number)

    def leave(self) -> None:
        raise SystemExit


@attrs.define(eq=False)
class Bench:
    """An actor's estate, and a cell on it as often as one is wanted."""

    directory: RuntimeDirectory
    estate: Estate
    sender: Client
    stack: contextlib.ExitStack

    def ref(self) -> ActorRef[Listener]:
        path = str(self.directory.path)
        return ActorRef(self.sender, path, NUMBER, "listener", Listener)

    def send(self, number: int) -> None:
        self.ref().tell(Listener.hear, number)

    def mailbox(self) -> Mailbox:
        mailbox = self.estate.transport.open(
            self.estate.mailbox_fd, self.directory.fd, mailbox_name(NUMBER)
        )
        self.stack.callback(mailbox.close)
        return mailbox

    def cell(self) -> tuple[Cell, Listener, RingLoop]:
        loop = RingLoop()
        self.stack.callback(loop.close)
        client = Client(self.directory, NUMBER)
        self.stack.callback(client.waiting.close)  # the rest goes with the cell
        cell = Cell(client, self.mailbox(), loop)
        client.waiting.drive(loop, cell)
        listener = Listener()
        cell.open(listener)
        return cell, listener, loop


@pytest.fixture(params=["shm", "unix", "pipe", "mq"])
def bench(
    request: pytest.FixtureRequest, directory: RuntimeDirectory
) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        for number in (ROOT, 1):
            page_of(number, directory)
            lanes.create(directory.fd, number, lanes.MAIN_LANE_BYTES)
        estate = Estate.create(
            directory, NUMBER, Options(transport=request.param), slots=1
        )
        stack.callback(estate.page.close)
        stack.callback(estate.close, lambda _: None)
        sender = Client(directory, 1)
        stack.callback(sender.close)
        yield Bench(directory, estate, sender, stack)


def test_a_message_that_was_only_taken_is_handled_first_by_the_next_incarnation(
    bench: Bench,
) -> None:
    """With one slot, the cell waited for a free one for ever while the message sat in it."""
    for number in range(3):
        bench.send(number)
    (slot,) = bench.estate.page.slots()
    bench.mailbox().take(slot)

    cell, listener, _ = bench.cell()
    cell.drain()

    assert listener.heard == [0, 1, 2]


def test_a_message_that_was_started_is_not_handled_again(bench: Bench) -> None:
    for number in range(3):
        bench.send(number)
    (slot,) = bench.estate.page.slots()
    bench.mailbox().take(slot)
    slot.start()

    cell, listener, _ = bench.cell()
    cell.drain()

    assert listener.heard == [1, 2]


# A mailbox that others take from as well.


@pytest.fixture
def crew(bench: Bench) -> Iterator[Estate]:
    options = Options(transport=bench.estate.transport.scheme)
    made = Estate.create(bench.directory, CREW, options, slots=0)
    yield made
    made.close(lambda _: None)
    made.page.close()


def sharing(bench: Bench, crew: Estate) -> tuple[Cell, Listener, list[str]]:
    """Return a cell that takes from *crew* too, and what it tells the root."""
    mailbox = crew.transport.open(
        crew.mailbox_fd, bench.directory.fd, mailbox_name(CREW), 3
    )
    bench.stack.callback(mailbox.close)
    told: list[str] = []
    cell, listener, _ = bench.cell()
    cell.share(CREW, mailbox, crew.ledger, told.append)
    return cell, listener, told


def send_to_crew(bench: Bench, number: int) -> None:
    path = str(bench.directory.path)
    ref: ActorRef[Listener] = ActorRef(bench.sender, path, CREW, "crew", Listener)
    ref.tell(Listener.hear, number)


def test_own_messages_come_before_those_for_everybody(
    bench: Bench, crew: Estate
) -> None:
    cell, listener, _ = sharing(bench, crew)
    send_to_crew(bench, 1)
    bench.send(2)

    cell.drain()

    assert listener.heard == [2, 1]


def test_cell_that_was_woken_for_everybody_takes_that_first(
    bench: Bench, crew: Estate
) -> None:
    """Something of its own might last, while all the others are asleep."""
    cell, listener, _ = sharing(bench, crew)
    send_to_crew(bench, 1)
    bench.send(2)

    cell.called()
    cell.drain()

    assert listener.heard == [1, 2]


def test_cell_that_ends_when_it_was_woken_has_the_others_look(
    bench: Bench, crew: Estate
) -> None:
    cell, listener, told = sharing(bench, crew)
    send_to_crew(bench, 1)

    cell.called()
    cell.end(ExitReason(ExitKind.SHUTDOWN))
    cell.drain()

    assert told == ["rouse"]
    assert listener.heard == []
    assert cell.crowd() is None


def test_an_answer_counts_although_the_actor_has_ended_before_the_put_returned(
    bench: Bench,
) -> None:
    """The asker was told that its message had not been handled, while its answer was on the way."""
    bench.estate.page.words[status.CLOSED] = 1
    asked = bench.ref().ask(Listener.hear, 1)

    cell, listener, _ = bench.cell()
    cell.drain()
    bench.sender.drain()

    assert listener.heard == [1]
    assert asked.result(0) is None


class Full:
    """An outlet that has no room."""

    def put(self, *_parts: bytes) -> Put:
        return Put.FULL

    def fileno(self) -> None:
        return None

    def close(self) -> None:
        """Hold nothing."""


def test_a_message_whose_answer_finds_no_room_is_in_hand_until_it_does(
    bench: Bench,
) -> None:
    """Its slot was emptied at once, so a SIGKILL before there was room left its asker waiting for ever."""
    asked = bench.sender.ask(NUMBER, "it", b"hear", "Listener.hear", ((7,), {}), None)
    cell, listener, _ = bench.cell()
    outgoing = cell._client.outgoing
    route = outgoing.lane(1)
    outlet = route._outlet
    route._connect(cast("Any", Full()))
    (slot,) = bench.estate.page.slots()

    cell.drain()
    was_in_hand = slot.filled and slot.started
    route._connect(outlet)
    outgoing.flush()
    bench.sender.drain()

    assert listener.heard == [7]
    assert was_in_hand
    assert not slot.filled
    assert asked.done()


@pytest.mark.parametrize(
    "data",
    [
        b"short",
        b"\0" * frame.HEADER_BYTES,
        b"\xff" * (frame.HEADER_BYTES + 100),
        b"\2" + frame.pack(Kind.STOP)[1:],  # of another version
        frame.pack(0, b"hear"),
        frame.pack(Kind.REPLY, b"hear"),
    ],
    ids=["short", "zeros", "ones", "another version", "no kind", "no message's kind"],
)
def test_bytes_that_are_no_message_are_dropped_and_the_actor_goes_on(
    bench: Bench, data: bytes
) -> None:
    """They crashed it, and its next incarnation, and the one after that."""
    cell, listener, _ = bench.cell()
    outlet = bench.estate.transport.connect(bench.directory.fd, mailbox_name(NUMBER))
    bench.stack.callback(outlet.close)
    outlet.put(data)
    bench.send(1)

    while not listener.heard:
        cell.drain()

    assert listener.heard == [1]
    assert cell.reason is None
