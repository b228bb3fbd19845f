from __future__ import annotations

import random
from itertools import pairwise

import pytest

from actors.runtime.pauses import Freeze, frozen_ns, is_overdue
from tests.support.pages import new_page


@pytest.mark.parametrize(
    ("freezes", "expected"),
    [
        ([], 0),
        ([(20, 30)], 10),
        ([(20, 0)], 80),
        ([(0, 5)], 0),
        ([(5, 15)], 5),
        ([(20, 30), (25, 40)], 20),
        ([(25, 26), (20, 30)], 10),
        ([(20, 30), (50, 60)], 20),
        ([(90, 200)], 10),
    ],
    ids=str,
)
def test_frozen_time_is_what_lies_between_the_question_and_now(
    freezes: list[Freeze], expected: int
) -> None:
    assert frozen_ns(freezes, 10, 100) == expected


def test_frozen_time_counts_each_moment_once() -> None:
    chance = random.Random(7)
    for _ in range(500):
        freezes = [
            (begin, chance.choice([0, begin + chance.randrange(20)]))
            for begin in (chance.randrange(1, 60) for _ in range(chance.randrange(6)))
        ]

        expected = sum(
            any(begin <= moment < (end or 50) for begin, end in freezes)
            for moment in range(20, 50)
        )

        assert frozen_ns(freezes, 20, 50) == expected, freezes


@pytest.mark.parametrize(
    ("deadline", "now", "expected"),
    [(0, 10**6, False), (50, 49, False), (50, 50, True), (50, 70, True)],
)
def test_deadline_of_those_who_were_never_frozen_is_as_it_was_set(
    deadline: int, now: int, *, expected: bool
) -> None:
    assert is_overdue(deadline, 10, now, (None,)) is expected


def test_page_knows_when_its_process_was_frozen_the_last_times() -> None:
    page = new_page()
    for _ in range(11):
        page.freeze()
        page.thaw()

    freezes = sorted(page.freezes())

    assert len(freezes) == 8
    assert all(begin <= end for begin, end in freezes)
    assert all(one[1] <= next_[0] for one, next_ in pairwise(freezes))
    page.close()


def test_page_tells_whether_its_process_is_frozen() -> None:
    page = new_page()
    told = [page.is_frozen()]
    for change in (page.thaw, page.freeze, page.thaw, page.thaw, page.freeze):
        change()
        told.append(page.is_frozen())

    assert told == [False, False, True, False, False, True]
    page.close()


def test_question_to_a_process_that_is_frozen_is_never_overdue() -> None:
    page = new_page()
    page.freeze()
    (since, _) = page.freezes()[0]

    assert not is_overdue(since + 10, since - 10, since + 10**12, (None, page))
    page.close()
