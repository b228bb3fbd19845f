"""Failures of asks that nobody has looked at: logged once, when nobody can look any more.

A failure carries a mark with a finalizer; so an ask that does not fail pays nothing.

Source: the exceptions of asyncio's futures that were "never retrieved", in the form they had before Python 3.4.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import time
import weakref

from actors import goodbye
from actors.errors import (
    ActorCrashedError,
    ActorStoppedError,
    ForkedHandleError,
    SystemClosedError,
    SystemFailedError,
)

# The program has brought these about itself, or has been told in another way.
EXPECTED = (
    asyncio.CancelledError,
    ForkedHandleError,
    SystemClosedError,
    SystemFailedError,
)
SPAWN = "spawn"  # the request by which an actor comes into being
# What closing a system brings about.
ENDS = (ActorCrashedError, ActorStoppedError)


class Unread:
    """Stands for an error until somebody has looked at it."""

    __slots__ = ("__weakref__", "_actor", "_error", "_method")

    def __init__(self, actor: str, method: str, error: BaseException) -> None:
        self._actor = actor
        self._method = method
        self._error: BaseException | None = error
        _unread.add(self)

    def forget(self) -> None:
        """Somebody has looked."""
        self._error = None

    def report(self) -> None:
        """Log the error, unless somebody has looked or it was logged before."""
        error, self._error = self._error, None
        if error is None or isinstance(error, EXPECTED):
            return
        reason = goodbye.from_exception(error)
        text = (reason.message or "").partition("\n\n")[0]  # without its traceback
        facts = {"error": f"{reason.exc_type}: {text}"}
        event = "spawn_failed_unseen"  # the error names the actor
        if self._method != SPAWN:
            event = "ask_failed_unseen"
            facts = {"actor": self._actor, "method": self._method, **facts}
        _log(event, facts)

    def __del__(self) -> None:
        if not sys.is_finalizing():  # report_all has been here
            self.report()


def _log(event: str, facts: dict[str, str]) -> None:
    """Log an error as the program does, if it has configured structlog; else as the supervisors do."""
    # Not imported for this: it takes 95 ms, and executes code from strings, by which Python forgets at its end that Ctrl-C has
    # ended the program.
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        structlog.get_logger().error(event, **facts)
        return
    told = " ".join(f"{key}={_shown(value)}" for key, value in facts.items())
    print(  # noqa: T201 - see above
        f"{time.strftime('%H:%M:%S')} [error    ] {event:<30} {told}", file=sys.stderr
    )


def _shown(value: str) -> str:
    # As structlog's ConsoleRenderer has it.
    return repr(value) if set(value) & set(" \t=\r\n\"'") else value


_unread: weakref.WeakSet[Unread] = weakref.WeakSet()


@atexit.register
def report_all() -> None:
    """Log what nobody has looked at, at the end of the program."""
    for unread in list(_unread):
        unread.report()
