"""Imported by the root supervisor as it starts, where this folder is on PYTHONPATH: kills it at one line of its work after a death.

``ROOT_DIES_AT`` is the number of the line, counted from the first that ``Deaths._settle_and_ask`` executes, in the modules that clean up.
The file ``ROOT_GOT_THROUGH`` is made when all that work was done before.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only checkers know it
    from _typeshed import TraceFunction

WATCHED = ("deaths.py", "estate.py", "outgoing.py", "route.py", "events.py")
BEGIN = "_settle_and_ask"
root = os.getpid()
left = int(os.environ.get("ROOT_DIES_AT", "-1"))
depth = 0


def on_call(frame: FrameType, event: str, arg: object) -> TraceFunction | None:
    """Follow the lines of a function that is called for the work after a death."""
    del event, arg
    global depth  # noqa: PLW0603 - a hook has no other place
    code = frame.f_code
    if code.co_name == BEGIN:
        depth += 1
    elif not depth or not code.co_filename.endswith(WATCHED):
        return None
    return on_line


def on_line(frame: FrameType, event: str, arg: object) -> TraceFunction | None:
    """Die at the line that was asked for."""
    del arg
    global left, depth  # noqa: PLW0603 - the same
    if event == "line":
        if not left and os.getpid() == root:  # not in an actor that it has forked
            os.kill(root, signal.SIGKILL)
        left -= 1
    elif event == "return" and frame.f_code.co_name == BEGIN:
        depth -= 1
        if not depth:
            Path(os.environ["ROOT_GOT_THROUGH"]).touch()
            sys.settrace(None)
    return on_line


if left >= 0:
    sys.settrace(on_call)
