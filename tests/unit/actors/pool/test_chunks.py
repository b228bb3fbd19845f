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
