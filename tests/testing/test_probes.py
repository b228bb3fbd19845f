"""Probes stand in for other actors; the fixtures of the plugin run the systems that they live in."""

from __future__ import annotations

import pytest

from actors import ActorRef, ActorStoppedError, ActorSystem, UnhandledMessageError
from actors.testing import DeadLetters, Probe, eventually
from tests.support.actors_under_test import Counter
from tests.support.plugin import needs_plugin
from tests.support.stand_ins import Clerk, Shelf, Till

pytestmark = needs_plugin


@pytest.fixture
def shelf(system: ActorSystem) -> Probe[Shelf]:
    return Probe.spawn(system, Shelf).result()


@pytest.fixture
def till(system: ActorSystem) -> Probe[Till]:
    return Probe.spawn(system, Till).result()


async def test_a_probe_stands_in_for_a_protocol(
    system: ActorSystem, shelf: Probe[Shelf]
) -> None:
    clerk = await system.spawn(Clerk, shelf.ref)
    await shelf.answer(Shelf.count, 3)

    missing = await clerk.ask(Clerk.refill, "tea", 10)

    assert missing == 7
    await shelf.expect(Shelf.count, "tea")
    await shelf.expect(Shelf.put, "tea", 7)


def test_a_probe_stands_in_for_an_actor_whose_hooks_then_do_not_run(
    till: Probe[Till],
) -> None:
    till.ref.tell(Till.pay, 5)

    message = till.next().result()

    assert (message.method, message.args, message.kwargs) == ("pay", (5,), {})


def test_a_probe_is_found_by_the_name_of_the_real_one(system: ActorSystem) -> None:
    Probe.spawn(system, Till, name="till").result()

    ref = system.lookup("till", Till).result()

    assert ref.ask(Till.pay, 1).result() is None


def test_expect_compares_arguments_as_the_method_sees_them(till: Probe[Till]) -> None:
    till.ref.tell(Till.pay, 5)
    till.ref.tell(Till.pay, currency="EUR", amount=6)

    till.expect(Till.pay, amount=5, currency="EUR").result()
    till.expect(Till.pay, 6).result()


def test_expect_fails_and_says_what_came_instead(till: Probe[Till]) -> None:
    till.ref.tell(Till.pay, 5, currency="USD")

    with pytest.raises(
        AssertionError, match=r"expected pay\(5\), got pay\(5, currency='USD'\)"
    ):
        till.expect(Till.pay, 5).result()


def test_expect_fails_when_nothing_comes_in_time(till: Probe[Till]) -> None:
    with pytest.raises(AssertionError, match=r"pay\(5\), got nothing within 0.02 s"):
        till.within(0.02).expect(Till.pay, 5).result()


def test_an_expectation_that_failed_takes_no_message_away(till: Probe[Till]) -> None:
    with pytest.raises(AssertionError):
        till.within(0.02).next().result()

    till.ref.tell(Till.pay, 5)

    till.expect(Till.pay, 5).result()


def test_rest_takes_what_was_not_expected_one_by_one(till: Probe[Till]) -> None:
    for amount in range(4):
        till.ref.tell(Till.pay, amount)
    till.expect(Till.pay, 0).result()

    assert [message.args for message in till.rest().result()] == [(1,), (2,), (3,)]
    assert till.rest().result() == []


def test_a_probe_raises_what_it_was_told_to(till: Probe[Till]) -> None:
    till.fail(Till.pay, PermissionError("closed")).result()

    with pytest.raises(PermissionError, match="closed"):
        till.ref.ask(Till.pay, 1).result()


def test_a_message_that_does_not_fit_is_refused_and_ends_the_probe_if_nobody_asked(
    till: Probe[Till], dead_letters: DeadLetters
) -> None:
    with pytest.raises(UnhandledMessageError, match=r"Till\.pay"):
        till.ref.ask(Till.pay).result()  # type: ignore[call-overload]

    till.ref.tell(Till.pay, 1, 2, 3)  # type: ignore[call-arg,arg-type]

    dead_letters.expect(Till.pay, ref=till.ref, cause="crashed").result()
    with pytest.raises(ActorStoppedError):
        till.next().result()


def test_a_probe_of_something_that_is_no_class_is_refused(system: ActorSystem) -> None:
    with pytest.raises(TypeError, match="interface=5"):
        Probe.spawn(system, 5)  # type: ignore[arg-type]


@pytest.mark.actor_system(transport="unix", name="on-unix")
def test_the_marker_makes_the_system(system: ActorSystem, till: Probe[Till]) -> None:
    till.ref.tell(Till.pay, 5)

    assert repr(system) == "<ActorSystem on-unix open>"
    till.expect(Till.pay, 5).result()


async def test_a_dead_letter_that_is_expected_fails_no_test(
    system: ActorSystem, dead_letters: DeadLetters
) -> None:
    counter: ActorRef[Counter] = await system.spawn(Counter)
    await counter.stop()
    await counter.ended()

    counter.tell(Counter.add, 1)

    letter = await dead_letters.expect(Counter.add, ref=counter, cause="stopped")
    assert letter.actor == counter.name


def test_a_dead_letter_that_does_not_come_fails_and_names_the_others(
    system: ActorSystem, dead_letters: DeadLetters
) -> None:
    counter = system.spawn(Counter).result()
    counter.kill().result()
    counter.tell(Counter.add, 1)

    with pytest.raises(
        AssertionError,
        match=r"a dead letter \(crashed\) within 0.3 s; .*Counter.add to Counter",
    ):
        dead_letters.expect(cause="crashed", within=0.3).result()

    dead_letters.expect(Counter.add).result()


def test_eventually_asks_an_actor_again_and_again(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()

    total = eventually(lambda: counter.ask(Counter.add, 1)).result()

    assert total == 1
