"""What may be spawned: a class of actors, with arguments that fit it."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

from actors.actor import Actor, handler_names
from actors.handlers import timeout_of
from actors.options import Options

A = TypeVar("A", bound=Actor)


def check(
    cls: Callable[..., A], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> type[A]:
    """Return *cls* if actors can be made of it with these arguments.

    Raises:
        TypeError: *cls* is not a subclass of ``Actor``, or the arguments do not fit its constructor.
    """
    _check_class(cls)
    found = cast("type[A]", cls)
    _check_arguments(found, args, kwargs)
    _check_concurrency(found)
    return found


def _check_class(cls: object) -> None:
    if cls is Actor:
        msg = "cls=Actor: derive a class of your own from it, and spawn that"
        raise TypeError(msg)
    if isinstance(cls, Actor):
        name = type(cls).__name__
        msg = f"cls={cls!r}: pass the class, and behind it the constructor's arguments: spawn({name}, …)"
        raise TypeError(msg)
    if not isinstance(cls, type) or not issubclass(cls, Actor):
        msg = f"cls={cls!r}: expected a subclass of actors.Actor"
        raise TypeError(msg)


def _check_arguments(
    cls: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    if _needs_none(cls) and not args and not kwargs:
        return
    try:
        # As it is called: a decorator of the constructor may add what it wraps away.
        signature = inspect.signature(cls, follow_wrapped=False)
    except Exception:  # noqa: BLE001 - a metaclass may do anything; the actor's process will tell
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as exc:
        msg = f"{cls.__name__}() cannot be called like this: {exc}{_hint(cls, signature, kwargs)}"
        raise TypeError(msg) from None


def _needs_none(cls: type[Actor]) -> bool:
    """Return whether nobody has given *cls* a constructor; its signature would be parsed from a text."""
    is_plain = type(cls).__call__ is type.__call__  # no metaclass makes its objects
    return (
        is_plain and cls.__init__ is object.__init__ and cls.__new__ is object.__new__
    )


def _check_concurrency(cls: type[Actor]) -> None:
    """Warn of a class that wants several messages at once and whose handlers block each other."""
    if cls.concurrency <= 1:
        return
    handlers = [inspect.unwrap(getattr(cls, name)) for name in handler_names(cls)]
    if handlers and not any(map(inspect.iscoroutinefunction, handlers)):
        warnings.warn(
            f"{cls.__name__}.concurrency={cls.concurrency}: none of its handlers is 'async def', so it handles one message at a time",
            RuntimeWarning,
            stacklevel=5,  # the line that calls spawn
        )


def _hint(
    cls: type[Actor], signature: inspect.Signature, kwargs: dict[str, Any]
) -> str:
    extra = [name for name in kwargs if name not in signature.parameters]
    options = [f"{name}=…" for name in extra if name in Options.names()]
    if not options:
        return ""
    return f"; options go first: system.options({', '.join(options)}).spawn({cls.__name__})"


def facts_of(cls: type[Actor]) -> dict[str, Any]:
    """Return what the root has to know of a class of actors, as JSON."""
    return {
        "class_name": cls.__name__,
        "classes": [class_name(base) for base in cls.__mro__ if base is not object],
        "slots": cls.concurrency,
        "is_writable": cls.writable_buffers,
        "timeouts": _timeouts(cls),
        "handler_timeout": cls.handler_timeout,
    }


def _timeouts(cls: type[Actor]) -> dict[str, float]:
    """Return the handlers of *cls* that have a time limit of their own, in seconds."""
    limits = {name: timeout_of(cls, name) for name in handler_names(cls)}
    return {name: limit for name, limit in limits.items() if limit is not None}


def class_name(cls: type[Any]) -> str:
    """Return the full name of *cls*, as every process of the system calls it."""
    module = cls.__module__
    if module == "__main__":
        # As whoever imports it calls it, after ``python -m module``.
        spec = getattr(sys.modules[module], "__spec__", None)
        module = module if spec is None else spec.name
    return f"{module}.{cls.__qualname__}"
