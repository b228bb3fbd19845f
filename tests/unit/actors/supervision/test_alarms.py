from __future__ import annotations

import math
import random
from collections.abc import Iterable

from actors.supervision.alarms import Alarms


def key(name: str) -> tuple[str, int]:
    return name, 0


def names(keys: Iterable[tuple[str, int]]) -> list[str]:
    return [name for name, _ in keys]


def test_nothing_is_due_in_the_beginning() -> None:
    alarms = Alarms()

    assert alarms.next_due() is None
    assert list(alarms.take_due(math.inf)) == []


def test_keys_are_taken_in_the_order_they_are_due_and_once() -> None:
    alarms = Alarms()
    alarms.set(key("late"), 3)
    alarms.set(key("early"), 1)
    alarms.set(key("middle"), 2)

    assert alarms.next_due() == 1
    assert names(alarms.take_due(2)) == ["early", "middle"]
    assert list(alarms.take_due(2)) == []
    assert alarms.next_due() == 3


def test_keys_that_are_due_together_are_taken_in_the_order_they_were_set() -> None:
    alarms = Alarms()
    for each in ("b", "c", "a"):
        alarms.set(key(each), 1)

    assert names(alarms.take_due(1)) == ["b", "c", "a"]


def test_setting_a_key_again_moves_it() -> None:
    alarms = Alarms()
    alarms.set(key("moved"), 1)
    alarms.set(key("other"), 2)

    alarms.set(key("moved"), 3)

    assert alarms.next_due() == 2
    assert names(alarms.take_due(9)) == ["other", "moved"]


def test_setting_a_key_to_the_same_time_again_leaves_one_alarm() -> None:
    alarms = Alarms()

    alarms.set(key("again"), 1)
    alarms.set(key("again"), 1)

    assert names(alarms.take_due(1)) == ["again"]


def test_a_key_that_was_cleared_is_not_due() -> None:
    alarms = Alarms()
    alarms.set(key("cleared"), 1)
    alarms.set(key("kept"), 2)

    alarms.clear(key("cleared"))
    alarms.clear(key("unknown"))

    assert alarms.next_due() == 2
    assert names(alarms.take_due(9)) == ["kept"]


def test_a_key_may_be_set_again_while_due_keys_are_taken() -> None:
    alarms = Alarms()
    alarms.set(key("tick"), 1)

    taken = []
    for each in alarms.take_due(1):
        taken.append(each)
        alarms.set(key("tick"), 2)

    assert names(taken) == ["tick"]
    assert alarms.next_due() == 2


def test_infinity_never_comes() -> None:
    alarms = Alarms()
    alarms.set(key("never"), math.inf)

    assert list(alarms.take_due(1e18)) == []


def test_random_operations_agree_with_a_plain_dictionary() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)
    alarms, model = Alarms(), dict[tuple[str, int], float]()

    for now in range(2_000):
        number = ("number", rng.randrange(20))
        if rng.random() < 0.7:
            model[number] = due = now + rng.random() * 30
            alarms.set(number, due)
        else:
            model.pop(number, None)
            alarms.clear(number)
        due_now = sorted((due, each) for each, due in model.items() if due <= now)

        assert list(alarms.take_due(now)) == [each for _, each in due_now]
        for _, each in due_now:
            del model[each]
        assert alarms.next_due() == min(model.values(), default=None)
