"""Actors that wait for each other in a circle: an error at once where that is certain, and no alarm where it is not so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, AskTimeoutError, DeadlockError
from tests.support.asking_actors import Node, Wide
from tests.support.gates import SECONDS, wait_until
from tests.support.inside import transport_of

pytestmark = pytest.mark.parametrize(
    "system", ["shm", "unix"], indirect=True, scope="module"
)
SHORT = 0.2


@pytest.fixture
def spawn(system: ActorSystem) -> Callable[..., list[ActorRef[Node]]]:
    """Return a function that makes actors with a deadline that no test waits for."""

    def make(count: int, cls: type[Node] = Node) -> list[ActorRef[Node]]:
        pendings = [system.spawn(cls) for _ in range(count)]
        return [pending.result().within(SECONDS) for pending in pendings]

    return make


@pytest.mark.parametrize("length", [1, 2, 3, 5])
@pytest.mark.parametrize("walk", [Node.walk, Node.walk_plain], ids=["await", "result"])
def test_a_cycle_fails_at_once_and_names_its_members(
    spawn: Callable[..., list[ActorRef[Node]]],
    length: int,
    walk: Callable[[Node, list[ActorRef[Node]]], list[str]],
) -> None:
    nodes = spawn(length)

    with pytest.raises(DeadlockError) as caught:
        nodes[0].ask(walk, [*nodes[1:], nodes[0]]).result()

    # It begins at whoever came to wait last.
    members = [f"{node.name} (in Node.{walk.__name__})" for node in nodes]
    first = members.index(caught.value.cycle[0])
    assert list(caught.value.cycle) == members[first:] + members[:first]
    assert caught.value.name == nodes[(first + 1) % length].name
    assert str(caught.value).endswith(f"waits for {members[first]}")
    assert [node.ask(Node.hello).result() for node in nodes] == [1] * length


def test_a_tail_that_leads_into_a_cycle_gets_the_error_of_the_cycle(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    tail, *nodes = spawn(4)

    with pytest.raises(DeadlockError) as caught:
        tail.ask(Node.walk, [*nodes, nodes[0]]).result()

    assert len(caught.value.cycle) == 3


def test_a_cycle_with_several_messages_in_hand_elsewhere_is_found(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    (narrow,) = spawn(1)
    (wide,) = spawn(1, Wide)

    with pytest.raises(DeadlockError) as caught:
        narrow.ask(Node.walk, [wide, narrow]).result()

    assert len(caught.value.cycle) == 2


def test_a_timer_s_handler_is_part_of_a_cycle(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    one, other = spawn(2)

    one.ask(Node.walk_in_timer, [other, one]).result()
    wait_until(lambda: one.ask(Node.last_result).result(), "the timer")

    text = one.ask(Node.last_result).result()
    assert isinstance(text, str)
    assert f"{one.name} (in a timer)" in text


def test_two_that_ask_each_other_independently(
    system: ActorSystem,
    spawn: Callable[..., list[ActorRef[Node]]],
    tmp_path: Path,
) -> None:
    """No message leads from one to the other, but a mailbox that can be read shows what waits in it."""
    one, other = spawn(2)
    files = [str(tmp_path / name) for name in "ab"]
    is_visible = transport_of(system) == "shm"

    asks = [
        one.ask(Node.cross, other.within(SECONDS if is_visible else 1), *files),
        other.ask(Node.cross, one, *files[::-1]),
    ]

    errors = []
    for ask in asks:
        try:
            assert ask.result() == 1
        except (AskTimeoutError, DeadlockError) as exc:
            errors.append(exc)
    assert errors
    if is_visible:
        assert all(isinstance(error, DeadlockError) for error in errors)
    else:
        assert f"waiting for an ask to {one.name}" in str(errors[0])


# No alarm.


def test_an_actor_that_handles_two_messages_can_be_asked_back(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    (wide,) = spawn(1, Wide)
    (narrow,) = spawn(1)

    names = wide.ask(Node.walk, [narrow, wide]).result()

    assert names == [wide.name, narrow.name, wide.name]


def test_an_ask_back_that_nobody_awaits_is_answered_later(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    one, other = spawn(2)

    one.ask(Node.ask_only, one).result()
    other.ask(Node.ask_only, one).result()

    assert one.ask(Node.hello).result() == 3


def test_a_tell_in_the_chain_waits_for_nobody(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    one, other = spawn(2)

    one.ask(Node.tell_on, [other, one]).result()
    wait_until(lambda: other.ask(Node.last_result).result(), "the walk")

    assert other.ask(Node.last_result).result() == [other.name, one.name]


def test_a_background_task_leaves_its_actor_free_to_answer(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    one, other = spawn(2)

    one.ask(Node.walk_in_background, [other, one]).result()
    wait_until(lambda: one.ask(Node.last_result).result(), "the walk")

    assert one.ask(Node.last_result).result() == [one.name, other.name, one.name]


def test_a_result_that_is_not_waited_for_to_the_end_is_no_deadlock(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    one, other = spawn(2)

    assert one.ask(Node.give_up, [other, one], 0.05).result() == "gave up"

    assert other.ask(Node.hello).result() == 1


def test_where_it_is_not_certain_the_timeout_names_the_cycle(
    spawn: Callable[..., list[ActorRef[Node]]],
) -> None:
    """A handler that gathers may wait for something else as well."""
    one, other = spawn(2)

    with pytest.raises(AskTimeoutError) as caught:
        one.ask(Node.gather, [other, one.within(SHORT)]).result()

    text = str(caught.value)
    assert f"in Node.gather, waiting for an ask to {other.name} since" in text
    assert f"which is waiting for an ask to {one.name} since" in text
