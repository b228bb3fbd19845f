"""Tracebacks as people want to see them: from their own code on."""

from __future__ import annotations

from types import TracebackType

_OURS = __name__.partition(".")[0] + "."


def of_user(error: BaseException) -> TracebackType | None:
    """Return the traceback of *error* without the frames of the runtime that called the user's code.

    Where there is none of the user's, all of it: then it is about the runtime.
    """
    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    return trace or error.__traceback__


def _is_ours(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_globals.get("__name__")
    return isinstance(name, str) and name.startswith(_OURS)
