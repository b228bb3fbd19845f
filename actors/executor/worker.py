"""What runs in the processes of an executor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from actors.actor import Actor

T = TypeVar("T")


class Worker(Actor):
    """Calls functions, one at a time; the coroutine of an ``async`` one is awaited here."""

    def __init__(
        self, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]
    ) -> None:
        """Call *initializer* with *initargs*, if there is one."""
        if initializer is not None:
            with _outside_of_loop():
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
        asyncio._set_running_loop(loop)  # noqa: SLF001


def call_chunk(fn: Callable[..., T], chunk: Iterable[tuple[Any, ...]]) -> list[T]:
    """Return the results of *fn* for each tuple of arguments."""
    return [fn(*args) for args in chunk]
