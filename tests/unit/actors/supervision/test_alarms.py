from __future__ import annotations

import math
import random

from actors.supervision.alarms import Alarms


def test_nothing_is_due_in_the_beginning() -> None:
    alarms = Alarms()

    assert alarms.next_due() is None
    assert list(alarms.take_due(math.inf)) == []


def test_keys_are_taken_in_the_order_they_are_due_and_once() -> None:
    alarms = Alarms()
    alarms.set("late", 3)
    alarms.set("early", 1)
    alarms.set("middle", 2)

    assert alarms.next_due() == 1
    assert list(alarms.take_due(2)) == ["early", "middle"]
    assert list(alarms.take_due(2)) == []
    assert alarms.next_due() == 3


def test_keys_that_are_due_together_are_taken_in_the_order_they_were_set() -> None:
    alarms = Alarms()
    for key in ("b", ("init", 3), "a"):
        alarms.set(key, 1)

    assert list(alarms.take_due(1)) == ["b", ("init", 3), "a"]


def test_setting_a_key_again_moves_it() -> None:
    alarms = Alarms()
    alarms.set("moved", 1)
    alarms.set("other", 2)

    alarms.set("moved", 3)

    assert alarms.next_due() == 2
    assert list(alarms.take_due(9)) == ["other", "moved"]


def test_setting_a_key_to_the_same_time_again_leaves_one_alarm() -> None:
    alarms = Alarms()

    alarms.set("again", 1)
    alarms.set("again", 1)

    assert list(alarms.take_due(1)) == ["again"]


def test_a_key_that_was_cleared_is_not_due() -> None:
    alarms = Alarms()
    alarms.set("cleared", 1)
    alarms.set("kept", 2)

    alarms.clear("cleared")
    alarms.clear("unknown")

    assert alarms.next_due() == 2
    assert list(alarms.take_due(9)) == ["kept"]


def test_a_key_may_be_set_again_while_due_keys_are_taken() -> None:
    alarms = Alarms()
    alarms.set("tick", 1)

    taken = []
    for key in alarms.take_due(1):
        taken.append(key)
        alarms.set("tick", 2)

    assert taken == ["tick"]
    assert alarms.next_due() == 2


def test_infinity_never_comes() -> None:
    alarms = Alarms()
    alarms.set("never", math.inf)

    assert list(alarms.take_due(1e18)) == []


def test_random_operations_agree_with_a_plain_dictionary() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)
    alarms, model = Alarms(), dict[int, float]()

    for now in range(2_000):
        key = rng.randrange(20)
        if rng.random() < 0.7:
            model[key] = due = now + rng.random() * 30
            alarms.set(key, due)
        else:
            model.pop(key, None)
            alarms.clear(key)
        due_now = sorted((due, key) for key, due in model.items() if due <= now)

        assert list(alarms.take_due(now)) == [key for _, key in due_now]
        for _, key in due_now:
            del model[key]
        assert alarms.next_due() == min(model.values(), default=None)
