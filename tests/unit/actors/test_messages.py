"""What may be sent, and what is said of the rest."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from actors import Actor, messages
from actors.handlers import handler


class Base(Actor):
    """Has a message, and one of its own."""

    def greet(self) -> str:
        return "hello"

    def _note(self) -> None:
        """Its own."""


class Shop(Base):
    """Has everything a class can have."""

    stock = 3

    def sell(self, item: str) -> str:
        return item

    @handler(on_error="continue")
    async def order(self) -> None:
        """Async, and marked."""

    @functools.lru_cache  # noqa: B019 - only to have one
    def cached(self) -> None:
        """No plain function."""

    def _restock(self) -> None:
        """Private."""

    @staticmethod
    def rate() -> float:
        return 1.5

    @classmethod
    def make(cls) -> Shop:
        return cls()

    @property
    def price(self) -> int:
        return 3


class Silent(Actor):
    """Has no messages."""


@pytest.mark.parametrize("cls", [Shop, None], ids=["class", "unknown class"])
@pytest.mark.parametrize("method", [Shop.sell, Shop.order, Base.greet])
def test_a_public_method_is_sent_under_its_name(
    cls: type[Shop] | None, method: Callable[..., Any]
) -> None:
    assert messages.name_of(method, cls) == method.__name__


REFUSED: dict[str, tuple[object, str]] = {
    "its name": ("sell", "pass a method of the actor's class, such as Shop.sell, not 'sell'"),
    "something else": (None, "pass a method of the actor's class, such as Shop.greet, not None"),
    "bound": (Shop().sell, "pass the method of the class, such as Shop.sell, not a bound method"),
    "private": (Shop._restock, "Shop._restock is private, and no message: those are methods whose names do not begin with '_'"),
    "inherited and private": (Base._note, "Base._note is private, and no message: those are methods whose names do not begin with '_'"),
    "static": (Shop.rate, "Shop.rate is a static method, and no message: those need self, the actor"),
    "class method": (Shop.make, "Shop.make is a class method, and no message: those need self, the actor"),
    "property": (Shop.price, "a property is no message: write a method that returns the same, and ask for it"),
    "the actor's own": (Shop.after, "Shop.after is for the actor itself, and no message"),
    "of a class that has none such": (handler, "Shop has no handler 'handler'; it has: greet, order, sell"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_message_is_refused_with_the_reason(
    method: object, text: str
) -> None:
    with pytest.raises(TypeError) as caught:
        messages.name_of(method, Shop)

    assert str(caught.value) == text


@pytest.mark.parametrize("cls", [None, Silent], ids=["unknown class", "no messages"])
def test_without_a_message_to_name_the_example_is_a_general_one(
    cls: type[Silent] | None,
) -> None:
    with pytest.raises(TypeError, match=r"such as TheClass\.method, not 3"):
        messages.name_of(3, cls)


ATTRIBUTES = {
    "sell": "write ref.ask(Shop.sell, …) or ref.tell(Shop.sell, …)",
    "stock": "a ref has no 'stock', and Shop has no such message; it has: greet, order, sell. "
    "An actor's attributes stay in its process: write a method that returns what you need, and ask for it",
    "_restock": "a ref has no '_restock', and Shop has no such message",
    "log": "a ref has no 'log': that is for the actor itself, as self.log",
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_that_a_ref_lacks_is_explained(name: str) -> None:
    assert ATTRIBUTES[name] in messages.no_attribute(Shop, name)


def test_a_ref_that_knows_no_class_says_how_to_ask() -> None:
    text = messages.no_attribute(None, "sell")

    assert text.endswith(
        "write ref.ask(TheClass.sell, …) or ref.tell(TheClass.sell, …)"
    )


def test_a_deadline_passed_as_argument_is_told_from_other_arguments() -> None:
    hint = "; a deadline is set by ref.within(seconds).ask(…)"
    error = TypeError("sell() got an unexpected keyword argument 'timeout'")
    other = TypeError("sell() got an unexpected keyword argument 'item'")

    assert messages.why_unfit("Shop", error) == f"Shop: {error}{hint}"
    assert messages.why_unfit("Shop", other) == f"Shop: {other}"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [("__main__.KV", "shop.KV"), ("shop.KV", "__main__.KV")],
)
def test_a_class_of_main_that_is_looked_for_from_another_program_gets_advice(
    found: str, wanted: str
) -> None:
    text = messages.wrong_class(found, wanted)

    assert text.startswith(f"the actor is a {found}, not a {wanted}; ")
    assert "let both import KV from a module" in text


@pytest.mark.parametrize(
    ("found", "wanted"), [("__main__.KV", "shop.Cart"), ("shop.KV", "cart.KV")]
)
def test_another_class_is_named_with_its_module(found: str, wanted: str) -> None:
    text = messages.wrong_class(found, wanted)

    assert text == f"the actor is a {found}, not a {wanted}"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("assignment destination is read-only"),
        TypeError("cannot modify read-only memory"),
    ],
    ids=repr,
)
def test_an_error_of_writing_to_a_buffer_that_came_says_how_to_write_to_it(
    error: Exception,
) -> None:
    text = messages.why_read_only("Shop", error)

    assert text is not None
    assert "Shop.writable_buffers = True" in text


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        ValueError(3),
        ValueError("no"),
        OSError(30, "read-only"),
        OSError(),
    ],
    ids=repr,
)
def test_another_error_gets_no_advice_about_buffers(error: Exception) -> None:
    assert messages.why_read_only("Shop", error) is None
