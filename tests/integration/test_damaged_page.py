"""A status page that somebody has scribbled on: its actor may be ended for it, and nobody else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors import Actor, ActorSystem, Event, Pending, Pool
from actors.errors import ActorError
from actors.runtime import status
from tests.support.actors_under_test import Counter, Proxy
from tests.support.damage import scribble
from tests.support.gates import SECONDS, wait_until

NextEvent = Callable[[str, str], Event]
MOST = {"the words": 512, "all of it": None}


class Asker(Actor):
    """Asks a pool."""

    def __init__(self, pool: Pool[Counter]) -> None:
        self.pool = pool

    async def ask(self, amount: int) -> int:
        return await self.pool.ask(Counter.add, amount)


def is_answered(ask: Callable[[], Pending[int]]) -> bool:
    try:
        return ask().result() > 0
    except ActorError:
        return False


@pytest.mark.parametrize("part", MOST)
@pytest.mark.parametrize("seed", range(6))
def test_damage_to_a_page_is_its_own_actor_s_only(
    system: ActorSystem, seed: int, part: str
) -> None:
    patient = system.options(intensity=10**6)
    victim = patient.spawn(Counter).result().within(SECONDS)
    other = patient.spawn(Proxy, victim).result().within(SECONDS)
    assert victim.ask(Counter.add, 1).result() == 1

    scribble(system, status.file_name(victim._number), seed, MOST[part])

    # One that knows the page, and one that opens it now.
    wait_until(lambda: is_answered(lambda: victim.ask(Counter.add, 1)), "an answer")
    wait_until(lambda: is_answered(lambda: other.ask(Proxy.add_async, 1)), "another")
    for ref in (other, victim):
        ref.kill().result(SECONDS)
    with pytest.raises(ActorError):
        victim.ask(Counter.add, 1).result()


def number_of_shared(system: ActorSystem) -> int:
    """Return the number of the mailbox that several take from."""
    directory = system._opened().directory
    for path in directory.path.glob("*.status"):
        page = status.StatusPage.open(directory.fd, int(path.stem))
        is_shared = bool(page.scheme) and not page.slot_count
        page.close()
        if is_shared:
            return int(path.stem)
    raise LookupError


@pytest.mark.parametrize("part", MOST)
@pytest.mark.parametrize("seed", range(3))
def test_damage_to_the_page_of_a_pool_is_mended(
    system: ActorSystem, seed: int, part: str
) -> None:
    pool = system.options(size=2).pool(Counter).result()
    other = system.spawn(Asker, pool).result().within(SECONDS)
    pool.ask(Counter.add, 1).result(SECONDS)
    name = status.file_name(number_of_shared(system))

    scribble(system, name, seed, MOST[part])

    wait_until(lambda: is_answered(lambda: other.ask(Asker.ask, 1)), "an answer")
    wait_until(lambda: is_answered(lambda: pool.ask(Counter.add, 1)), "another")
    other.kill().result(SECONDS)
    pool.stop().result(SECONDS)


def test_actor_whose_page_is_damaged_ends_as_one_that_has_lost_control(
    system: ActorSystem, next_event: NextEvent
) -> None:
    victim = system.spawn(Counter).result().within(SECONDS)
    other = system.spawn(Proxy, victim).result().within(SECONDS)

    scribble(system, status.file_name(victim._number), 1, MOST["the words"])
    wait_until(lambda: is_answered(lambda: other.ask(Proxy.add_async, 1)), "an answer")

    reason = next_event("child_exit", victim.name).reason
    assert reason is not None
    assert reason.kind == "control_lost"
    assert str(reason).startswith("its status page was damaged")
    for ref in (other, victim):
        ref.kill().result(SECONDS)
