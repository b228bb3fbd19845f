"""Specifications: what is accepted, and refs of actors to be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Actor, ActorError, ActorRef, NotSerializableError, OptionError
from actors.sibling import SiblingRef, packing, unpacking
from actors.supervision.spec import ChildSpec, options
from actors.wire.code import CodeStore
from actors.wire.codec import Codec


class Load(Actor):
    """Takes an address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self) -> int:
        return 1


class Clean(Actor):
    """Takes what comes from another."""

    def __init__(self, load: ActorRef[Load], *, limit: int = 0) -> None:
        self.load = load
        self.limit = limit


@pytest.fixture
def codec(tmp_path: Path) -> Iterator[Codec]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield Codec(CodeStore(fd))
    os.close(fd)


def load(
    name: str = "load",
    **settings: Any,  # noqa: ANN401 - as in ChildOptions
) -> ChildSpec[Load]:
    return options(name=name, **settings).child(Load, "db:")


def place_of(spec: ChildSpec[Any]) -> int:
    assert isinstance(spec.ref, SiblingRef)
    return spec.ref.place


def test_child_keeps_what_it_is_made_of() -> None:
    first = load()

    clean = options(id="clean", restart="transient").child(Clean, first.ref, limit=3)

    assert (clean.cls, clean.args, clean.kwargs) == (Clean, (first.ref,), {"limit": 3})
    assert clean.settings.restart == "transient"


def test_supervisor_waits_for_its_own_children_unless_said_otherwise() -> None:
    tree = options(name="etl", strategy="rest_for_one", intensity=1).supervisor(load())

    assert tree.settings.shutdown == float("inf")
    assert tree.settings.heartbeat is not None
    assert (tree.options.strategy, tree.options.intensity) == ("rest_for_one", 1)


def test_supervisor_may_be_told_how_long_it_may_take() -> None:
    assert (
        options(id="x", shutdown=3, heartbeat=None).supervisor().settings.shutdown == 3
    )


def test_walk_goes_through_a_tree_in_start_order() -> None:
    a, b, c = load("a"), load("b"), load("c")
    inner = options(name="inner").supervisor(a, b)

    tree = options(name="outer").supervisor(inner, c)

    assert list(tree.walk()) == [inner, a, b, c]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"restarts": 3},
            "restarts=3: no such option; did you mean restart? There are auto_shutdown",
        ),
        ({"intensity": -3}, "intensity=-3: a whole number of restarts"),
        ({"significant": True}, "significant=True: only of a transient"),
        ({"concurrency": 3}, "concurrency=3: no option, but an attribute of"),
    ],
    ids=str,
)
def test_options_refuse_at_once(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError) as caught:
        options(**settings)

    assert str(caught.value).startswith(text)


def test_child_refuses_what_is_for_supervisors_only() -> None:
    with pytest.raises(OptionError, match="strategy='pool': an option of supervisors"):
        options(name="x", strategy="pool").child(Load, "db:")


def test_supervisor_refuses_what_is_for_actors_only() -> None:
    with pytest.raises(OptionError, match="transport='shm': an option of actors"):
        options(name="x", transport="shm").supervisor()


@pytest.mark.parametrize("make", ["child", "supervisor"])
def test_child_without_id_and_name_is_refused(make: str) -> None:
    maker = options(restart="transient")

    with pytest.raises(OptionError, match="a child needs an id or a name"):
        maker.child(Load, "db:") if make == "child" else maker.supervisor()


def test_child_refuses_arguments_that_do_not_fit() -> None:
    with pytest.raises(TypeError, match=r"Load\(\) cannot be called like this"):
        options(name="load").child(Load)  # type: ignore[call-arg]


def test_supervisor_refuses_two_children_of_one_id() -> None:
    with pytest.raises(OptionError, match="id='load': 2 children have it"):
        options(name="etl").supervisor(load(), load())


def test_supervisors_may_have_children_of_the_same_id() -> None:
    inner = [
        options(id=name).supervisor(options(id="load").child(Load, "db:"))
        for name in "ab"
    ]

    assert len(list(options(id="x").supervisor(*inner).walk())) == 4


def test_tree_refuses_one_name_for_two() -> None:
    inner = options(id="inner").supervisor(load())

    with pytest.raises(OptionError, match="name='load': 2 children have it"):
        options(id="outer").supervisor(inner, load())


def test_tree_refuses_one_specification_in_two_places() -> None:
    only = options(id="load").child(Load, "db:")

    with pytest.raises(OptionError, match="one place in a tree"):
        options(id="outer").supervisor(options(id="inner").supervisor(only), only)


def test_significant_child_needs_a_supervisor_that_heeds_it() -> None:
    child = load(significant=True, restart="transient")

    with pytest.raises(OptionError, match="only under a supervisor with auto_shutdown"):
        options(name="etl").supervisor(child)

    heeding = options(name="etl", auto_shutdown="any_significant").supervisor(child)
    assert heeding.children == (child,)


def test_pool_refuses_children_of_its_own() -> None:
    with pytest.raises(OptionError, match="a pool starts without children"):
        options(name="etl", strategy="pool").supervisor(load())


def test_supervisor_refuses_a_class_in_the_place_of_a_child() -> None:
    with pytest.raises(TypeError, match=r"options\(name=…\).child\(Load, …\)"):
        options(name="etl").supervisor(Load)  # type: ignore[arg-type]


# Refs of actors to be.


def sent(codec: Codec, obj: object, actors: dict[int, ActorRef[Any]]) -> object:
    with packing(actors.keys()):
        data = codec.dumps(obj)
    with unpacking(actors):
        return codec.loads(data)


def test_ref_of_a_child_becomes_that_of_the_actor_where_it_has_its_place(
    codec: Codec,
) -> None:
    spec = load()
    actor = ActorRef[Load](None, "/there", 17, "load")

    received = sent(codec, [spec.ref, spec.ref], {place_of(spec): actor})

    assert received == [actor, actor]


def test_ref_of_a_child_keeps_its_deadline(codec: Codec) -> None:
    spec = load()
    actor = ActorRef[Load](None, "/there", 17, "load")

    received = sent(codec, spec.ref.within(77), {place_of(spec): actor})

    assert isinstance(received, ActorRef)
    assert received.__reduce__()[1][-1] == 77


def test_one_specification_can_have_a_place_in_two_trees(codec: Codec) -> None:
    spec = load()
    refs = [ActorRef[Load](None, "/there", number, "load") for number in (17, 18)]

    found = [sent(codec, spec.ref, {place_of(spec): ref}) for ref in refs]

    assert found == refs


def test_packing_tells_whose_refs_it_has_met(codec: Codec) -> None:
    met, other = load(), load()

    with packing({place_of(met), place_of(other)}) as places:
        codec.dumps([met.ref, "text"])

    assert places == {place_of(met)}


def test_ref_of_a_child_of_another_tree_cannot_travel(codec: Codec) -> None:
    with pytest.raises(NotSerializableError, match=r"ActorRef load.*no place in this"):
        codec.dumps(load().ref)


def test_ref_of_a_child_takes_no_message() -> None:
    ref = load().ref

    for send in (lambda: ref.ask(Load.rows), lambda: ref.tell(Load.rows), ref.stop):
        with pytest.raises(ActorError, match="no supervisor has started it"):
            send()


def test_refs_of_children_differ_and_hash() -> None:
    a, b = load(), load()

    assert a.ref != b.ref
    assert len({a.ref, a.ref.within(3), b.ref}) == 2
