from __future__ import annotations

import collections
import threading
import types
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

from actors.wire import diagnosis
from tests.unit.actors.wire.conftest import Define

LOCK = threading.Lock()
REASON = "cannot pickle '_thread.lock' object"


class Slotted:
    __slots__ = ("__hidden", "empty", "open")

    def __init__(self, hidden: object = 0, open_: object = 0) -> None:
        self.__hidden = hidden
        self.open = open_


class Own(dict[str, object]):
    pass


def having(**attributes: object) -> types.SimpleNamespace:
    return types.SimpleNamespace(**attributes)


def refusal(part: object) -> Exception | None:
    try:
        cloudpickle.dumps(part)
    except Exception as exc:  # noqa: BLE001 - as the codec does
        return exc
    return None


def explain(obj: object) -> str:
    error = refusal(obj)
    assert error is not None
    return diagnosis.explain(obj, error, refusal)


def closure(value: object) -> Callable[[], object]:
    return lambda: value


def cycle() -> list[object]:
    outer: list[object] = [1]
    outer += [outer, {"self": outer, "lock": LOCK}]
    return outer


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        (((0, {"lock": having(owner=LOCK)}), {}), "args[1]['lock'].owner"),
        (((), {"key": [LOCK]}), "kwargs['key'][0]"),
        ((Slotted, (1,), {"key": LOCK}), "kwargs['key']"),
        (LOCK, "lock"),
        ([1, LOCK], "list[1]"),
        (collections.deque([LOCK]), "deque[0]"),
        (having(a=1, b=LOCK), "SimpleNamespace.b"),
        (Slotted(hidden=LOCK), "Slotted._Slotted__hidden"),
        (Slotted(open_=[LOCK]), "Slotted.open[0]"),
        (Own(key=LOCK), "Own['key']"),
        ({"x" * 100: LOCK}, f"dict['{'x' * 59}…]"),
        (ValueError("text", LOCK), "ValueError.args[1]"),
        (closure([LOCK]), "closure.<locals>.<lambda>.__closure__['value'][0]"),
        (cycle(), "list[2]['lock']"),
        ([[LOCK], LOCK], "list[0][0]"),
    ],
)
def test_path_leads_to_the_part_that_is_bad_by_itself(obj: object, path: str) -> None:
    assert explain(obj) == f"{path}: {REASON}"


@pytest.mark.parametrize("obj", [{LOCK}, {LOCK: 1}], ids=["set", "key"])
def test_part_without_a_place_is_shown(obj: object) -> None:
    kind = type(obj).__name__
    word = "item" if kind == "set" else "key"

    assert explain(obj) == f"{kind} {word} {LOCK!r}: {REASON}"


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("def X(): return lock", "X.__globals__['lock']"),
        ("def X():\n  def inner(): return lock", "X.__globals__['lock']"),
        ("def X(a=[lock]): pass", "X.__defaults__[0][0]"),
        ("def X(*, a=lock): pass", "X.__kwdefaults__['a']"),
        ("class X:\n  attribute = lock", "X.attribute"),
        ("class X:\n  def use(self): return lock", "X.use.__globals__['lock']"),
        ("class Base:\n  a = lock\nclass X(Base): pass", "X.Base.a"),
        ("class C:\n  a = lock\nX = [C()]", "list[0].__class__.a"),
        (
            """
class A:
  def b(self): return B
  a = lock
class B:
  def a(self): return A
X = B""",
            "B.a.__globals__['A'].a",
        ),
        (
            "class X:\n  def b(self): return B, lock\nclass B:\n  def x(self): return X",
            "X.b.__globals__['lock']",
        ),
    ],
)
def test_path_leads_through_code(define: Define, source: str, path: str) -> None:
    made = define(source, lock=LOCK).X

    assert explain(made) == f"{path}: {REASON}"


@pytest.mark.parametrize("method", ["__reduce__", "__reduce_ex__", "__getstate__"])
def test_object_that_refuses_is_quoted_whatever_is_in_it(method: str) -> None:
    def refuse(*_: object) -> None:
        msg = "await it"
        raise LookupError(msg)

    cls = type("Own", (), {method: refuse, "lock": LOCK})
    obj = cls()
    vars(obj)["lock"] = LOCK

    assert explain([obj]) == "list[0]: LookupError: await it"


def test_object_that_does_not_refuse_is_searched() -> None:
    class Own:
        def __init__(self) -> None:
            self.lock = LOCK

        def __reduce__(self) -> tuple[Any, ...]:
            return Own, (), vars(self)

    assert explain([Own()]) == f"list[0].lock: {REASON}"


class HostileError(Exception):
    def __str__(self) -> str:
        raise self


class Hostile:
    """Raises whatever is done to it."""

    def __getattribute__(self, name: str) -> object:
        raise HostileError

    def __repr__(self) -> str:
        raise HostileError

    def __reduce__(self) -> str:
        raise HostileError


@pytest.mark.parametrize(
    "wrap", [list, set, dict.fromkeys], ids=["list", "set", "dict"]
)
def test_hostile_object_does_not_break_the_search(wrap: Callable[[Any], Any]) -> None:
    assert "HostileError" in explain(wrap([Hostile()]))
    assert "HostileError" in explain(Hostile())


def test_search_is_bounded_in_number() -> None:
    tried = 0

    def count(_: object) -> None:
        nonlocal tried
        tried += 1

    found = diagnosis.explain([having() for _ in range(5_000)], TypeError("no"), count)

    assert found == "list: no"
    assert tried == diagnosis.MAX_TRIES


def test_search_is_bounded_in_depth() -> None:
    deep: Any = LOCK
    for _ in range(diagnosis.MAX_DEPTH + 10):
        deep = [deep]

    assert explain(deep) == f"list{'[0]' * (diagnosis.MAX_DEPTH + 1)}: {REASON}"


def test_plain_values_are_not_tried() -> None:
    obj = [1, "two", b"three", None, 4.0, LOCK]
    tried: list[object] = []

    def remember(part: object) -> Exception | None:
        tried.append(part)
        return refusal(part)

    diagnosis.explain(obj, TypeError(REASON), remember)

    assert tried[0] is LOCK
