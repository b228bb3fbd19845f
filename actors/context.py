"""What the runtime is to the actor of its process; ``Actor`` says what each part does.

Inside an actor's process the runtime installs its ``Context``; elsewhere, in a unit test for example, there is none.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:  # for annotations only: all of these know of actors at run time
    import asyncio
    from types import FrameType

    from actors.ref import ActorRef
    from actors.system import ActorSystem
    from actors.watches import Link, Watch

R = TypeVar("R")


class Timer(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Call it off; a tick that is due already is dropped as well."""


class Context(Protocol):
    """The runtime around the actor of this process."""

    @property
    def ref(self) -> ActorRef[Any]:
        """See ``Actor.ref``."""
        ...

    @property
    def system(self) -> ActorSystem:
        """See ``Actor.system``."""
        ...

    @property
    def log(self) -> Any:  # noqa: ANN401 - structlog's loggers have no common type
        """See ``Actor.log``."""
        ...

    @property
    def worker_index(self) -> int | None:
        """See ``Actor.worker_index``; None outside a pool."""
        ...

    def stop(self) -> None:
        """See ``Actor.stop``."""

    def after(
        self, delay: float, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Timer:
        """See ``Actor.after``."""
        ...

    def every(
        self, period: float, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Timer:
        """See ``Actor.every``."""
        ...

    def watch(self, ref: ActorRef[Any], method: str, *, is_close: bool) -> Watch:
        """See ``Actor.watch``."""
        ...

    def link(self, ref: ActorRef[Any], method: str | None) -> Link:
        """See ``Actor.link``."""
        ...

    def on_signal(self, signum: int, method: str) -> None:
        """See ``Actor.on_signal``."""

    def start_task(self, coro: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """See ``Actor.start_task``."""
        ...


_context: Context | None = None


def install(context: Context | None) -> None:
    """Make *context* the one of this process; called by the runtime."""
    global _context  # noqa: PLW0603 - a process is one actor, so this is its state
    _context = context


def context() -> Context:
    """Return the runtime around this process's actor.

    Raises:
        RuntimeError: This process is not an actor.
    """
    if _context is None:
        msg = "this object does not run as an actor: only an actor started by system.spawn has a ref, a system, timers and a log"
        raise RuntimeError(msg)
    return _context


_is_loading = False


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Let modules of the user be imported, in a process of the runtime, on whose behalf no actor runs yet."""
    global _is_loading  # noqa: PLW0603 - as above
    _is_loading = True
    try:
        yield
    finally:
        _is_loading = False


def refuse_loading(what: str) -> None:
    """Refuse to do *what* while a module is imported for an actor: each actor of it would do so again, without end.

    Raises:
        RuntimeError: One is; the text names it.
    """
    if _is_loading:
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - for a text that says where
        while frame is not None and frame.f_code.co_name != "<module>":
            frame = frame.f_back
        module = "a module" if frame is None else frame.f_globals.get("__name__")
        msg = f"{module} {what} when it is imported, which an actor has to do: put that into a function, or under if __name__ == '__main__'"
        raise RuntimeError(msg)
