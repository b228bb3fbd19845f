"""Why an actor's process ended: the closed set of exit reasons.

A death gets exactly one ``ExitReason``.
Supervisors match it against a restart type, watchers receive it, people read it in a log line.
Everything here is a pure function of values: how a reason travels is in ``wire/reasons.py``, reading the wait status is the
reaper's task, and deciding what happens next is ``restart.py``'s.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable

import attrs

MAX_ADVICE = 400  # characters of a text of ours that says what to do
MAX_SHOWN = 200  # characters of a foreign text in a line for people


class ExitKind(enum.StrEnum):
    """What ended the process.

    Attributes:
        NORMAL: It stopped itself, or was asked to stop after its queue.
        SHUTDOWN: Its supervisor asked it to end, and it did so in time.
        SHUTDOWN_INFO: Likewise, with something to say in ``message``.
        KILLED: We killed it; ``cause`` says why.
        EXCEPTION: An exception that was nobody's answer escaped a handler, a hook or a background task.
        EXIT_CODE: User code ended it with a status: ``sys.exit``, or ``os._exit``.
        SIGNAL: A signal that we did not send.
        OOM_KILL: The kernel killed it because memory ran out.
        HEARTBEAT_LOST: It gave no sign of life, and was killed.
        HANDLER_TIMEOUT: A handler took too long, and it was killed.
        INIT_TIMEOUT: It was not ready within ``init_timeout``, and was killed.
        FAILED_TO_START: ``__init__`` or ``on_start`` failed; the reason is in ``inner``.
        SPAWN_ERROR: No process, or nothing of what one needs, could be made.
        MAILBOX_CORRUPT: The shared bytes of its mailbox made no sense; what was queued is lost.
        CONTROL_LOST: It closed, or damaged, what connects it with its supervisor and with those that answer it.
        LINKED: An actor linked with it had died.
        SUPERVISOR_DIED: Its supervisor had died.
        INTENSITY_EXCEEDED: It crashed more often than ``intensity`` allows within ``period``; the last crash is in ``inner``.
        AUTO_SHUTDOWN: A significant child had ended.
        NOPROC: It does not run, and nothing more is known.
    """

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    SHUTDOWN_INFO = "shutdown_info"
    KILLED = "killed"
    EXCEPTION = "exception"
    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    OOM_KILL = "oom_kill"
    HEARTBEAT_LOST = "heartbeat_lost"
    HANDLER_TIMEOUT = "handler_timeout"
    INIT_TIMEOUT = "init_timeout"
    FAILED_TO_START = "failed_to_start"
    SPAWN_ERROR = "spawn_error"
    MAILBOX_CORRUPT = "mailbox_corrupt"
    CONTROL_LOST = "control_lost"
    LINKED = "linked"
    SUPERVISOR_DIED = "supervisor_died"
    INTENSITY_EXCEEDED = "intensity_exceeded"
    AUTO_SHUTDOWN = "auto_shutdown"
    NOPROC = "noproc"


# As in OTP, except that giving up is not clean: a transient supervisor must not vanish silently.
_CLEAN = frozenset(
    {ExitKind.NORMAL, ExitKind.SHUTDOWN, ExitKind.SHUTDOWN_INFO, ExitKind.AUTO_SHUTDOWN}
)


def is_clean(kind: ExitKind) -> bool:
    """Return whether a *transient* child that ended with *kind* stays down."""
    return kind in _CLEAN


@attrs.frozen(repr=False)
class ExitReason:
    """Why one incarnation ended.

    Attributes:
        kind: What ended it.
        incarnation: Which life of the actor.
        pid: Of its process.
        exit_code: What the kernel kept of the exit status, 0 to 255.
        signal: Name of the signal it died of.
        core: Whether a core was dumped.
        cause: Why we killed it: ``brutal_kill``, ``shutdown_timeout``, ``api``, ``second_signal``, ``orphan``.
            With any other kind: what we were ending it for when it died of this instead.
        exc_type: Name of the exception's class.
        message: The exception's text, or what else there is to say.
        traceback: The formatted traceback, its end if it is long.
        notes: The exception's notes.
        dump: The Python stacks of its threads, where it could write them.
        uptime: Seconds from its start to its death.
        during: The message in hand, as ``Counter.add``.
            Where ``cause`` says what we were ending it for: the same as a sentence.
        requested: Whether somebody in the tree asked it to end.
        status: The value given to ``SystemExit``, as text; the kernel keeps 8 bits of it.
        errno: Why the process could not be started.
        child_id: Which child, link partner or child specification this is about.
        count: Restarts that were too many.
        period: Seconds within which they were; of a start that took too long, those that it had.
        silent_for: Seconds since the last sign of life of a process that was ended for lack of one.
        stopped: Whether that process had been stopped, by SIGSTOP for example.
        oom: Whether a SIGKILL that we did not send was for lack of memory: ``yes``, ``no``, ``suspected`` where more processes died
            at once than the kernel has killed, ``unknown`` where it does not count.
        max_rss_bytes: The most memory that the process had.
        cpu_seconds: The processor time it has used, with that of processes it has waited for.
        truncated: Whether a text was longer than what is kept.
        inner: The reason behind this one.
    """

    kind: ExitKind
    incarnation: int | None = attrs.field(default=None, kw_only=True)
    pid: int | None = attrs.field(default=None, kw_only=True)
    exit_code: int | None = attrs.field(default=None, kw_only=True)
    signal: str | None = attrs.field(default=None, kw_only=True)
    core: bool = attrs.field(default=False, kw_only=True)
    cause: str | None = attrs.field(default=None, kw_only=True)
    exc_type: str | None = attrs.field(default=None, kw_only=True)
    message: str | None = attrs.field(default=None, kw_only=True)
    traceback: str | None = attrs.field(default=None, kw_only=True)
    notes: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    dump: str | None = attrs.field(default=None, kw_only=True)
    uptime: float | None = attrs.field(default=None, kw_only=True)
    during: str | None = attrs.field(default=None, kw_only=True)
    requested: bool = attrs.field(default=False, kw_only=True)
    status: str | None = attrs.field(default=None, kw_only=True)
    errno: int | None = attrs.field(default=None, kw_only=True)
    child_id: str | None = attrs.field(default=None, kw_only=True)
    count: int | None = attrs.field(default=None, kw_only=True)
    period: float | None = attrs.field(default=None, kw_only=True)
    silent_for: float | None = attrs.field(default=None, kw_only=True)
    stopped: bool = attrs.field(default=False, kw_only=True)
    oom: str | None = attrs.field(default=None, kw_only=True)
    max_rss_bytes: int | None = attrs.field(default=None, kw_only=True)
    cpu_seconds: float | None = attrs.field(default=None, kw_only=True)
    truncated: bool = attrs.field(default=False, kw_only=True)
    inner: ExitReason | None = attrs.field(default=None, kw_only=True)

    @property
    def clean(self) -> bool:
        """Whether a *transient* child that ended like this stays down."""
        return is_clean(self.kind)

    def __repr__(self) -> str:
        values = [(name, getattr(self, name)) for name in _SHOWN]
        told = [
            f"{name}={value!r}" for name, value in values if value != _DEFAULTS[name]
        ]
        return f"ExitReason({', '.join([repr(str(self.kind)), *told])})"

    def __str__(self) -> str:
        return _SENTENCES[self.kind](self) + _circumstance(self) + _underneath(self)


_DEFAULTS = {field.name: field.default for field in attrs.fields(ExitReason)}
# In a repr: what is said, and is no page of text.
_SHOWN = [name for name in _DEFAULTS if name not in {"kind", "traceback", "dump"}]


# One line for people.


def _shown(text: object, limit: int = MAX_SHOWN) -> str:
    """Return foreign *text* harmless: one line, no control, no change of direction, not long."""
    plain = str(text)[: limit + 1]
    escaped = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in plain
    )
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"


_KILL_CAUSES = {
    "brutal_kill": "killed without being asked to stop, as its settings say",
    "shutdown_timeout": "killed because it did not stop in time",
    "not_ready": "killed because it was stopped before it was ready",
    "api": "killed on request",
    "second_signal": "killed because a second signal cut the shutdown short",
    "orphan": "killed because its owner had ended",
}


def _killed(reason: ExitReason) -> str:
    cause = reason.cause or "no cause recorded"
    return _KILL_CAUSES.get(cause) or f"killed by its supervisor ({_shown(cause)})"


def _shutdown(reason: ExitReason) -> str:
    return (
        "stopped on request"
        if reason.requested
        else "stopped by SIGTERM that nobody in the tree had sent"
    )


def _raised(reason: ExitReason) -> str:
    name = _shown(reason.exc_type or "an exception")
    return (
        f"raised {name}: {_shown(reason.message)}"
        if reason.message
        else f"raised {name}"
    )


def _exited(reason: ExitReason) -> str:
    if reason.status is not None:
        return f"exited with SystemExit({_shown(reason.status)})"
    code = "an unknown code" if reason.exit_code is None else f"code {reason.exit_code}"
    if reason.inner is not None:
        return f"exited with {code} after its goodbye"
    return f"exited with {code} without saying goodbye (os._exit?)"


def _died_of_signal(reason: ExitReason) -> str:
    name = _shown(reason.signal or "an unknown signal")
    oom = ", perhaps because memory ran out" if reason.oom == "suspected" else ""
    return f"killed by {name}{' (core dumped)' if reason.core else ''}{oom}"


def _not_started(reason: ExitReason) -> str:
    detail = (
        # Our own text: it says what to do, and that is its end.
        _shown(reason.message or "no detail", MAX_ADVICE)
        if reason.message or reason.errno is None
        else os.strerror(reason.errno)
    )
    return f"its process could not be started: {detail}"


def _not_ready(reason: ExitReason) -> str:
    limit = "in time" if reason.period is None else f"within {reason.period:g} s"
    return f"was not ready {limit} (init_timeout)"


def _gave_up(reason: ExitReason) -> str:
    count = "too many" if reason.count is None else str(reason.count)
    crashes = "crash" if reason.count == 1 else "crashes"
    whose = "" if reason.child_id is None else f" of {_shown(reason.child_id)}"
    return f"gave up after {count} {crashes}{whose}" + (
        f" in {reason.period:g} s" if reason.period is not None else ""
    )


def _cut_off(reason: ExitReason) -> str:
    return _shown(reason.message or "closed descriptors that it had not opened")


def _about(sentence: str) -> Callable[[ExitReason], str]:
    """Return *sentence* followed by the message, if there is one; ``{}`` in it is the child's id."""

    def line(reason: ExitReason) -> str:
        child = "a child" if reason.child_id is None else _shown(reason.child_id)
        head = sentence.replace("{}", child)
        return f"{head}: {_shown(reason.message)}" if reason.message else head

    return line


