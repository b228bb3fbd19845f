"""What waits for room, and what becomes of it when its receiver ends or its time is up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from actors.errors import ActorError, DecodeError, MailboxFullError, MailboxLostError
from actors.options import Options
from actors.pending import Pending
from actors.runtime import lanes, route, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import (
    FLUSH_EVERY,
    LOOK_AFTER,
    GoneError,
    Outgoing,
    mailbox_name,
)
from actors.runtime.questions import Questions
from actors.runtime.route import Letter
from actors.runtime.undelivered import Undelivered
from actors.runtime.withdrawn import Withdrawn
from actors.supervision.estate import Estate
from actors.wire import _header as header
from actors.wire import frame
from actors.wire.frame import Kind
from actors.wire.parcel import Parcel
from tests.support.pages import page_of
from transports._ring import Slot
from transports.blob import BlobStore
from transports.errors import EndpointError, NoSpaceError
from transports.mailbox import Note, Outlet, Put

RECEIVER, SENDER = 7, 3
FRAME = (b"x" * 200, b"", b"")


@attrs.define(eq=False)
class Bench:
    """One that sends, and the mailbox of one that does not take."""

    directory: RuntimeDirectory
    outgoing: Outgoing
    questions: Questions
    estate: Estate
    page: status.StatusPage
    undelivered: list[Pending[None]]
    expired: list[Pending[None]]

    def post(self, *, is_question: bool = False) -> Pending[None]:
        pending: Pending[None] = Pending()
        self.questions.describe(pending, RECEIVER, "receiver", "Receiver.hear", None)
        if is_question:
            self.questions.number(pending)
        way = self.outgoing.route(RECEIVER)
        self.outgoing.post(way, FRAME, pending, is_question=is_question)
        return pending

    def post_parcel(self, body: Parcel) -> None:
        way = self.outgoing.route(RECEIVER)
        parts = self.outgoing.pack(way, Kind.TELL, b"hear", body)
        pending: Pending[None] = Pending()
        pending.target = "receiver"
        self.outgoing.post(way, parts, pending, is_question=False)

    def fill(self) -> list[Pending[None]]:
        """Post until letters wait."""
        posted = [self.post()]
        while posted[-1].done():
            posted.append(self.post())
        return posted

    def take_all(self) -> int:
        """Empty the mailbox; return how many frames there were."""
        mailbox = self.estate.transport.open(
            self.estate.mailbox_fd, self.directory.fd, mailbox_name(RECEIVER)
        )
        limit = self.estate.transport.inline_limit
        slot = Slot(bytearray(Slot.size(limit)), 0, limit)
        count = 0
        while mailbox.take(slot) is not None:
            slot.clear()
            count += 1
        mailbox.close()
        return count


@pytest.fixture(params=["shm", "unix", "pipe", "mq"])
def bench(
    request: pytest.FixtureRequest, directory: RuntimeDirectory
) -> Iterator[Bench]:
    page = page_of(SENDER, directory)
    lanes.create(directory.fd, SENDER, lanes.ACTOR_LANE_BYTES)
    # eight messages, where each has a page or a place of its own
    size = 8 * 1024 if request.param == "mq" else 32 * 1024
    options = Options(transport=request.param, mailbox_bytes=size)
    estate = Estate.create(directory, RECEIVER, options, slots=1)
    questions = Questions(4, 1, lambda data: data, Withdrawn(page))
    blobs = BlobStore(directory.blob_fd, "3.1")
    outgoing = Outgoing(directory, SENDER, page, questions, blobs)
    made = Bench(directory, outgoing, questions, estate, page, [], [])
    outgoing.on_undelivered = lambda _, letter: made.undelivered.append(letter.pending)
    outgoing.on_expired = lambda _, letter: made.expired.append(letter.pending)
    yield made
    blobs.close()
    outgoing.close()
    if not estate.page.words[status.CLOSED]:
        estate.close(lambda _: None)
    estate.page.close()
    page.close()


def test_what_finds_no_room_waits_and_goes_in_order_when_there_is_some(
    bench: Bench,
) -> None:
    posted = bench.fill()
    posted += [bench.post() for _ in range(3)]
    assert bench.page.words[status.OUTBOX] == 4

    taken = bench.take_all()
    bench.outgoing.flush()

    assert taken == len(posted) - 4
    assert all(pending.done() for pending in posted)
    assert bench.page.words[status.OUTBOX] == 0
    assert bench.outgoing.backlog == {}
    assert bench.take_all() == 4


@pytest.mark.parametrize("bench", ["unix", "pipe", "mq"], indirect=True)
def test_what_was_accepted_at_once_is_not_sent_again_after_ctrl_c(bench: Bench) -> None:
    """It was, but for the message that was being settled."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    first = bench.fill()[-1]
    first.wakers = [interrupt]
    for _ in range(2):
        bench.post()
    bench.take_all()

    with pytest.raises(KeyboardInterrupt):
        bench.outgoing.flush()
    bench.outgoing.flush()

    assert bench.take_all() == 3


