"""The cell on its own: what it takes first, and in what state its slots are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from actors import Actor, ActorRef
from actors.options import Options
from actors.runtime import directory as directories
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
from transports.mailbox import Mailbox

NUMBER = 7


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
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        directory = directories.create(tmp_path / "base", "bench")
        stack.callback(directory.close)
        stack.callback(directory.remove)
        for number in (ROOT, 1):
            fd = directory.create_file(status.file_name(number), status.size(0, 0, 9))
            status.StatusPage.format(fd, 0, 0, "")
            os.close(fd)
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
