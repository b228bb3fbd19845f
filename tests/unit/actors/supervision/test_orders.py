"""What travels between the root and a supervisor."""

from __future__ import annotations

import math
from typing import Any

import pytest

from actors.runtime.start import Arguments, Shared
from actors.supervision import orders
from actors.supervision.birth import AsActor, AsSupervisor, Birth

ARGUMENTS = Arguments(b"pickled \x00", is_private=True, places=[[-3, 8, "load"]])


@pytest.mark.parametrize(
    "birth",
    [
        Birth(7, 2, "Counter-7", "shop.1/7.2", 11, AsSupervisor(12)),
        Birth(7, 2, "ä-7", "shop.1/7.2", 11, AsActor("unix", 12, ARGUMENTS), 55),
        Birth(
            8,
            1,
            "worker",
            "m",
            11,
            AsActor("shm", 12, ARGUMENTS, shared=Shared(4, 13, 2)),
        ),
        Birth(
            1,
            1,
            "beating",
            "m",
            11,
            AsActor("shm", 12, ARGUMENTS, 0.5, {"nice": 3, "cpu_seconds": math.inf}),
            core_dump=True,
        ),
    ],
)
def test_birth_arrives_as_it_was_ordered(birth: Birth) -> None:
    is_actor = isinstance(birth.role, AsActor)
    inline = ARGUMENTS.data if is_actor else None
    kind, facts = orders.from_bytes(orders.of_birth(birth, inline))

    arrived = orders.to_birth(facts, [*birth.descriptors()])

    assert kind == "fork"
    assert arrived == birth
    assert not orders.lacks_arguments(facts)
    assert orders.count_descriptors(facts) == len([*birth.descriptors()])


def test_arguments_that_are_not_in_the_order_are_one_descriptor_more() -> None:
    birth = Birth(7, 2, "Counter-7", "m", 11, AsActor("shm", 12, ARGUMENTS))

    _, facts = orders.from_bytes(orders.of_birth(birth))

    assert orders.lacks_arguments(facts)
    assert orders.count_descriptors(facts) == 3


def test_birth_takes_the_descriptors_that_have_arrived() -> None:
    birth = Birth(7, 2, "Counter-7", "m", 11, AsSupervisor(12))
    _, facts = orders.from_bytes(orders.of_birth(birth))

    arrived = orders.to_birth(facts, [21, 22])

    assert list(arrived.descriptors()) == [21, 22]


@pytest.mark.parametrize("kind", orders.REPORTS)
def test_report_arrives_with_its_facts(kind: str) -> None:
    facts: dict[str, Any] = dict.fromkeys(orders.REPORTS[kind], 3)

    assert orders.from_bytes(orders.to_bytes(kind, **facts)) == (kind, facts)