def test_what_waits_goes_as_soon_as_there_is_room_while_more_comes(
    bench: Bench,
) -> None:
    bench.fill()  # and one that waits
    for _ in range(FLUSH_EVERY - 2):
        bench.post()
    waited = bench.page.words[status.OUTBOX]

    bench.take_all()
    bench.post()

    assert (waited, bench.page.words[status.OUTBOX]) == (FLUSH_EVERY - 1, 0)
    assert bench.take_all() == FLUSH_EVERY


def test_nothing_overtakes_what_waits(bench: Bench) -> None:
    bench.fill()
    bench.take_all()

    late = bench.post()

    assert not late.done()


def test_everything_that_waits_is_given_back_when_the_receiver_has_ended(
    bench: Bench,
) -> None:
    """Only the first was; the rest vanished, and their asks waited for ever."""
    first = bench.fill()[-1]
    rest = [bench.post(is_question=number % 2 == 0) for number in range(6)]

    bench.estate.close(lambda _: None)
    bench.outgoing.flush()

    assert bench.undelivered == [first, *rest]
    assert bench.outgoing.backlog == {}
    assert bench.page.words[status.OUTBOX] == 0
    with pytest.raises(GoneError):
        bench.outgoing.route(RECEIVER)


def test_what_is_handed_on_waits_for_room_and_can_be_taken_back(bench: Bench) -> None:
    large = frame.pack(Kind.TELL, b"hear") + b"x" * 500
    bench.outgoing.put_back(RECEIVER, large)
    assert (bench.take_all(), bench.outgoing.holds(RECEIVER)) == (1, False)
    bench.fill()
    before = len(bench.outgoing.routes[RECEIVER].outbox)

    bench.outgoing.put_back(RECEIVER, large)

    assert bench.outgoing.holds(RECEIVER)
    assert bench.outgoing.take_back(RECEIVER)[before:] == [large]
    assert not bench.outgoing.holds(RECEIVER)
    assert bench.page.words[status.OUTBOX] == 0
    assert bench.outgoing.take_back(99) == []


def test_what_is_settled_while_it_waits_is_not_sent(bench: Bench) -> None:
    late = bench.fill()[-1]
    kept = bench.post()
    late.fail(TimeoutError())

    bench.take_all()
    bench.outgoing.flush()

    assert bench.expired == [late]
    assert kept.done()
    assert bench.take_all() == 1


def test_an_outbox_that_is_full_refuses_and_keeps_what_it_has(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "OUTBOX_BYTES", 1_000)
    bench.fill()

    with pytest.raises(MailboxFullError, match="receiver: 5 messages"):  # noqa: PT012 - any of the posts may be the one
        for _ in range(10):
            bench.post()

    assert bench.page.words[status.OUTBOX] == 5


def test_a_letter_counts_its_payload_and_one_always_fits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "OUTBOX_BYTES", 100_000)
    waiting = bench.outgoing.route(RECEIVER)
    waiting._outlet = None  # as one whose mailbox is damaged: nothing finds room

    bench.post_parcel(Parcel((bytes(200_000),)))
    with pytest.raises(MailboxFullError, match=r"1 messages \(20\d+ bytes\)"):
        bench.post_parcel(Parcel((bytes(1),)))

    assert waiting.outbox_bytes >= 200_000
    assert len(list(bench.directory.path.glob("blob/*"))) == 1


def test_a_letter_does_not_count_what_it_only_refers_to(bench: Bench) -> None:
    shared = memoryview(bench.outgoing._blobs.share([bytes(200_000)]))
    bench.fill()
    waiting = bench.outgoing.routes[RECEIVER]
    before = waiting.outbox_bytes

    bench.post_parcel(Parcel((b"pickle",), (shared,)))

    assert waiting.outbox_bytes - before < 1_000


def test_questions_wait_for_a_credit_and_the_answer_gives_it_back(
    bench: Bench,
) -> None:
    asked = [bench.post(is_question=True) for _ in range(4)]
    assert len(bench.questions.open) == 3  # the last credit is for other receivers

    bench.questions.settle(asked[0].corr, Kind.REPLY, b"")
    bench.outgoing.flush()

    assert sorted(bench.questions.open) == [pending.corr for pending in asked[1:]]
    assert bench.outgoing.backlog == {}


