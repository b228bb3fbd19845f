"""What an actor class may look like, and what its timers and signals take."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from actors import Actor, handler
from actors.context import install

Call = tuple[str, tuple[Any, ...]]


class Context:
    """Keeps what an actor wants to be called later."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def after(
        self, _delay: float, method: str, args: tuple[Any, ...], _kwargs: object
    ) -> None:
        self.calls.append((method, args))

    every = after

    def on_signal(self, _signum: int, method: str) -> None:
        self.calls.append((method, ()))


def adding(function: Callable[..., None]) -> Callable[..., None]:
    """Pass one more argument than was given."""

    @functools.wraps(function)
    def add(self: object, *args: object) -> None:
        function(self, "added", *args)

    return add


class Clock(Actor):
    """Has ticks with and without arguments."""

    def alarm(self, text: str) -> None:
        """Takes one."""

    def tick(self) -> None:
        """Takes none."""

    @adding
    def ring(self, added: str, given: str) -> None:
        """Takes fewer than what is wrapped."""


class LoudClock(Clock):
    """Takes more in one of them."""

    def tick(self, volume: int = 3) -> None:
        """Takes one, if it is given."""


class Stranger(Actor):
    """Has a method that clocks have not."""

    def greet(self) -> None:
        """Not theirs."""


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    install(cast("Any", made))
    yield made
    install(None)


def test_a_timer_calls_a_method_by_name_with_its_arguments(context: Context) -> None:
    clock = LoudClock()

    clock.after(1, LoudClock.alarm, "up")
    clock.every(1, Clock.ring, "bell")
    clock.after(1, LoudClock.tick, 5)
    clock.on_signal(signal.SIGUSR1, Clock.tick)

    assert context.calls == [
        ("alarm", ("up",)),
        ("ring", ("bell",)),
        ("tick", (5,)),
        ("tick", ()),
    ]


WRONG: dict[str, tuple[object, tuple[Any, ...], str]] = {
    "its name": ("tick", (), "pass a method of the class, such as Clock.tick, not 'tick'"),
    "bound": (Clock().tick, (), "pass a method of the class, such as Clock.tick, not a bound method"),
    "of another class": (Stranger.greet, (), "pass a method of the class, such as Clock.alarm, not <function Stranger.greet"),
    "lambda": (lambda _: None, (), "pass a method of the class, such as Clock.alarm, not <function <lambda>"),
    "too many": (Clock.tick, (1,), "Clock.tick cannot be called like this: too many positional arguments"),
    "too few": (Clock.alarm, (), "Clock.alarm cannot be called like this: missing a required argument: 'text'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["after", "every"])
@pytest.mark.parametrize(("method", "args", "text"), WRONG.values(), ids=WRONG)
def test_a_timer_refuses_what_it_could_not_call(
    context: Context, name: str, method: object, args: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(Clock(), name)(1, method, *args)

    assert str(caught.value).startswith(text)
    assert context.calls == []


def test_a_signal_handler_that_needs_an_argument_is_refused(context: Context) -> None:
    with pytest.raises(TypeError, match=r"Clock\.alarm has to take no arguments: "):
        Clock().on_signal(signal.SIGUSR1, Clock.alarm)  # type: ignore[arg-type]  # the mistake

    assert context.calls == []


@pytest.mark.parametrize("name", ["watch", "link"])
def test_a_method_that_cannot_hear_of_another_is_refused_with_what_it_has_to_take(
    context: Context, name: str
) -> None:
    with pytest.raises(TypeError, match=r"Clock\.tick has to take one argument: "):
        getattr(Clock(), name)(None, Clock.tick)

    assert context.calls == []


def test_a_constructor_that_is_async_is_refused_with_the_place_for_it() -> None:
    async def init(_self: object) -> None:
        """Would never run."""

    with pytest.raises(TypeError, match=r"Late\.__init__ cannot be async.*on_start"):
        type("Late", (Actor,), {"__init__": init})


def _too_few(self: object) -> None:
    """Take no reason."""


def _too_many(self: object, path: str) -> None:
    """Take what nobody gives."""


@pytest.mark.parametrize(
    ("name", "hook", "text"),
    [
        ("on_stop", _too_few, r"with \(self, the reason\), as it will be: too many"),
        ("on_start", _too_many, r"with \(self\), as it will be: missing a .* 'path'"),
    ],
    ids=["on_stop", "on_start"],
)
def test_a_hook_that_cannot_be_called_is_refused_when_its_class_is_made(
    name: str, hook: Callable[..., None], text: str
) -> None:
    """It was noticed when the actor stopped, as a failure of the stop."""
    with pytest.raises(TypeError, match=rf"Hooked\.{name} cannot be called {text}"):
        type("Hooked", (Actor,), {name: hook})


def test_a_handler_is_not_decorated_without_settings() -> None:
    with pytest.raises(TypeError, match=r"write @handler\(on_error=…\)"):
        handler(_too_few)  # type: ignore[arg-type]  # the mistake