_SENTENCES: dict[ExitKind, Callable[[ExitReason], str]] = {
    ExitKind.NORMAL: _about("stopped"),
    ExitKind.SHUTDOWN: _shutdown,
    ExitKind.SHUTDOWN_INFO: _about("stopped"),
    ExitKind.KILLED: _killed,
    ExitKind.EXCEPTION: _raised,
    ExitKind.EXIT_CODE: _exited,
    ExitKind.SIGNAL: _died_of_signal,
    ExitKind.OOM_KILL: _about("killed by the kernel because memory ran out"),
    ExitKind.HEARTBEAT_LOST: _about("gave no sign of life"),
    ExitKind.HANDLER_TIMEOUT: _about("took too long"),
    ExitKind.INIT_TIMEOUT: _not_ready,
    ExitKind.FAILED_TO_START: _about("failed to start"),
    ExitKind.SPAWN_ERROR: _not_started,
    ExitKind.MAILBOX_CORRUPT: _about("found its mailbox damaged"),
    ExitKind.CONTROL_LOST: _cut_off,
    ExitKind.LINKED: _about("ended because {}, linked with it, had died"),
    ExitKind.SUPERVISOR_DIED: _about("lost its supervisor"),
    ExitKind.INTENSITY_EXCEEDED: _gave_up,
    ExitKind.AUTO_SHUTDOWN: _about(
        "stopped because {}, which was significant, had ended"
    ),
    ExitKind.NOPROC: _about("not running"),
}


def _circumstance(reason: ExitReason) -> str:
    if reason.during is None:
        return ""
    if reason.cause is not None and reason.kind is not ExitKind.KILLED:
        return f" while being ended ({_shown(reason.during)})"
    return f" while running {_shown(reason.during)}"


_JOINTS = {
    ExitKind.FAILED_TO_START: ": ",
    ExitKind.LINKED: ": ",
    ExitKind.SUPERVISOR_DIED: ": ",
    ExitKind.INTENSITY_EXCEEDED: "; last: ",
}


def _underneath(reason: ExitReason) -> str:
    if reason.inner is None:
        return ""
    return f"{_JOINTS.get(reason.kind, '; it had said: ')}{reason.inner}"
