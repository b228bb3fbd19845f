"""Which worker a router names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import pytest

from actors.pool.routing import HashBy, Key, Routing, place_of, router


@attrs.define(eq=False)
class Hand:
    """A worker as a router sees it."""

    index: int
    outstanding: int = 0


def hands(*outstanding: int) -> tuple[Hand, ...]:
    return tuple(Hand(index, count) for index, count in enumerate(outstanding))


def chosen(routing: Routing, workers: tuple[Hand, ...], *messages: object) -> list[int]:
    choose = router(routing)
    return [choose(workers, (message,), {}).index for message in messages]


def test_round_robin_takes_one_after_the_other() -> None:
    assert chosen("round_robin", hands(5, 0, 9), *range(5)) == [0, 1, 2, 0, 1]


def test_least_loaded_takes_the_one_with_the_fewest_asks_outstanding() -> None:
    assert chosen("least_loaded", hands(5, 2, 9), *range(3)) == [1, 1, 1]


def test_least_loaded_takes_turns_where_all_have_as_many() -> None:
    assert chosen("least_loaded", hands(2, 2, 2), *range(4)) == [0, 1, 2, 0]


def test_a_key_sticks_to_its_worker() -> None:
    places = chosen(HashBy(), hands(0, 0, 0, 0), "ada", "bob", "ada", "bob", "ada")

    assert places[0] == places[2] == places[4]
    assert places[1] == places[3]


def test_keys_are_spread_evenly() -> None:
    counts = Counter(place_of(key, range(4)) for key in range(4000))

    assert all(800 < counts[place] < 1200 for place in range(4))


@pytest.mark.parametrize("key", ["ada", b"ada", 17, ("ada", 17), (1, ("x", b"y"))])
def test_a_key_has_the_same_place_in_every_process(key: Key) -> None:
    expected: dict[Key, int] = {
        "ada": 0,
        b"ada": 4,
        17: 0,
        ("ada", 17): 3,
        (1, ("x", b"y")): 4,
    }

    assert place_of(key, range(5)) == expected[key]


def test_growing_moves_only_keys_that_the_new_worker_gets() -> None:
    before = {key: place_of(key, range(4)) for key in range(2000)}
    after = {key: place_of(key, range(5)) for key in range(2000)}

    moved = {key for key in before if before[key] != after[key]}

    assert all(after[key] == 4 for key in moved)
    assert 300 < len(moved) < 500


def test_the_end_of_a_worker_moves_only_its_own_keys() -> None:
    indexes = [0, 1, 3]
    moved = [
        key
        for key in range(500)
        if indexes[place_of(key, indexes)] != place_of(key, range(4))
    ]

    assert {place_of(key, range(4)) for key in moved} == {2}


def test_a_function_of_the_arguments_gives_the_key() -> None:
    routing = HashBy(lambda _, user: user)
    choose = router(routing)
    workers = hands(0, 0, 0)

    found = {choose(workers, (n,), {"user": "ada"}).index for n in range(20)}

    assert len(found) == 1


@pytest.mark.parametrize("key", [1.5, None, ("ada", 1.5), object()])
def test_a_key_without_a_lasting_hash_is_refused(key: object) -> None:
    with pytest.raises(TypeError, match="a string, bytes, a whole number, or a tuple"):
        chosen(HashBy(), hands(0, 0), key)


def test_a_message_without_arguments_has_no_first_one_for_a_key() -> None:
    with pytest.raises(TypeError, match="give HashBy a function"):
        router(HashBy())(hands(0), (), {})


def test_a_function_of_the_user_chooses() -> None:
    assert chosen(lambda workers, args, _: workers[args[0]], hands(0, 0), 1, 0) == [
        1,
        0,
    ]


def test_a_function_that_names_no_worker_is_refused() -> None:
    choose: Any = lambda *_: 3  # noqa: E731 - a function would need a type that is wrong
    with pytest.raises(TypeError, match="returned 3, which is none of the workers"):
        chosen(choose, hands(0, 0), 1)
