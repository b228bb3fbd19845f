"""Messages that are handed to the next incarnation after the process has died of them, until that was often enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from actors import (
    ActorCrashedError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    Event,
    OptionError,
    Redeliver,
)
from tests.support.fragile import Fragile, FragileThree
from tests.support.gates import SECONDS, wait_until
from tests.support.inside import blobs_of

NextEvent = Callable[[str, str], Event]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def fragile(
    system: ActorSystem, path: Path, request: pytest.FixtureRequest
) -> Iterator[ActorRef[Fragile]]:
    """Tries each message three times."""
    options = system.options(
        on_crash=Redeliver(3),
        intensity=math.inf,
        transport=getattr(request, "param", None),
    )
    ref = options.spawn(Fragile, str(path)).result()
    yield ref
    ref.kill().result()


def notes(path: Path) -> list[str]:
    return path.read_text().split()


@pytest.mark.parametrize("fragile", ["shm", "unix", "pipe", "mq"], indirect=True)
def test_message_is_tried_again_before_those_behind_it(
    fragile: ActorRef[Fragile], path: Path
) -> None:
    asking = fragile.ask(Fragile.die, 2)
    behind = fragile.ask(Fragile.note, "behind")

    assert asking.result() == 3
    assert behind.result() == 4
    assert notes(path) == ["die", "die", "die", "behind"]


def test_message_that_was_tried_often_enough_is_poison(
    fragile: ActorRef[Fragile], path: Path, next_event: NextEvent
) -> None:
    fragile.tell(Fragile.die, 100)
    behind = fragile.ask(Fragile.note, "behind")

    event = next_event("dead_letter", fragile.name)

    assert event.facts["cause"] == "poison"
    assert event.facts["attempt"] == 3
    assert event.facts["deaths"] == ["killed by SIGKILL while running Fragile.die"] * 3
    assert behind.result() == 4
    assert notes(path) == ["die", "die", "die", "behind"]


def test_asker_of_poison_hears_of_it(fragile: ActorRef[Fragile]) -> None:
    with pytest.raises(ActorCrashedError) as crashed:
        fragile.ask(Fragile.die, 100).result()

    assert crashed.value.attempt == 3


def test_tell_whose_handler_raises_is_tried_again(
    fragile: ActorRef[Fragile], path: Path, next_event: NextEvent
) -> None:
    fragile.tell(Fragile.fail, "fail")

    event = next_event("dead_letter", fragile.name)

    assert event.facts["cause"] == "poison"
    assert event.facts["deaths"][0].startswith("raised ValueError: fail")
    assert notes(path) == ["fail"] * 3


def test_each_message_has_its_own_deaths(
    fragile: ActorRef[Fragile], next_event: NextEvent
) -> None:
    for _ in range(2):
        fragile.tell(Fragile.die, 100)
        event = next_event("dead_letter", fragile.name)

        assert len(event.facts["deaths"]) == 3


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_large_message_is_tried_again_with_its_payload(
    system: ActorSystem, fragile: ActorRef[Fragile], size: int
) -> None:
    array = np.ones(size, np.uint8)

    assert fragile.ask(Fragile.weigh, 2, array).result() == size

    blobs = blobs_of(system)
    wait_until(
        lambda: not [each for each in blobs.iterdir() if "@" in each.name],
        "the payload to go",
    )


def test_payload_of_poison_is_not_left_behind(
    system: ActorSystem, fragile: ActorRef[Fragile]
) -> None:
    with pytest.raises(ActorCrashedError):
        fragile.ask(Fragile.weigh, 100, np.ones(100_000, np.uint8)).result()

    blobs = blobs_of(system)
    wait_until(
        lambda: not [each for each in blobs.iterdir() if "@" in each.name],
        "the payload to go",
    )


def test_several_messages_in_hand_are_all_tried_again(
    system: ActorSystem, path: Path
) -> None:
    options = system.options(on_crash=Redeliver(2), intensity=math.inf)
    ref = options.spawn(FragileThree, str(path)).result()
    asked = [ref.ask(FragileThree.die_together, text) for text in "abc"]

    for each in asked:
        with pytest.raises(ActorCrashedError) as crashed:
            each.result(SECONDS)
        assert crashed.value.attempt == 2

    assert sorted(notes(path)[:3]) == ["a", "b", "c"]
    ref.kill().result()


def test_message_that_is_to_be_tried_again_ends_with_its_actor(
    system: ActorSystem, path: Path
) -> None:
    options = system.options(on_crash=Redeliver(3), intensity=0)
    ref = options.spawn(Fragile, str(path)).result()

    with pytest.raises(ActorStoppedError, match="gave up"):
        ref.ask(Fragile.die, 100).result()

    assert notes(path) == ["die"]


def test_crash_without_redelivery_costs_the_message(
    system: ActorSystem, path: Path
) -> None:
    ref = system.spawn(Fragile, str(path)).result()

    with pytest.raises(ActorCrashedError) as crashed:
        ref.ask(Fragile.die, 100).result()

    assert crashed.value.attempt == 1
    assert notes(path) == ["die"]
    ref.kill().result()


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", 1001])
def test_number_of_deliveries_must_be_one(value: int) -> None:
    with pytest.raises(OptionError, match=r"max_deliveries=.*a whole number from 1"):
        Redeliver(value)


def test_what_becomes_of_a_message_must_be_one_of_two(system: ActorSystem) -> None:
    with pytest.raises(OptionError, match="on_crash='retry': 'drop', or Redeliver"):
        system.options(on_crash="retry")  # type: ignore[arg-type]
