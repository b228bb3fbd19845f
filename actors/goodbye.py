"""Goodbye records: what a process says of its own end.

User code runs when an exception is formatted, and memory may be short, so nothing here raises for what an exception does.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from actors.exits import ExitKind, ExitReason
from actors.tracebacks import of_user
from actors.wire.reasons import LIMITS, MAX_NOTES, NOTE_LIMIT, bounded

MAX_FRAMES = 100  # of one traceback: a runaway recursion has as many as memory allows


def from_system_exit(error: SystemExit, *, during: str | None = None) -> ExitReason:
    """Return the goodbye of a process that ends by *error*: ``normal`` for None and 0, else ``exit_code``."""
    code = error.code
    if code is None or (isinstance(code, int) and int(code) == 0):
        return ExitReason(ExitKind.NORMAL)
    # Any object may be given; the interpreter prints it and exits with 1.
    kept = int(code) & 0xFF if isinstance(code, int) else 1
    status = _attempt(
        lambda: _cut_text(str(code), LIMITS["status"]), f"<{type(code).__name__}>"
    )
    return ExitReason(ExitKind.EXIT_CODE, exit_code=kept, status=status, during=during)


def from_exception(error: BaseException, *, during: str | None = None) -> ExitReason:
    """Return the goodbye of a process that ends because of *error*.

    Never raises, whatever the exception does when it is formatted, and takes no memory in proportion to it as long as its
    ``__str__`` does not.

    Args:
        error: What escaped.
        during: The message in hand, as ``Counter.add``.
    """
    if isinstance(error, SystemExit):
        return from_system_exit(error, during=during)
    name = _attempt(lambda: type(error).__name__, "<an exception without a name>")
    try:
        return bounded(_described(error, name, during), 1)
    except BaseException:  # noqa: BLE001 - user code runs when an exception is formatted, and memory may be short
        return ExitReason(
            ExitKind.EXCEPTION, exc_type=name, during=during, truncated=True
        )


def _described(error: BaseException, name: str, during: str | None) -> ExitReason:
    message = _attempt(
        lambda: _cut_text(str(error), LIMITS["message"] + 1),
        "<its text could not be made>",
    )
    notes = getattr(error, "__notes__", ())
    kept = [
        _cut_text(note, NOTE_LIMIT + 1)
        for note in notes[: MAX_NOTES + 1]
        if isinstance(note, str)
    ]
    is_short = _attempt(lambda: "yes" if _is_short(error) else "", "")
    text = _attempt(lambda: _whole_traceback(error), "") if is_short else ""
    return ExitReason(
        ExitKind.EXCEPTION,
        exc_type=name,
        message=message,
        traceback=text or _attempt(lambda: _bare_traceback(error), "") or None,
        notes=tuple(kept),
        during=during,
        truncated=not text or _frames(error) > MAX_FRAMES,
    )


def _whole_traceback(error: BaseException) -> str:
    return "".join(
        traceback.format_exception(
            type(error), error, of_user(error), limit=-MAX_FRAMES
        )
    )


def _frames(error: BaseException) -> int:
    return sum(1 for _ in traceback.walk_tb(of_user(error)))


def _bare_traceback(error: BaseException) -> str:
    return "".join(traceback.format_tb(of_user(error), limit=-MAX_FRAMES))


def _is_short(error: BaseException) -> bool:
    """Return whether the standard formatter, which copies every text several times, can be let loose on *error*."""
    pending, seen = [error], set[int]()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        size = sum(
            len(text) for text in (str(each), *map(str, getattr(each, "__notes__", ())))
        )
        if size > LIMITS["traceback"] or len(seen) > MAX_FRAMES:
            return False
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        pending += [
            link
            for link in (each.__cause__, each.__context__, *members)
            if link is not None
        ]
    return True


def _attempt(make: Callable[[], str], otherwise: str) -> str:
    try:
        return make()
    except BaseException:  # noqa: BLE001 - user code: formatting an exception may do anything
        return otherwise


def _cut_text(text: str, limit: int) -> str:
    # Not text[:limit]: a subclass of str may slice as it likes.
    return str.__getitem__(text, slice(limit))
