"""Headers as C makes and takes them apart, against the layout that ``frame.py`` documents."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.wire import _header, frame


def up_to(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


BYTE, SHORT, WORD, LONG = map(up_to, (8, 16, 32, 64))


@given(st.tuples(BYTE, BYTE, BYTE, SHORT, WORD, WORD, LONG, LONG))
def test_header_that_is_made_is_laid_out_as_documented(
    numbers: tuple[int, int, int, int, int, int, int, int],
) -> None:
    kind, flags, codec, length, sender, lane, corr, deadline = numbers
    before = time.monotonic_ns()

    made = _header.make(kind, flags, codec, length, sender, lane, corr, deadline)

    sent = frame.sent_ns(made)
    assert before <= sent <= time.monotonic_ns()
    assert made == frame.HEADER.pack(
        frame.VERSION, kind, flags, codec, length, 0, sender, lane, corr, sent, deadline, 0
    )  # fmt: skip


@given(BYTE, BYTE, BYTE, WORD, LONG, LONG, LONG, st.binary(), st.binary())
def test_frame_is_taken_apart(  # noqa: PLR0917 - a frame has so many parts
    version: int,
    kind: int,
    flags: int,
    lane: int,
    corr: int,
    sent: int,
    deadline: int,
    method: bytes,
    body: bytes,
) -> None:
    head = frame.HEADER.pack(
        version, kind, flags, 1, len(method), 7, 8, lane, corr, sent, deadline, 9
    )
    whole = head + method + body

    fields = version, kind, flags, lane, corr, sent, deadline
    assert _header.message(whole) == (*fields, method, body)
    assert _header.answer(whole) == (kind, flags, corr, body)


def test_method_that_reaches_beyond_the_frame_is_what_there_is_of_it() -> None:
    frame_cut = _header.make(2, 0, 1, 100, 1, 1, 1, 0) + b"short"

    assert _header.message(frame_cut)[-2:] == (b"short", b"")
    assert _header.answer(frame_cut)[-1] == b""


@pytest.mark.parametrize("size", [0, 47])
def test_bytes_that_are_no_header_are_refused(size: int) -> None:
    for take_apart in (_header.message, _header.answer):
        with pytest.raises(ValueError, match="fewer than a header"):
            take_apart(bytes(size))


def test_only_bytes_are_taken_apart() -> None:
    for take_apart in (_header.message, _header.answer):
        with pytest.raises(TypeError, match="a frame is bytes"):
            take_apart(bytearray(48))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (256, OverflowError),
        (-1, OverflowError),
        (2**64, OverflowError),
        ("2", TypeError),
    ],
)
def test_number_that_does_not_fit_is_refused(
    number: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _header.make(number, 0, 0, 0, 0, 0, 0, 0)


def test_a_header_has_all_its_numbers() -> None:
    with pytest.raises(TypeError, match="8 numbers"):
        _header.make(1)  # type: ignore[call-arg]
