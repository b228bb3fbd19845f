from __future__ import annotations

import sys
from types import CodeType

import pytest

from actors.supervision._heap import immortalize

has_immortals = pytest.mark.skipif(
    not (3, 12) <= sys.version_info < (3, 14),
    reason="counts of these interpreters are not touched",
)


@has_immortals
def test_references_to_what_can_be_reached_are_not_counted_any_more() -> None:
    inner = ["inner"]
    graph = [{"key": (inner, 1.25)}]

    immortalize([graph])

    before = sys.getrefcount(inner)
    more = [inner] * 100
    assert sys.getrefcount(inner) == before
    assert more[0] is inner


@has_immortals
def test_code_hands_immortality_on_to_its_constants() -> None:
    code = compile("def scale(x): return x * 12345.5", "<test>", "exec")

    immortalize([code])

    function = next(part for part in code.co_consts if isinstance(part, CodeType))
    factor = next(part for part in function.co_consts if isinstance(part, float))
    before = sys.getrefcount(factor)
    more = [factor] * 100
    assert sys.getrefcount(factor) == before
    assert more[0] is factor


@has_immortals
def test_nothing_is_entered_twice_and_circles_come_to_an_end() -> None:
    circle: list[object] = []
    circle.append(circle)

    assert immortalize([circle, circle]) == 1
    assert immortalize([circle]) == 0


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there are immortals")
def test_an_interpreter_without_immortals_goes_on_counting() -> None:
    graph = [["inner"]]

    assert immortalize([graph]) == 0

    before = sys.getrefcount(graph)
    more = [graph]
    assert sys.getrefcount(graph) == before + 1
    assert more


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a list"):
        immortalize(())  # type: ignore[arg-type]
