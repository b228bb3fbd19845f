"""Poison: listed, looked at, replayed and thrown away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from actors import (
    ActorCrashedError,
    ActorError,
    ActorRef,
    ActorSystem,
    OptionError,
    PoisonMessage,
    Redeliver,
)
from tests.support.fragile import Fragile
from tests.support.gates import wait_until
from tests.support.inside import blobs_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def fragile(system: ActorSystem, path: Path) -> Iterator[ActorRef[Fragile]]:
    """Tries each message twice."""
    options = system.options(on_crash=Redeliver(2), intensity=math.inf)
    ref = options.spawn(Fragile, str(path)).result()
    yield ref
    ref.kill().result()
    for message in system.quarantine.messages().result():
        system.quarantine.drop(message).result()


def poison(
    system: ActorSystem, fragile: ActorRef[Fragile], times: int = 100
) -> PoisonMessage:
    with pytest.raises(ActorCrashedError):
        fragile.ask(Fragile.die, times, text="die").result()
    return system.quarantine.messages().result()[-1]


def payloads_of(system: ActorSystem) -> list[str]:
    return [
        each.name for each in blobs_of(system).iterdir() if each.name.startswith("0.2+")
    ]


def test_poison_is_listed_with_what_each_process_died_of(
    system: ActorSystem, fragile: ActorRef[Fragile]
) -> None:
    first, second = poison(system, fragile), poison(system, fragile)

    assert system.quarantine.messages().result() == [first, second]
    assert first.id < second.id
    assert (first.actor, first.method) == (fragile.name, "Fragile.die")
    assert first.is_question
    assert [each.signal for each in first.deaths] == ["SIGKILL", "SIGKILL"]
    assert first.deaths[0].incarnation != first.deaths[1].incarnation
    assert first.size < 1000


def test_arguments_of_poison_can_be_seen(
    system: ActorSystem, fragile: ActorRef[Fragile]
) -> None:
    message = poison(system, fragile)

    seen = system.quarantine.inspect(message).result()

    assert seen == ((100,), {"text": "die"})
    assert system.quarantine.messages().result() == [message]


def test_poison_that_is_replayed_is_handled_as_a_tell(
    system: ActorSystem, fragile: ActorRef[Fragile], path: Path
) -> None:
    message = poison(system, fragile, times=2)

    system.quarantine.replay(message).result()

    wait_until(lambda: len(path.read_text().split()) == 3, "the message")
    assert fragile.ask(Fragile.note, "alive").result() == 4
    assert system.quarantine.messages().result() == []


def test_poison_that_is_replayed_in_vain_is_poison_again(
    system: ActorSystem, fragile: ActorRef[Fragile], path: Path
) -> None:
    message = poison(system, fragile)

    system.quarantine.replay(message).result()

    wait_until(lambda: system.quarantine.messages().result(), "the poison")
    again = system.quarantine.messages().result()[0]
    assert (again.method, again.is_question) == ("Fragile.die", False)
    assert len(again.deaths) == 2
    assert again.id != message.id
    assert path.read_text().split() == ["die"] * 4


def test_large_poison_is_replayed_with_its_payload(
    system: ActorSystem, fragile: ActorRef[Fragile], path: Path
) -> None:
    with pytest.raises(ActorCrashedError):
        fragile.ask(Fragile.weigh, 2, np.ones(200_000, np.uint8)).result()
    message = system.quarantine.messages().result()[0]
    assert message.size > 200_000
    with pytest.raises(ActorError, match="too many to be shown"):
        system.quarantine.inspect(message).result()

    system.quarantine.replay(message).result()

    wait_until(lambda: len(path.read_text().split()) == 3, "the message")
    fragile.ask(Fragile.note, "alive").result()
    assert payloads_of(system) == []


def test_poison_that_is_dropped_leaves_nothing(
    system: ActorSystem, fragile: ActorRef[Fragile]
) -> None:
    with pytest.raises(ActorCrashedError):
        fragile.ask(Fragile.weigh, 9, np.ones(200_000, np.uint8)).result()
    message = system.quarantine.messages().result()[0]
    assert len(payloads_of(system)) == 1

    system.quarantine.drop(message).result()

    assert payloads_of(system) == []
    assert system.quarantine.messages().result() == []


@pytest.mark.parametrize("operation", ["inspect", "replay", "drop"])
def test_poison_that_is_gone_is_said_to_be(
    system: ActorSystem, fragile: ActorRef[Fragile], operation: str
) -> None:
    message = poison(system, fragile)
    system.quarantine.drop(message).result()

    with pytest.raises(ActorError, match="not in quarantine any more"):
        getattr(system.quarantine, operation)(message).result()


def test_poison_of_an_actor_that_has_ended_cannot_be_replayed(
    system: ActorSystem, fragile: ActorRef[Fragile]
) -> None:
    message = poison(system, fragile)
    fragile.kill().result()

    with pytest.raises(ActorError, match="has ended for good"):
        system.quarantine.replay(message).result()

    assert system.quarantine.messages().result() == [message]


def test_what_is_no_poison_is_refused_at_the_call(system: ActorSystem) -> None:
    with pytest.raises(OptionError, match=r"message=3: one that messages\(\)"):
        system.quarantine.replay(3)  # type: ignore[arg-type]


def test_poison_that_is_lost_with_its_system_is_told_of(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ActorSystem("poisoned", drain=0) as system:
        options = system.options(on_crash=Redeliver(1), intensity=math.inf)
        fragile = options.spawn(Fragile, str(path)).result()
        poison(system, fragile)

    log = capfd.readouterr().err
    assert "quarantine_lost" in log
    assert "{'Fragile.die': 1}" in log
