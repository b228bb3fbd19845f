"""Where the traceback of an error begins that people see."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from actors import tracebacks


def caller_of(name: str) -> Callable[[Callable[[], object]], object]:
    """Return a function of a module called *name* that calls another."""
    namespace: dict[str, Any] = {"__name__": name}
    exec("def call(function): return function()", namespace)
    found: Callable[[Callable[[], object]], object] = namespace["call"]
    return found


OURS, OTHER = caller_of("actors.runtime.cell"), caller_of("actorsville")


def fail() -> None:
    raise ValueError


def frames(function: Callable[[], object]) -> list[str]:
    """Return the modules in the traceback that is shown of what *function* raises."""
    try:
        function()
    except Exception as error:  # noqa: BLE001 - the one that is looked at
        trace: Any = error.__traceback__
        # Past this function, which no traceback of an actor has.
        return modules(tracebacks.of_user(error.with_traceback(trace.tb_next)))
    raise AssertionError


def modules(trace: TracebackType | None) -> list[str]:
    return [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(trace)]


def test_frames_of_the_runtime_are_dropped_from_the_beginning_only() -> None:
    theirs = partial(OTHER, partial(OURS, fail))

    shown = frames(partial(OURS, partial(OURS, theirs)))

    assert shown == ["actorsville", "actors.runtime.cell", __name__]


def test_of_an_error_of_the_runtime_itself_everything_is_shown() -> None:
    shown = frames(partial(OURS, partial(OURS, partial(int, "x"))))

    assert shown == ["actors.runtime.cell"] * 2


def test_an_error_that_was_never_raised_has_none() -> None:
    assert tracebacks.of_user(ValueError()) is None
