"""Where the traceback of an error begins that people see."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

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


DUMP = f"""Fatal Python error: Aborted

Thread 0x00007f59af1bc000 (most recent call first):
  File "/home/me/other.py", line 3 in wait

Current thread 0x00007f59af1bbb80 (most recent call first):
  File "/home/me/shop.py", line 5 in load
  File "/home/me/shop.py", line 4 in __init__
  File "{Path(tracebacks.__file__).parent / "runtime" / "process.py"}", line 158 in _begin
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run

Extension modules: transports._ring, transports._mapping (total: 2)
"""


def test_of_a_stack_dump_the_users_frames_of_the_thread_that_died_are_shown() -> None:
    assert tracebacks.of_dump(DUMP) == (
        "Stack (most recent call first):\n"
        '  File "/home/me/shop.py", line 5 in load\n'
        '  File "/home/me/shop.py", line 4 in __init__'
    )


@pytest.mark.parametrize(
    "dump",
    [
        "",
        "Fatal Python error: Aborted",
        "\n".join(line for line in DUMP.splitlines() if "/home/me/shop" not in line),
    ],
)
def test_of_a_stack_dump_without_frames_of_the_user_nothing_is_shown(dump: str) -> None:
    assert tracebacks.of_dump(dump) == ""
