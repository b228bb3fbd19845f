"""What becomes of the messages that a worker of a pool had taken, and not started, when it died."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import attrs
import pytest

from actors.exits import ExitKind, ExitReason
from actors.options import Options
from actors.runtime import status
from actors.runtime.client import MAIN
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.outgoing import Outgoing, mailbox_name
from actors.runtime.questions import Questions
from actors.runtime.withdrawn import Withdrawn
from actors.supervision.estate import HOLDER_SEAT, Estate
from actors.supervision.settling import Settling
from actors.supervision.shared import SharedMailbox
from actors.supervision.sharing import Sharing, put_back
from actors.wire import frame
from actors.wire.frame import Kind
from tests.support.pages import page_of
from tests.support.transports import new_slot, take_all
from transports._ring import Slot
from transports.blob import BlobStore
from transports.mailbox import Mailbox, Put

if TYPE_CHECKING:
    from actors.supervision.child import ActorChild
    from actors.supervision.events import Events
    from actors.supervision.payloads import Payloads

WORKER, CREW = 7, 9


def message(corr: int, attempt: int = 0) -> bytes:
    return frame.pack(Kind.TELL, b"hear", corr=corr, attempt=attempt)


@attrs.define(eq=False)
class Bench:
    """A worker without a process, and the mailbox that it shares."""

    directory: RuntimeDirectory
    worker: Estate
    shared: SharedMailbox
    stack: contextlib.ExitStack

    def send(self, number: int, *frames: bytes) -> None:
        transport = self.shared.estate.transport
        outlet = transport.connect(self.directory.fd, mailbox_name(number))
        for data in frames:
            assert outlet.put(data) == Put.ACCEPTED
        outlet.close()

    def mailbox(self, estate: Estate, seat: int = 0) -> Mailbox:
        mailbox = estate.transport.open(
            estate.mailbox_fd, self.directory.fd, mailbox_name(estate.number), seat
        )
        self.stack.callback(mailbox.close)
        return mailbox

    def slots(self) -> list[Slot]:
        return list(self.worker.page.slots())

    def left(self) -> list[bytes]:
        """Take what is in the shared mailbox."""
        limit = self.shared.estate.transport.inline_limit
        return take_all(self.mailbox(self.shared.estate, 1), new_slot(limit))


@pytest.fixture(params=["shm", "unix", "pipe", "mq"])
def bench(
    request: pytest.FixtureRequest, directory: RuntimeDirectory
) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        options = Options(transport=request.param)
        worker = Estate.create(directory, WORKER, options, slots=3)
        crew = Estate.create(directory, CREW, options, slots=0)
        for estate in (worker, crew):
            stack.callback(estate.page.close)
            stack.callback(estate.close, lambda _: None)
        yield Bench(
            directory, worker, SharedMailbox(CREW, "crew", "Hand", crew, MAIN), stack
        )


def test_what_was_taken_and_not_started_goes_back_in_its_order(bench: Bench) -> None:
    bench.send(CREW, message(1), message(2))
    mailbox = bench.mailbox(bench.shared.estate)
    for slot in bench.slots()[:2]:
        mailbox.take(slot)

    put_back(bench.shared, bench.slots())

    assert bench.left() == [message(1), message(2)]
    assert not any(slot.filled for slot in bench.slots())


def test_what_was_started_stays(bench: Bench) -> None:
    bench.send(CREW, message(1))
    slot = bench.slots()[0]
    bench.mailbox(bench.shared.estate).take(slot)
    slot.start()

    put_back(bench.shared, bench.slots())

    assert bench.left() == []
    assert slot.frame() == message(1)


def test_what_came_to_the_worker_alone_stays(bench: Bench) -> None:
    bench.send(WORKER, message(1))
    slot = bench.slots()[0]
    bench.mailbox(bench.worker).take(slot)

    put_back(bench.shared, bench.slots())

    assert bench.left() == []
    assert slot.frame() == message(1)


def test_what_a_process_has_died_of_before_stays(bench: Bench) -> None:
    bench.send(CREW, message(1, attempt=1))
    slot = bench.slots()[0]
    bench.mailbox(bench.shared.estate).take(slot)

    put_back(bench.shared, bench.slots())

    assert bench.left() == []
    assert slot.frame() == message(1, attempt=1)


def fill(bench: Bench) -> None:
    """Leave no room in the shared mailbox."""
    transport = bench.shared.estate.transport
    outlet = transport.connect(bench.directory.fd, mailbox_name(CREW))
    for filler in (message(9).ljust(transport.inline_limit, b"x"), message(9)):
        while outlet.put(filler) == Put.ACCEPTED:
            pass
    outlet.close()


def test_what_finds_no_room_stays(bench: Bench) -> None:
    bench.send(CREW, message(1))
    slot = bench.slots()[0]
    bench.mailbox(bench.shared.estate).take(slot)
    fill(bench)

    put_back(bench.shared, bench.slots())

    assert slot.frame() == message(1)
    assert message(1) not in bench.left()


@pytest.fixture
def outgoing(bench: Bench) -> Iterator[Outgoing]:
    """What the root sends."""
    directory = bench.directory
    page = page_of(ROOT, directory)
    questions = Questions(0, 1, lambda data: data, Withdrawn(page))
    made = Outgoing(
        directory, ROOT, page, questions, BlobStore(directory.blob_fd, "0.1")
    )
    yield made
    made.close()
    page.close()


@attrs.define(eq=False)
class Remembered:
    """In the place of ``Settling``."""

    hand_on: Callable[[int, bytes], None]
    holds: Callable[[int], bool]


def test_what_finds_no_room_when_its_worker_ends_for_good_goes_to_the_others_later(
    bench: Bench, outgoing: Outgoing
) -> None:
    """It was answered as stopped, though others took from the mailbox still."""
    bench.send(CREW, *(message(number) for number in range(3)))
    mailbox = bench.mailbox(bench.shared.estate)
    for slot in bench.slots():
        mailbox.take(slot)
    fill(bench)
    settling = cast("Settling", Remembered(outgoing.put_back, outgoing.holds))
    sharing = Sharing(bench.directory, settling, {}, lambda *_: None)
    sharing._mailboxes[CREW] = bench.shared
    for worker in (WORKER, WORKER + 1):
        assert bench.shared.join(worker)
    child = cast(
        "ActorChild",
        attrs.make_class("Ended", ["number", "estate", "shared"])(
            WORKER, bench.worker, bench.shared
        ),
    )

    sharing.left(child, ExitReason(ExitKind.NORMAL))
    found = [bench.left(), bench.left()]
    was_quiet = sharing.is_quiet()
    outgoing.flush()

    assert message(0) not in found[0]
    assert (found[1], was_quiet) == ([], False)
    assert bench.left() == [message(number) for number in range(3)]
    assert sharing.is_quiet()
    assert not any(slot.filled for slot in bench.slots())


@attrs.define(eq=False)
class Published:
    """In the place of ``Events`` and ``Payloads``."""

    letters: list[str] = attrs.field(factory=list)

    def publish(self, _kind: str, _owner: object, **facts: str) -> None:
        self.letters.append(facts["cause"])

    def ended(self, _number: int) -> None:
        """There are no payloads."""


def test_what_was_handed_on_and_found_no_room_ends_with_the_mailbox(
    bench: Bench, outgoing: Outgoing
) -> None:
    """It was in nobody's hands any more, and nobody was told."""
    scheme = bench.shared.estate.transport.scheme
    estate = Estate.create(bench.directory, CREW + 1, Options(transport=scheme), 0)
    bench.stack.callback(estate.page.close)
    ending = SharedMailbox(CREW + 1, "crew", "Hand", estate, MAIN)
    published = Published()
    settling = Settling(
        bench.directory,
        outgoing,
        cast("Events", published),
        cast("Payloads", published),
    )
    sent = 0
    while not settling.holds(CREW + 1):
        settling.hand_on(CREW + 1, message(sent))
        sent += 1

    settling.end_mailbox(ending, ExitReason(ExitKind.NORMAL))

    assert published.letters == ["stopped"] * sent
    assert not settling.holds(CREW + 1)


def test_seats_are_given_once_and_again_when_they_are_free(bench: Bench) -> None:
    seats = [bench.shared.join(number) for number in range(HOLDER_SEAT)]

    assert all(seats)
    assert not bench.shared.join(1000)
    assert sorted(bench.shared.seats.values()) == list(range(HOLDER_SEAT))

    freed = bench.shared.seats.pop(5)
    assert bench.shared.join(1000)
    assert bench.shared.place_of(1000).seat == freed


def test_shared_mailbox_has_no_lane(bench: Bench) -> None:
    names = {path.name for path in bench.directory.path.glob(f"{CREW}.*")}

    assert mailbox_name(CREW) in names
    assert status.file_name(CREW) in names
    assert f"{CREW}.lane" not in names
