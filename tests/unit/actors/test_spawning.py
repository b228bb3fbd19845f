"""Which classes and arguments may become an actor."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from actors import Actor, spawning

R = TypeVar("R")


class Shop(Actor):
    """Takes one argument, and one more by name."""

    def __init__(self, stock: int, *, open_at: int = 8) -> None:
        self.stock = stock


class Silent(Actor):
    """Has no constructor of its own."""


class Flexible(Actor):
    """Takes whatever it is given."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.given = args, kwargs


def adding(function: Callable[..., R]) -> Callable[..., R]:
    """Pass one more argument than was given."""

    @functools.wraps(function)
    def add(self: object, *args: object) -> R:
        return function(self, "added", *args)

    return add


class Decorated(Actor):
    """Its constructor takes fewer arguments than what it wraps."""

    @adding
    def __init__(self, added: str, given: str) -> None:
        self.both = added, given


class Veiled(type):
    """Does not say how its classes are called."""

    @property
    def __signature__(cls) -> object:
        msg = "not told"
        raise RuntimeError(msg)


class Secret(Actor, metaclass=Veiled):
    """Cannot be asked for its signature."""


@pytest.mark.parametrize(
    ("cls", "args", "kwargs"),
    [
        (Shop, (3,), {}),
        (Shop, (), {"stock": 3, "open_at": 9}),
        (Silent, (), {}),
        (Flexible, (1, 2), {"name": "x"}),
        (Decorated, ("given",), {}),
        (Secret, (1, 2, 3), {}),
    ],
)
def test_a_class_is_accepted_with_arguments_that_fit(
    cls: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert spawning.check(cls, args, kwargs) is cls


WRONG: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], str]] = {
    "Actor itself": (Actor, (), {}, "cls=Actor: derive a class of your own from it"),
    "object": (Shop(1), (), {}, "pass the class, and behind it the constructor's arguments: spawn(Shop, …)"),
    "another class": (int, (), {}, "cls=<class 'int'>: expected a subclass of actors.Actor"),
    "function": (adding, (), {}, "expected a subclass of actors.Actor"),
    "too few": (Shop, (), {}, "Shop() cannot be called like this: missing a required argument: 'stock'"),
    "too many": (Silent, (1,), {}, "Silent() cannot be called like this: too many positional arguments"),
    "unknown": (Shop, (1,), {"colour": 2}, "got an unexpected keyword argument 'colour'"),
    "option": (Shop, (1,), {"name": "x"}, "; options go first: system.options(name=…).spawn(Shop)"),
}  # fmt: skip


@pytest.mark.parametrize(("cls", "args", "kwargs", "text"), WRONG.values(), ids=WRONG)
def test_what_could_not_become_an_actor_is_refused_with_the_reason(
    cls: Any,  # noqa: ANN401 - the mistake
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    text: str,
) -> None:
    with pytest.raises(TypeError) as caught:
        spawning.check(cls, args, kwargs)

    assert text in str(caught.value)


def test_an_argument_that_is_wrong_for_itself_gets_no_advice_about_options() -> None:
    with pytest.raises(TypeError) as caught:
        spawning.check(Shop, (1,), {"colour": 2})

    assert "options" not in str(caught.value)


class Busy(Actor):
    """Wants several messages at once, and takes one after the other."""

    concurrency = 3

    def work(self) -> None:
        """Keeps the process."""


class Waiting(Busy):
    """Has a handler that waits."""

    @adding
    async def wait(self, added: str) -> None:
        """Lets others have their turn."""


class Quiet(Actor):
    """Has no handlers at all."""

    concurrency = 3


def test_a_class_whose_handlers_block_each_other_in_vain_is_warned_of() -> None:
    with pytest.warns(RuntimeWarning, match=r"^Busy\.concurrency=3: none of its hand"):
        spawning.check(Busy, (), {})


@pytest.mark.parametrize("cls", [Waiting, Quiet, Silent])
def test_a_class_that_may_profit_from_its_concurrency_is_not_warned_of(
    cls: type[Actor],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spawning.check(cls, (), {})
