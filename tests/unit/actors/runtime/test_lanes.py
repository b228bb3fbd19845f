"""The lane: whoever has a credit finds room for the largest answer there is."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from actors.runtime import lanes
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import Lane
from actors.runtime.outgoing import Outgoing
from actors.runtime.questions import Questions
from actors.runtime.withdrawn import Withdrawn
from actors.wire import frame
from actors.wire.frame import Kind
from tests.support.pages import page_of
from transports.blob import BlobStore

ASKER, ANSWERER = 3, 7


@attrs.define(eq=False)
class Bench:
    """One that asks, with a lane, and one that answers."""

    directory: RuntimeDirectory
    lane: Lane
    outgoing: Outgoing

    def waiting(self) -> int:
        """Return how many answers found no room."""
        return sum(1 for _ in self.outgoing.waiting())


@pytest.fixture(params=[lanes.ACTOR_LANE_BYTES, lanes.MAIN_LANE_BYTES])
def bench(
    request: pytest.FixtureRequest, directory: RuntimeDirectory
) -> Iterator[Bench]:
    page = page_of(ANSWERER, directory)
    lanes.create(directory.fd, ASKER, request.param)
    questions = Questions(0, 1, lambda data: data, Withdrawn(page))
    blobs = BlobStore(directory.blob_fd, "7.1")
    outgoing = Outgoing(directory, ANSWERER, page, questions, blobs)
    lane = Lane(directory.fd, ASKER)
    yield Bench(directory, lane, outgoing)
    lane.close()
    outgoing.close()
    page.close()


@pytest.mark.parametrize("size", [900, 100_000])
def test_every_credit_stands_for_room_for_an_answer(bench: Bench, size: int) -> None:
    for corr in range(1, bench.lane.credits + 1):
        bench.outgoing.answer(ASKER, Kind.REPLY, corr, bytes(size))

    assert bench.waiting() == 0


def test_answers_that_no_credit_covers_find_the_lane_full_in_the_end(
    bench: Bench,
) -> None:
    """Otherwise the test above would prove nothing."""
    for corr in range(1, 2 * bench.lane.credits):
        bench.outgoing.answer(ASKER, Kind.REPLY, corr, bytes(900))

    assert bench.waiting() > 0


def test_what_was_in_hand_when_ctrl_c_came_is_taken_by_the_next_look(
    bench: Bench,
) -> None:
    """Each look after that failed, and so did closing the system."""
    for corr in (1, 2):
        bench.outgoing.answer(ASKER, Kind.REPLY, corr, b"")
    bench.lane.reader.take(bench.lane._slot)  # as far as it came

    taken = [bench.lane.take() for _ in range(3)]

    assert [None if data is None else frame.read(data).corr for data in taken] == [
        1,
        2,
        None,
    ]
