"""Tracebacks as people want to see them: from their own code on."""

from __future__ import annotations

import os
from types import TracebackType

_OURS = __name__.partition(".")[0] + "."
_FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is slow, and this runs in every process
_THREAD = "Current thread "  # the one that got the signal


def of_user(error: BaseException) -> TracebackType | None:
    """Return the traceback of *error* without the frames of the runtime that called the user's code.

    Where there is none of the user's, all of it: then it is about the runtime.
    """
    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    return trace or error.__traceback__


def of_dump(dump: str) -> str:
    """Return the user's frames of the thread that got the signal, out of the dump of a death; empty where there are none."""
    lines = dump.partition(_THREAD)[2].partition("\n\n")[0].splitlines()[1:]
    end = next((at for at, line in enumerate(lines) if _FOLDER in line), len(lines))
    frames = lines[:end]
    return "\n".join(["Stack (most recent call first):", *frames]) if frames else ""


def _is_ours(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_globals.get("__name__")
    return isinstance(name, str) and name.startswith(_OURS)
