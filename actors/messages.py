"""Which method a message names, and what to tell a program that passes something else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from actors.actor import handler_names, is_own_of_actor

# What was found to be a message of a class (None: a ref that came in a message knows none), with the name it is sent under.
# Classes made for ever must not pile up here, hence the bound.
known: dict[tuple[type | None, Callable[..., Any]], bytes] = {}
_MAX_KNOWN = 10_000


def message_name(
    cls: type[Any] | None, method: Callable[..., Any], who: object
) -> bytes:
    """Return the name under which *method* is sent to an actor of class *cls*, which *who* stands for; it is looked at once.

    Raises:
        TypeError: It is not a public method of the class.
    """
    if (name := known.get((cls, method))) is not None:
        return name
    try:
        name = name_of(method, cls).encode()
    except TypeError as exc:
        msg = f"{who!r}: {exc}"
        raise TypeError(msg) from None
    if len(known) >= _MAX_KNOWN:
        known.clear()
    known[cls, method] = name
    return name


def name_of(method: object, cls: type[Any] | None) -> str:
    """Return the name under which *method* is sent to an actor.

    Args:
        method: What was passed to ``ask`` or ``tell``.
        cls: The actor's class; None where it is not known.

    Raises:
        TypeError: It is not a public method of the class.
    """
    if not inspect.isfunction(method) or method.__name__ == "<lambda>":
        raise TypeError(_why_not(method, cls))
    name: str = method.__name__
    if name.startswith("_"):
        msg = f"{method.__qualname__} is private, and no message: those are methods whose names do not begin with '_'"
        raise TypeError(msg)
    if cls is not None and name not in handler_names(cls):
        raise TypeError(_no_handler(cls, name))
    return name


def no_attribute(cls: type[Any] | None, name: str) -> str:
    """Return what to say of ``ref.name``, where *cls* is the class of the actor, if known."""
    if cls is None or name in handler_names(cls):
        owner = "TheClass" if cls is None else cls.__name__
        return f"a ref has no methods of the actor: write ref.ask({owner}.{name}, …) or ref.tell({owner}.{name}, …)"
    if is_own_of_actor(name):
        return f"a ref has no {name!r}: that is for the actor itself, as self.{name}"
    return (
        f"a ref has no {name!r}, and {cls.__name__} has no such message; it has: {_list(cls)}. "
        "An actor's attributes stay in its process: write a method that returns what you need, and ask for it"
    )


def _why_not(method: object, cls: type[Any] | None) -> str:
    if isinstance(method, property):
        return "a property is no message: write a method that returns the same, and ask for it"
    if not inspect.ismethod(method):
        return f"pass a method of the actor's class, such as {_example(cls, method)}, not {method!r}"
    owner, name = method.__self__, method.__name__
    if isinstance(owner, type):
        return f"{owner.__name__}.{name} is a class method, and no message: those need self, the actor"
    return f"pass the method of the class, such as {type(owner).__name__}.{name}, not a bound method"


def _no_handler(cls: type[Any], name: str) -> str:
    if isinstance(inspect.getattr_static(cls, name, None), staticmethod):
        return f"{cls.__name__}.{name} is a static method, and no message: those need self, the actor"
    if is_own_of_actor(name):
        return f"{cls.__name__}.{name} is for the actor itself, and no message"
    return f"{cls.__name__} has no handler {name!r}; it has: {_list(cls)}"


def _list(cls: type[Any]) -> str:
    return ", ".join(handler_names(cls)) or "none"


def _example(cls: type[Any] | None, method: object) -> str:
    """Return a message of *cls* as it should have been written; the one that was meant, if its name was passed."""
    names = [] if cls is None else handler_names(cls)
    if cls is None or not names:
        return "TheClass.method"
    return f"{cls.__name__}.{method if method in names else names[0]}"


def wrong_class(found: str, wanted: str) -> str:
    """Return what to tell somebody who looks for an actor of the class *wanted* and finds one of *found*, both with their modules."""
    text = f"the actor is a {found}, not a {wanted}"
    name = wanted.rpartition(".")[2]
    is_likely_the_same = found.rpartition(".")[2] == name
    if is_likely_the_same and "__main__" in (
        found.partition(".")[0],
        wanted.partition(".")[0],
    ):
        text += (
            f"; a class of __main__ is known to its own program alone: let both import {name} from a module, "
            "or start the one that defines it with python -m"
        )
    return text


def why_read_only(owner: str, error: BaseException) -> str | None:
    """Return what to tell of an *error* that a handler of the class called *owner* got by writing to what is read-only; None for another."""
    text = error.args[0] if error.args else None
    is_one = type(error) in {ValueError, TypeError} and isinstance(text, str)
    if not is_one or "read-only" not in text:  # type: ignore[operator]  # seen above
        return None
    return f"arrays and other large buffers in messages are read-only; {owner}.writable_buffers = True gives the actor copies that it may write to"


def why_unfit(owner: str, error: TypeError) -> str:
    """Return what to tell an asker whose arguments do not fit a handler of the class called *owner*."""
    # A deadline is looked for here more often than anything else.
    is_deadline = "unexpected keyword argument 'timeout'" in str(error)
    hint = "; a deadline is set by ref.within(seconds).ask(…)" if is_deadline else ""
    return f"{owner}: {error}{hint}"
