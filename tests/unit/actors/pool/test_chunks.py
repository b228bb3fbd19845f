"""How many items go into one message."""

from __future__ import annotations

from actors.pool.chunks import Chunks, Single


def test_the_first_message_holds_one_item() -> None:
    assert Chunks(1000, 4).size == 1


def test_a_chunk_of_tiny_items_doubles_up_to_its_share_of_what_may_be_in_flight() -> (
    None
):
    chunks = Chunks(1000, 4)
    sizes = []
    for _ in range(9):
        chunks.measured(chunks.size, chunks.size * 1e-7)
        sizes.append(chunks.size)

    assert sizes == [2, 4, 8, 16, 32, 64, 125, 125, 125]


def test_a_chunk_holds_a_millisecond_of_work() -> None:
    chunks = Chunks(10_000, 1)
    for _ in range(20):
        chunks.measured(chunks.size, chunks.size * 1e-5)

    assert 99 <= chunks.size <= 100


def test_items_that_take_long_go_one_by_one() -> None:
    chunks = Chunks(1000, 4)
    for _ in range(5):
        chunks.measured(chunks.size, chunks.size * 1e-6)
    for _ in range(20):
        chunks.measured(chunks.size, chunks.size * 0.1)

    assert chunks.size == 1


def test_a_small_flight_never_holds_chunks() -> None:
    chunks = Chunks(4, 4)
    chunks.measured(1, 1e-9)

    assert chunks.size == 1


def test_a_single_stays_single() -> None:
    single = Single()
    single.measured(1, 1e-9)

    assert single.size == 1


def measured(chunks: Chunks, seconds: float) -> list[int]:
    """Send and measure items that take *seconds* each, until a chunk is as large as the one before; return the sizes."""
    sizes = [chunks.size]
    while True:
        chunks.sent(chunks.size)
        chunks.measured(chunks.size, chunks.size * seconds)
        if chunks.size == sizes[-1]:
            return sizes
        sizes.append(chunks.size)


def test_items_travel_together_for_longer_where_it_is_known_how_many_are_left() -> None:
    assert measured(Chunks(64, 4, 1000), 0.025) == [1, 2, 4]


def test_the_last_items_go_one_by_one() -> None:
    chunks = Chunks(64, 4, 64)
    chunks.measured(1, 0.001)
    chunks.measured(2, 0.002)
    chunks.measured(4, 0.004)
    sizes = []
    left = 64
    while left:
        sizes.append(chunks.size)
        left -= chunks.size
        chunks.sent(chunks.size)

    assert sizes[0] == 8
    assert sorted(sizes, reverse=True) == sizes
    assert sizes[-8:] == [1] * 8


def test_the_last_tiny_items_go_together_all_the_same() -> None:
    chunks = Chunks(1000, 4, 100)
    for _ in range(9):
        chunks.measured(chunks.size, chunks.size * 1e-7)
    chunks.sent(99)

    assert chunks.size == 125


def test_few_messages_go_out_until_it_is_known_what_items_take() -> None:
    chunks = Chunks(64, 4, 1000)
    before = chunks.messages
    for _ in range(2):
        chunks.measured(chunks.size, chunks.size * 0.025)

    assert (before, chunks.messages) == (8, None)


def test_nothing_is_held_back_where_items_take_too_long_to_wait_for() -> None:
    chunks = Chunks(64, 4, 1000)
    chunks.hurry()

    assert chunks.messages is None


def test_nothing_is_held_back_where_the_end_is_not_in_sight() -> None:
    assert Chunks(64, 4).messages is None
