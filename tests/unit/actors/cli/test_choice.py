"""What a name on the command line means."""

from __future__ import annotations

import pytest

from actors.cli.choice import (
    NOT_FOUND,
    USAGE,
    CommandError,
    actor_of,
    short,
    split,
    system_of,
)
from actors.cli.snapshot import State
from tests.support.snapshots import a_system, an_actor

TWO_SHOPS = ["shop.1", "shop.2", "web.3"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("counter", (None, "counter")),
        ("shop/counter", ("shop", "counter")),
        ("shop.17/counter", ("shop.17", "counter")),
        ("/counter", ("", "counter")),
    ],
)
def test_an_actor_may_be_named_with_its_system(
    target: str, expected: tuple[str | None, str]
) -> None:
    assert split(target) == expected


def test_the_only_system_needs_no_name() -> None:
    assert system_of(["shop.1"], None) == "shop.1"


@pytest.mark.parametrize("wanted", ["web", "web.3"])
def test_a_system_is_found_with_and_without_its_number(wanted: str) -> None:
    assert system_of(TWO_SHOPS, wanted) == "web.3"


def test_short_names_keep_the_number_where_it_is_needed() -> None:
    assert short(TWO_SHOPS) == ["shop.1", "shop.2", "web"]


@pytest.mark.parametrize(
    ("names", "wanted", "status", "text"),
    [
        ([], None, NOT_FOUND, "no system runs for this user in this directory"),
        ([], "shop", NOT_FOUND, "no system 'shop' runs; running: none"),
        (["web.3"], "shop", NOT_FOUND, "no system 'shop' runs; running: web"),
        (["web.3"], "", NOT_FOUND, "no system '' runs; running: web"),
        (
            ["shop.1", "web.3"],
            None,
            USAGE,
            "several systems run: shop, web; name one, as in: actors ps shop",
        ),
        (
            TWO_SHOPS,
            "shop",
            USAGE,
            "several 'shop' run: shop.1, shop.2; name one, as in: actors ps shop.1",
        ),
    ],
)
def test_a_system_that_cannot_be_told_is_asked_for(
    names: list[str], wanted: str | None, status: int, text: str
) -> None:
    with pytest.raises(CommandError) as failure:
        system_of(names, wanted)

    assert (failure.value.status, failure.value.text) == (status, text)


def test_an_actor_is_found_by_its_name_and_by_its_number() -> None:
    first, second = an_actor("one", number=5), an_actor("5", number=6)
    system = a_system(first, second)

    assert actor_of(system, "one") is first
    assert actor_of(system, "5") is second
    assert actor_of(system, "6") is second


def test_an_actor_that_is_not_there_is_told_with_those_that_are() -> None:
    system = a_system(*(an_actor(f"w{number}", number=number) for number in range(12)))

    with pytest.raises(CommandError) as failure:
        actor_of(system, "x")

    assert failure.value.status == NOT_FOUND
    assert failure.value.text == (
        "no actor 'x' in the system shop; it has: w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, …"
    )


def test_two_actors_of_one_name_are_told_apart_by_their_numbers() -> None:
    system = a_system(an_actor("one", number=5), an_actor("one", number=8))

    with pytest.raises(CommandError) as failure:
        actor_of(system, "one")

    assert failure.value.status == USAGE
    assert failure.value.text == (
        "several actors are called 'one'; give the number of one instead: 5, 8"
    )
    assert actor_of(system, "8").number == 8


def test_an_actor_is_meant_before_the_mailbox_of_a_pool_of_its_name() -> None:
    actor = an_actor("resize", number=3)
    mailbox = an_actor("resize", number=2, state=State.SHARED)

    assert actor_of(a_system(mailbox, actor), "resize") is actor
    assert actor_of(a_system(mailbox, actor), "2") is mailbox
    assert actor_of(a_system(mailbox), "resize") is mailbox
