"""What an actor writes, cut into lines."""

from __future__ import annotations

import random

import pytest

from actors.supervision.lines import MAX_LINE_BYTES, Lines


@pytest.fixture
def lines() -> Lines:
    return Lines(b"a | ")


def test_every_line_has_the_name_in_front(lines: Lines) -> None:
    assert lines.feed(b"one\ntwo\n") == b"a | one\na | two\n"


def test_a_line_comes_when_it_is_whole(lines: Lines) -> None:
    assert lines.feed(b"o") == b""
    assert lines.feed(b"ne\ntw") == b"a | one\n"
    assert lines.feed(b"o\n") == b"a | two\n"


def test_an_empty_line_is_one(lines: Lines) -> None:
    assert lines.feed(b"\n\n") == b"a | \na | \n"


def test_the_last_words_of_one_that_is_killed_are_a_line(lines: Lines) -> None:
    lines.feed(b"one\nlast wor")

    assert lines.finish() == b"a | last wor\n"
    assert lines.finish() == b""


def test_a_line_that_rewrites_itself_is_shown_as_it_is_in_the_end(lines: Lines) -> None:
    assert lines.feed(b"\r10 %\r50 %") == b""
    assert lines.feed(b"\r99 %\nnext\r\n") == b"a | 99 %\na | next\n"


def test_a_line_without_end_comes_in_pieces(lines: Lines) -> None:
    shown = lines.feed(b"x" * (2 * MAX_LINE_BYTES + 1))

    piece = b"a | " + b"x" * MAX_LINE_BYTES + b"\n"
    assert shown == piece + piece
    assert lines.finish() == b"a | x\n"


def test_a_line_that_rewrites_itself_for_ever_is_not_kept(lines: Lines) -> None:
    for percent in range(100):
        assert lines.feed(b"\r%d %%" % percent + b" " * 2000) == b""

    assert lines.finish().rstrip() == b"a | 99 %"


def test_nothing_is_lost_however_it_is_cut() -> None:
    chance = random.Random(7)
    text = b"".join(
        b"x" * chance.randrange(9) + b"\n" * chance.randrange(3) for _ in range(200)
    )
    for _ in range(50):
        lines, shown, left = Lines(b""), b"", text
        while left:
            size = chance.randrange(1, 40)
            shown += lines.feed(left[:size])
            left = left[size:]

        assert shown + lines.finish() == text.rstrip(b"\n") + b"\n" * (
            len(text) - len(text.rstrip(b"\n")) or 1
        )
