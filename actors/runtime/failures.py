"""What an exception in a handler, or on the way out of one, means."""

from __future__ import annotations

import asyncio
from typing import TypeGuard

from actors.errors import NotSerializableError
from actors.options import OnError


def is_fatal(error: BaseException, policy: OnError | None, *, is_ask: bool) -> bool:
    """Return whether *error*, which a handler has raised, crashes its actor.

    Args:
        error: What it has raised.
        policy: The ``on_error`` of the handler or its class; None for the rule by kind of message.
        is_ask: Whether somebody waits for an answer, and so is told.
    """
    # A CancelledError is what an awaited task raises when somebody has cancelled it: an ordinary failure of the handler.
    is_ordinary = isinstance(error, Exception | asyncio.CancelledError)
    if isinstance(error, MemoryError) or not is_ordinary:
        return True
    return (policy or ("continue" if is_ask else "crash")) == "crash"


def unsent(error: Exception, method: str) -> Exception:
    """Return *error*, for which the result of *method* cannot be sent, so that it says whose the result is."""
    if isinstance(error, NotSerializableError):  # begins with the path to the bad part
        return NotSerializableError(f"result of {method}: {error}")
    error.add_note(f"the result of {method} could not be sent")
    return error


def did_not_fit(error: BaseException) -> TypeGuard[TypeError]:
    """Return whether the arguments did not fit the handler: the traceback is our call alone, and no user code ran."""
    trace = error.__traceback__
    return isinstance(error, TypeError) and trace is not None and trace.tb_next is None