def test_what_waits_for_a_credit_does_not_watch_for_room(bench: Bench) -> None:
    """There was room all the time: the loop did not sleep until an answer came."""
    bench.fill()
    for _ in range(4):
        bench.post(is_question=True)

    bench.take_all()
    bench.outgoing.flush()

    assert len(bench.questions.open) == 3
    assert len(bench.outgoing.backlog) == 1
    assert bench.outgoing.room() is None


def test_ways_to_those_who_have_ended_are_dropped(bench: Bench) -> None:
    bench.post()
    bench.outgoing.lane(SENDER)
    assert (len(bench.outgoing.routes), len(bench.outgoing.lanes)) == (1, 1)

    bench.estate.close(lambda _: None)
    lanes.unlink(bench.directory.fd, SENDER)
    bench.outgoing.drop_ended()

    assert (bench.outgoing.routes, bench.outgoing.lanes) == ({}, {})


def test_those_who_have_ended_are_not_looked_for_at_each_way_that_opens(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def has_ended(_way: route.Route, _fd: int) -> bool:
        nonlocal looks
        looks += 1
        return False

    monkeypatch.setattr(route.Route, "has_ended", has_ended)
    numbers = range(100, 100 + 8 * LOOK_AFTER)
    for number in numbers:
        lanes.create(bench.directory.fd, number, lanes.SHARE_BYTES)
        bench.outgoing.lane(number)

    assert len(numbers) - LOOK_AFTER <= looks <= 5 * len(numbers)


def test_ways_are_dropped_although_only_others_are_opened(bench: Bench) -> None:
    for number in range(100, 140):
        lanes.create(bench.directory.fd, number, lanes.SHARE_BYTES)
        bench.outgoing.lane(number)
        lanes.unlink(bench.directory.fd, number)

    assert len(bench.outgoing.lanes) <= 3


def test_a_way_on_which_something_waits_is_kept_until_that_is_given_back(
    bench: Bench,
) -> None:
    waiting = bench.fill()[-1]
    bench.estate.close(lambda _: None)

    bench.outgoing.drop_ended()
    bench.outgoing.flush()

    assert bench.undelivered == [waiting]


def test_an_answer_to_one_who_has_ended_is_nobody_s_business(bench: Bench) -> None:
    bench.outgoing.answer(99, Kind.REPLY, 1, b"")

    assert bench.outgoing.lanes == {}


def test_an_answer_that_comes_too_late_takes_nothing_that_waits_with_it(
    bench: Bench,
) -> None:
    waiting = bench.fill()[-1]
    bench.outgoing.answer(RECEIVER, Kind.REPLY, 5, b"now")

    lanes.unlink(bench.directory.fd, RECEIVER)
    bench.outgoing.answer(RECEIVER, Kind.REPLY, 6, b"late")

    assert [letter.pending for letter in bench.outgoing.waiting()] == [waiting]


def test_an_answer_finds_the_lane_that_has_taken_the_place_of_another(
    bench: Bench,
) -> None:
    bench.outgoing.answer(RECEIVER, Kind.REPLY, 5, b"first")

    bench.estate.replace_lane()
    bench.outgoing.answer(RECEIVER, Kind.REPLY, 6, b"second")

    lane = lanes.Lane(bench.directory.fd, RECEIVER)
    data = lane.take()
    assert data is not None
    assert header.answer(data)[2:] == (6, b"second")
    lane.close()


def test_a_letter_knows_its_size() -> None:
    assert Letter((b"ab\0", b"", b"c"), Pending(), is_question=False).size == 4


def test_an_answer_that_finds_no_room_becomes_one_that_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error escaped: the actor crashed of it, and then the root, which had to tell of the crash."""

    def write(*_: object) -> bytes:
        raise NoSpaceError("a payload", 5000)

    monkeypatch.setattr(BlobStore, "write", write)
    lane = lanes.Lane(bench.directory.fd, RECEIVER)

    bench.outgoing.answer(RECEIVER, Kind.ERROR, 5, b"x" * 5000)

    answer = lane.take()
    lane.close()
    assert answer is not None
    header = frame.read(answer)
    assert (header.kind, header.corr) == (Kind.REFUSAL, 5)
    asked: Pending[None] = Pending()
    bench.questions.open[5] = asked
    bench.questions.settle(5, header.kind, answer[header.body_at :])
    with pytest.raises(DecodeError, match=r"the answer is lost: no room .*5000 bytes"):
        asked.result()


def test_a_reply_that_finds_no_room_is_an_error_of_the_actor(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> bytes:
        raise NoSpaceError("a payload", 5000)

    monkeypatch.setattr(BlobStore, "write", write)

    with pytest.raises(NoSpaceError):
        bench.outgoing.answer(RECEIVER, Kind.REPLY, 5, b"x" * 5000)


# Mailboxes that were damaged.


class Closing:
    """An outlet of a mailbox that closes while two messages go in."""

    def __init__(self) -> None:
        self.answers = [Put.LATE, Put.LATE, Put.CLOSED]

    def put(self, *parts: object) -> Put:
        del parts
        return self.answers.pop(0)

    def fileno(self) -> None:
        return None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("bench", ["shm"], indirect=True)
def test_what_went_into_a_mailbox_as_it_was_replaced_is_not_sent_again(
    bench: Bench,
) -> None:
    """It had been handled there; sent again, it was handled twice."""
    way = bench.outgoing.route(RECEIVER)
    inode = way.inode
    way.repair(Closing(), inode)

    late, asked = bench.post(), bench.post(is_question=True)
    assert late.done()  # lost with all that was in there
    bench.post()
    bench.outgoing.flush()
    bench.questions.lose(inode)

    with pytest.raises(MailboxLostError):
        asked.result()
    assert bench.take_all() == 1


@pytest.mark.parametrize("bench", ["shm"], indirect=True)
def test_a_way_to_a_mailbox_that_is_replaced_meanwhile_does_not_take_the_old_one_s_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question in the new mailbox was said to be in the old one: nobody told its asker when the new one was lost as well."""
    transport = bench.estate.transport
    connect = transport.connect

    def replace_first(dir_fd: int, name: str, *, note: Note | None = None) -> Outlet:
        monkeypatch.undo()
        bench.estate.replace_mailbox()
        return connect(dir_fd, name, note=note)

    monkeypatch.setattr(
        type(transport), "connect", lambda _, *a, **k: replace_first(*a, **k)
    )
    way = bench.outgoing.route(RECEIVER)
    bench.post()
    bench.outgoing.flush()

    assert bench.estate.is_mailbox(way.inode)
    assert bench.take_all() == 1


class Hasty(Pending[Any]):
    """Settled by another thread as soon as somebody has seen that it is not."""

    def done(self) -> bool:
        was_done = super().done()
        self.fail(ActorError("it has ended"))
        return was_done


class Root:
    """Knows of each actor why it has ended."""

    def __init__(self) -> None:
        self.fate = Hasty()

    def request(self, *_: object, **__: object) -> Pending[Any]:
        return self.fate

    def notify_root(self, operation: str, facts: dict[str, Any]) -> None:
        raise NotImplementedError


def test_question_is_given_up_whenever_another_thread_hears_why(bench: Bench) -> None:
    """It waited for ever, where that was just before it could be called."""
    root, question = Root(), Pending[None]()
    bench.questions.describe(question, 99, "gone", "Gone.hear", None)

    Undelivered(root, bench.outgoing, bench.questions).give_up(question, 99, None)

    root.fate.done()
    assert isinstance(question.failure(), ActorError)


def test_mailbox_of_an_unknown_transport_is_told_of_in_case_its_page_was_written_over(
    bench: Bench,
) -> None:
    told: list[tuple[int, int]] = []
    bench.outgoing.on_damaged = lambda *what: told.append(what)
    bench.estate.page.words[status.SCHEME] = int.from_bytes(b"zzz", "little")

    with pytest.raises(EndpointError, match="no transport for 'zzz'"):
        bench.outgoing.route(RECEIVER)

    assert told == [(RECEIVER, 0)]


def test_request_that_waits_for_room_in_a_damaged_lane_is_not_taken_for_answered(
    bench: Bench,
) -> None:
    lanes.create(bench.directory.fd, lanes.ROOT, 4096)
    request = Pending[Any]()
    request.number = lanes.ROOT
    way = bench.outgoing.lane(lanes.ROOT)
    while way.put(*FRAME) is Put.ACCEPTED:
        pass
    bench.outgoing.post(way, FRAME, request, is_question=True)
    unasked: list[Pending[Any]] = []
    bench.outgoing.on_unasked = unasked.append

    name = lanes.file_name(lanes.ROOT)
    fd = os.open(name, os.O_RDWR, dir_fd=bench.directory.fd)
    os.pwrite(fd, b"\xff" * 512, 0)
    os.close(fd)
    bench.outgoing.flush()

    assert (unasked, request.done()) == ([request], False)
