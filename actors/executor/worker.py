"""What runs in the processes of an executor."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import functools
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import CoroutineType
from typing import Any, TypeVar

from actors.actor import Actor
from actors.wire.byvalue import keep_globals

T = TypeVar("T")


class Worker(Actor):
    """Calls functions, one at a time; the coroutine of an ``async`` one is awaited here."""

    def __init__(
        self, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]
    ) -> None:
        """Call *initializer* with *initargs*, if there is one."""
        if initializer is not None:
            with _outside_of_loop(), _kept_globals(initializer):
                initializer(*initargs)

    def call(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:  # noqa: ANN401 - of any function
        """Return what *fn* returns."""
        with _outside_of_loop():
            return fn(*args, **kwargs)


@contextlib.contextmanager
def _outside_of_loop() -> Iterator[None]:
    """Let code that knows nothing of actors call ``asyncio.run``, as it may in any other process."""
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)  # noqa: SLF001 - documented for loops, and one stands still here
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001 - likewise


@contextlib.contextmanager
def _kept_globals(function: Callable[..., object]) -> Iterator[None]:
    """Let the calls to come see what *function* sets in its module, also where both are sent by value and share none."""
    scope = _globals_of(function)
    before = dict(scope)
    yield
    changed = {
        name: value
        for name, value in scope.items()
        if name not in before or before[name] is not value
    }
    name = str(scope.get("__name__"))
    if changed and scope is not vars(sys.modules.get(name, builtins)):
        keep_globals(name, changed)


def _globals_of(function: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever can be called
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    return getattr(function, "__globals__", {})


def call_chunk(
    fn: Callable[..., Any], chunk: Iterable[tuple[Any, ...]]
) -> list[Any] | Coroutine[Any, Any, list[Any]]:
    """Return the results of *fn* for each tuple of arguments; to be awaited where those of *fn* are."""
    values: list[Any] = []
    left = iter(chunk)
    for args in left:
        value = fn(*args)
        if type(value) is CoroutineType:
            return _awaited(value, fn, left, values)
        values.append(value)
    return values


async def _awaited(
    first: Coroutine[Any, Any, Any],
    fn: Callable[..., Any],
    left: Iterator[tuple[Any, ...]],
    values: list[Any],
) -> list[Any]:
    values.append(await first)
    for args in left:
        values.append(await fn(*args))  # noqa: PERF401 - one after the other
    return values
