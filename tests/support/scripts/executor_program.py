"""A program with an executor, whose end is tested: ``executor_program.py HOW DIRECTORY``.

It has no main guard, and its functions are nobody else's.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from actors import Executor

how, directory = sys.argv[1:]


def hang() -> None:
    """Wait for ever."""
    threading.Event().wait()


def begin() -> None:
    """Say that a worker works."""
    Path(directory, "begun").touch()


def work(text: str) -> None:
    """Leave a trace."""
    Path(directory, text).touch()


trace = None


def prepare(text: str) -> None:
    """Set a variable of the module; an initializer."""
    global trace  # noqa: PLW0603 - as initializers do
    trace = text


def work_as_prepared() -> None:
    """Leave the trace that the initializer has set."""
    work(str(trace))


executor = (
    Executor(2)
    if how != "uses-what-the-initializer-sets"
    else Executor(1, initializer=prepare, initargs=("one",))
)
if how == "falls-off":
    executor.submit(work, "one")
    executor.submit(work, "two")
elif how == "shut-down-without-waiting":
    executor.submit(work, "one")
    executor.submit(work, "two")
    executor.shutdown(wait=False)
elif how == "dropped":
    executor.submit(work, "one")
    executor.submit(work, "two")
    del executor
elif how == "uses-what-the-initializer-sets":
    executor.submit(work_as_prepared)
    executor.submit(lambda: work("two" if trace else "neither"))
elif how == "hangs-in-block":
    with executor:
        executor.submit(begin)
        executor.submit(hang).result()
elif how == "hangs-at-the-end-of-block":
    with executor:
        executor.submit(begin)
        executor.submit(hang)
elif how == "hangs-without-block":
    executor.submit(begin)
    executor.submit(hang).result()
elif how == "hangs-at-the-end":
    executor.submit(begin)
    executor.submit(hang)
