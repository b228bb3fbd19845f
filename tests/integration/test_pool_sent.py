"""A pool in other processes than the one that made it: it takes messages there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorStoppedError, ActorSystem, Pool
from tests.support.gates import SECONDS, wait_until
from tests.support.pool_workers import Client, Hand


@pytest.fixture(scope="module")
def pool(system: ActorSystem) -> Iterator[Pool[Hand]]:
    made = system.options(size=2, name="sent").pool(Hand).result()
    yield made
    made.stop().result()


@pytest.fixture(scope="module")
def client(system: ActorSystem, pool: Pool[Hand]) -> ActorRef[Client]:
    return system.spawn(Client, pool).result().within(SECONDS)


def test_an_actor_asks_a_pool_that_it_was_given(client: ActorRef[Client]) -> None:
    assert client.ask(Client.ask, 21).result() == 42


def test_a_plain_handler_waits_for_it(client: ActorRef[Client]) -> None:
    assert client.ask(Client.block, 21).result() == 42


def test_an_actor_tells_it_something(client: ActorRef[Client], tmp_path: Path) -> None:
    told = tmp_path / "told"

    client.ask(Client.tell, str(told)).result()

    wait_until(told.exists, "somebody to have been told")


def test_an_actor_maps_over_it(client: ActorRef[Client]) -> None:
    assert client.ask(Client.map, 300).result() == [*range(0, 600, 2)]


def test_its_calls_are_tried_again_there(
    client: ActorRef[Client], tmp_path: Path
) -> None:
    assert client.ask(Client.ask_often, str(tmp_path / "tries")).result() == 3


def test_it_is_sent_on_in_messages(client: ActorRef[Client], pool: Pool[Hand]) -> None:
    assert client.ask(Client.pass_on, pool, 4).result() == 8


@pytest.mark.parametrize("use", ["stats", "drain", "stop", "resize", "broadcast"])
def test_the_rest_is_left_to_the_process_that_made_it(
    client: ActorRef[Client], use: str
) -> None:
    text = client.ask(Client.use, use).result()

    assert text.startswith("the pool sent was made by another process")


def test_it_ends_where_it_was_made(system: ActorSystem) -> None:
    pool = system.options(size=1).pool(Hand).result()
    client = system.spawn(Client, pool).result()
    pool.stop().result()

    with pytest.raises(ActorStoppedError):
        client.ask(Client.ask, 1).result()


def test_it_comes_back_as_one_that_takes_messages(client: ActorRef[Client]) -> None:
    again = client.ask(Client.give).result()

    assert again.ask(Hand.double, 3).result() == 6
    assert repr(again) == "<Pool sent of another process>"
