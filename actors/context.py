"""What the runtime is to the actor of its process; ``Actor`` says what each part does.

Inside an actor's process the runtime installs its ``Context``; elsewhere, in a unit test for example, there is none.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:  # for annotations only: all of these know of actors at run time
    import asyncio

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
