"""The layout of a status page, which its readers do not take on trust."""

from __future__ import annotations

import os

import pytest

from actors.runtime import status
from actors.runtime.status import StatusPage
from tests.support.pages import new_page
from transports.errors import CorruptError


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (status.MAGIC_WORD, 0),
        (status.SLOTS, 10**6),
        (status.SLOTS, 2**64 - 1),
        (status.LIMIT, 2**63),
        (status.LIMIT, 10**6),
        (status.SCHEME, 0xFF),
    ],
)
def test_a_page_that_makes_no_sense_is_not_opened(word: int, value: int) -> None:
    fd = os.memfd_create("page", os.MFD_CLOEXEC)
    os.ftruncate(fd, status.size(2, 1024, 9))
    page = StatusPage.format(fd, 2, 1024, "shm")
    page.words[word] = value

    with pytest.raises(CorruptError, match="status page"):
        StatusPage(fd)

    page.close()
    os.close(fd)


def test_a_page_without_slots_has_no_room_for_a_frame() -> None:
    page = new_page(slots=0, limit=2**20)

    assert (page.slots(), page.limit) == ([], 2**20)

    page.close()


def test_a_page_that_is_too_short_is_not_opened() -> None:
    fd = os.memfd_create("page", os.MFD_CLOEXEC)

    with pytest.raises(CorruptError):
        StatusPage(fd)

    os.close(fd)


@pytest.mark.parametrize(
    "word", [status.MAGIC_WORD, status.SLOTS, status.SCHEME, status.MAX_MESSAGE]
)
def test_whoever_has_a_page_open_goes_on_and_the_next_incarnation_mends_it(
    word: int,
) -> None:
    page = new_page(slots=2)
    assert page.is_intact()

    page.words[word] = 2**60

    assert not page.is_intact()
    assert (len(page.slots()), page.limit, page.scheme) == (2, 1024, "shm")
    page.begin(2)
    assert page.is_intact()
    page.close()


def test_freezing_counts_on_whatever_was_written_over_the_count() -> None:
    page = new_page()
    page.words[status.FREEZES] = 2**64 - 1
    page.words[status.FREEZE_AT + 2 * 6 + 1] = 1  # that one has ended

    page.freeze()

    assert page.is_frozen()
    page.thaw()
    assert not page.is_frozen()
    page.close()
