"""Why an actor's process ended: the closed set of exit reasons.

A death gets exactly one ``ExitReason``.
Supervisors match it against a restart type, watchers receive it, people read it in a log line.
Everything here is a pure function of values: reading the wait status and the goodbye record is the reaper's task, deciding
what happens next is ``restart.py``'s.

Exceptions travel as text only: their class may not be importable, or not safe to rebuild, in the process that reads this.
"""

from __future__ import annotations

import enum
import json
import os
import signal
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import attrs

MAX_BYTES = 64 * 1024  # of a goodbye record
MAX_INNER = 8  # reasons below a reason that travel with it
MAX_NOTES = 8
MAX_FRAMES = 100  # of one traceback: a runaway recursion has as many as memory allows
MAX_SHOWN = 200  # characters of a foreign text in a line for people

# Characters of each text that travel.
_LIMITS = {
    "signal": 32,
    "cause": 200,
    "exc_type": 200,
    "message": 4096,
    "traceback": 32 * 1024,
    "dump": 16 * 1024,
    "during": 600,
    "status": 200,
    "child_id": 200,
}
_NOTE_LIMIT = 1024


class ExitKind(enum.StrEnum):
    """What ended the process."""

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

_ABORT_PATH = frozenset({"SIGABRT", "SIGKILL"})
_TERM_PATH = frozenset({"SIGTERM", "SIGKILL"})
# The signals we send for a reason of ours; one that is missing here is never a cause.
_SIGNALS_FOR = {
    ExitKind.KILLED: frozenset({"SIGKILL"}),
    ExitKind.SUPERVISOR_DIED: frozenset({"SIGKILL"}),
    ExitKind.HEARTBEAT_LOST: _ABORT_PATH,
    ExitKind.HANDLER_TIMEOUT: _ABORT_PATH,
    ExitKind.INIT_TIMEOUT: _ABORT_PATH,
    ExitKind.CONTROL_LOST: _TERM_PATH,
    ExitKind.LINKED: _TERM_PATH,
}


def is_clean(kind: ExitKind) -> bool:
    """Return whether a *transient* child that ended with *kind* stays down."""
    return kind in _CLEAN


@attrs.frozen
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
        dump: What faulthandler wrote.
        uptime: Seconds from its start to its death.
        during: The message in hand, as ``Counter.add``.
            Where ``cause`` says what we were ending it for: the same as a sentence.
        requested: Whether somebody in the tree asked it to end.
        status: The value given to ``SystemExit``, as text; the kernel keeps 8 bits of it.
        errno: Why the process could not be started.
        child_id: Which child, link partner or child specification this is about.
        count: Restarts that were too many.
        period: Seconds within which they were.
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
    traceback: str | None = attrs.field(default=None, kw_only=True, repr=False)
    notes: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    dump: str | None = attrs.field(default=None, kw_only=True, repr=False)
    uptime: float | None = attrs.field(default=None, kw_only=True)
    during: str | None = attrs.field(default=None, kw_only=True)
    requested: bool = attrs.field(default=False, kw_only=True)
    status: str | None = attrs.field(default=None, kw_only=True)
    errno: int | None = attrs.field(default=None, kw_only=True)
    child_id: str | None = attrs.field(default=None, kw_only=True)
    count: int | None = attrs.field(default=None, kw_only=True)
    period: float | None = attrs.field(default=None, kw_only=True)
    truncated: bool = attrs.field(default=False, kw_only=True)
    inner: ExitReason | None = attrs.field(default=None, kw_only=True)

    @property
    def clean(self) -> bool:
        """Whether a *transient* child that ended like this stays down."""
        return is_clean(self.kind)

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` takes: values that JSON has, defaults left out, texts cut to what travels."""
        return _facts(_bounded(self, 1))

    def to_bytes(self) -> bytes:
        """Return what ``from_bytes`` takes, at most ``MAX_BYTES``; the longest texts are cut further if need be."""
        for divisor in (1, 4, 16, 64):
            data = json.dumps(_facts(_bounded(self, divisor))).encode()
            if len(data) <= MAX_BYTES:
                return data
        return json.dumps({"kind": self.kind, "truncated": True}).encode()

    def __str__(self) -> str:
        return _SENTENCES[self.kind](self) + _circumstance(self) + _underneath(self)


_DEFAULTS = {field.name: field.default for field in attrs.fields(ExitReason)}
_INTEGERS = ("incarnation", "pid", "exit_code", "errno", "count")
_NUMBERS = ("uptime", "period")
_FLAGS = ("core", "requested", "truncated")


def from_json(facts: Mapping[str, Any]) -> ExitReason:
    """Return the reason that ``to_json`` made *facts* of.

    A key that is unknown, and a value of another type than ours, are ignored; texts are cut.

    Raises:
        ValueError: There is no kind, or none that we know.
    """
    return _bounded(_read(facts, MAX_INNER + 1), 1)


def from_bytes(data: bytes) -> ExitReason | None:
    """Return the reason that ``to_bytes`` made *data* of; None for anything else, such as half a record."""
    if len(data) > MAX_BYTES:
        return None
    try:
        facts = json.loads(data)
        return from_json(facts) if isinstance(facts, dict) else None
    except (ValueError, RecursionError):
        return None


def _read(facts: Mapping[str, Any], depth: int) -> ExitReason:
    values: dict[str, Any] = {}
    for names, types in (
        (_LIMITS, str),
        (_INTEGERS, int),
        (_NUMBERS, (int, float)),
        (_FLAGS, bool),
    ):
        for name in names:
            value = facts.get(name)
            if isinstance(value, types) and (
                types is bool or not isinstance(value, bool)
            ):
                values[name] = value
    notes = facts.get("notes")
    if isinstance(notes, list):
        values["notes"] = tuple(note for note in notes if isinstance(note, str))
    inner = facts.get("inner")
    if isinstance(inner, dict) and depth:
        values["inner"] = _read(inner, depth - 1)
    return ExitReason(ExitKind(str(facts.get("kind"))), **values)


def _facts(reason: ExitReason) -> dict[str, Any]:
    values = attrs.asdict(reason, recurse=False)
    facts = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
    facts["kind"] = str(reason.kind)
    if reason.notes:
        facts["notes"] = list(reason.notes)
    if reason.inner is not None:
        facts["inner"] = _facts(reason.inner)
    return facts


def _bounded(reason: ExitReason, divisor: int, depth: int = MAX_INNER) -> ExitReason:
    """Return *reason* with texts of at most their limit divided by *divisor*."""
    values: dict[str, Any] = {}
    for name, limit in _LIMITS.items():
        text = getattr(reason, name)
        if text is not None and len(text) > limit // divisor:
            # The end of a traceback says what went wrong; everything else does so at its beginning.
            kept = limit // divisor
            values[name] = (
                text[len(text) - kept :] if name == "traceback" else text[:kept]
            )
    notes = tuple(note[: _NOTE_LIMIT // divisor] for note in reason.notes[:MAX_NOTES])
    if notes != reason.notes:
        values["notes"] = notes
    inner = (
        _bounded(reason.inner, divisor, depth - 1)
        if reason.inner is not None and depth
        else None
    )
    is_cut = bool(values) or (inner is None and reason.inner is not None)
    return attrs.evolve(
        reason, **values, inner=inner, truncated=reason.truncated or is_cut
    )


# Goodbye records: what a process says of its own end.


def from_system_exit(error: SystemExit, *, during: str | None = None) -> ExitReason:
    """Return the goodbye of a process that ends by *error*: ``normal`` for None and 0, else ``exit_code``."""
    code = error.code
    if code is None or (isinstance(code, int) and int(code) == 0):
        return ExitReason(ExitKind.NORMAL)
    # Any object may be given; the interpreter prints it and exits with 1.
    kept = int(code) & 0xFF if isinstance(code, int) else 1
    status = _attempt(
        lambda: _cut_text(str(code), _LIMITS["status"]), f"<{type(code).__name__}>"
    )
    return ExitReason(ExitKind.EXIT_CODE, exit_code=kept, status=status, during=during)


def goodbye_from_exception(
    error: BaseException, *, during: str | None = None
) -> ExitReason:
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
        return _bounded(_described(error, name, during), 1)
    except BaseException:  # noqa: BLE001 - user code runs when an exception is formatted, and memory may be short
        return ExitReason(
            ExitKind.EXCEPTION, exc_type=name, during=during, truncated=True
        )


def _described(error: BaseException, name: str, during: str | None) -> ExitReason:
    message = _attempt(
        lambda: _cut_text(str(error), _LIMITS["message"] + 1),
        "<its text could not be made>",
    )
    notes = getattr(error, "__notes__", ())
    kept = [
        _cut_text(note, _NOTE_LIMIT + 1)
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
    return "".join(traceback.format_exception(error, limit=-MAX_FRAMES))


def _frames(error: BaseException) -> int:
    return sum(1 for _ in traceback.walk_tb(error.__traceback__))


def _bare_traceback(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__, limit=-MAX_FRAMES))


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
        if size > _LIMITS["traceback"] or len(seen) > MAX_FRAMES:
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


# What the kernel says, and which of all the stories wins.


def classify(
    wait_status: int,
    goodbye: ExitReason | None,
    *,
    cause: ExitReason | None = None,
    stopping: bool = False,
    oom_kill: bool = False,
    during: str | None = None,
) -> ExitReason:
    """Return the one reason of a death.

    The wait status is the truth.
    A cause of ours, recorded before we sent a signal, wins if that signal can have produced the status.
    Otherwise the status wins, ``cause`` names what we were ending it for and ``during`` says so in words.
    A process that said why it ends by itself and was then shot for lingering keeps the reason it gave; one that called its
    end clean and then crashed on its way out does not.

    Args:
        wait_status: Raw 16-bit status as from ``waitpid``, not the decoded exit code.
        goodbye: What the process left behind.
        cause: Why we sent a signal that may have killed it.
        stopping: Whether we had asked it to stop.
        oom_kill: Whether the kernel's counters show a kill for lack of memory in its life.
        during: The message it had in hand.

    Raises:
        ValueError: The process is stopped or continued, hence still alive.
    """
    death = attrs.evolve(_from_status(wait_status, oom_kill=oom_kill), during=during)
    is_ours = cause is not None and _can_produce(cause, death, goodbye)
    if (
        goodbye is not None
        and goodbye.kind is not ExitKind.SHUTDOWN
        and (is_ours or not goodbye.clean)
    ):
        reason = _with_evidence(goodbye, death)
        return _as_stopped(reason) if stopping else reason
    if cause is not None and is_ours:
        return _with_evidence(cause, death)
    reason = _unforced(death, goodbye, stopping=stopping)
    return reason if cause is None else _overtaken(reason, cause)


def _from_status(wait_status: int, *, oom_kill: bool) -> ExitReason:
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        # 0 is deliberately not NORMAL: a healthy actor says goodbye before it ends, and this one may have lost messages.
        return ExitReason(ExitKind.EXIT_CODE, exit_code=code)
    if oom_kill and -code == signal.SIGKILL:
        return ExitReason(ExitKind.OOM_KILL, signal="SIGKILL")
    return ExitReason(
        ExitKind.SIGNAL, signal=_signal_name(-code), core=os.WCOREDUMP(wait_status)
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # between SIGRTMIN and SIGRTMAX only the ends have names
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _can_produce(
    cause: ExitReason, death: ExitReason, goodbye: ExitReason | None
) -> bool:
    signals = _SIGNALS_FOR.get(cause.kind, frozenset())
    # SIGTERM has two results: it kills, or it is honoured.
    is_honoured = (
        goodbye is not None
        and goodbye.kind is ExitKind.SHUTDOWN
        and death.exit_code == 0
    )
    return death.signal in signals or ("SIGTERM" in signals and is_honoured)


def _unforced(
    death: ExitReason, goodbye: ExitReason | None, *, stopping: bool
) -> ExitReason:
    is_quiet = death.exit_code == 0 or death.signal == "SIGTERM"
    if goodbye is not None and is_quiet:
        reason = _with_evidence(goodbye, death)
        return _as_stopped(reason) if stopping else reason
    if stopping and death.signal == "SIGTERM":
        return attrs.evolve(death, kind=ExitKind.SHUTDOWN, requested=True)
    return attrs.evolve(death, inner=goodbye)


def _as_stopped(reason: ExitReason) -> ExitReason:
    """While it is being stopped, an end by itself is the stop that was asked for."""
    if reason.kind not in {ExitKind.NORMAL, ExitKind.SHUTDOWN}:
        return reason
    return attrs.evolve(reason, kind=ExitKind.SHUTDOWN, requested=True)


def _with_evidence(reason: ExitReason, death: ExitReason) -> ExitReason:
    return attrs.evolve(
        reason,
        exit_code=death.exit_code,
        signal=death.signal,
        core=death.core,
        during=reason.during or (None if reason.clean else death.during),
    )


def _overtaken(reason: ExitReason, cause: ExitReason) -> ExitReason:
    intent = attrs.evolve(cause, during=cause.during or reason.during)
    return attrs.evolve(
        reason, cause=cause.cause or str(cause.kind), during=str(intent)
    )


# One line for people.


def _shown(text: object) -> str:
    """Return foreign *text* harmless: one line, no control, no change of direction, not long."""
    plain = str(text)[: MAX_SHOWN + 1]
    escaped = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in plain
    )
    return escaped if len(escaped) <= MAX_SHOWN else escaped[: MAX_SHOWN - 1] + "…"


_KILL_CAUSES = {
    "brutal_kill": "killed without being asked to stop, as its settings say",
    "shutdown_timeout": "killed because it did not stop in time",
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
    return f"killed by {name}{' (core dumped)' if reason.core else ''}"


def _not_started(reason: ExitReason) -> str:
    detail = (
        os.strerror(reason.errno)
        if reason.errno is not None
        else _shown(reason.message or "no detail")
    )
    return f"its process could not be started: {detail}"


def _gave_up(reason: ExitReason) -> str:
    count = "too many" if reason.count is None else str(reason.count)
    crashes = "crash" if reason.count == 1 else "crashes"
    return f"gave up after {count} {crashes}" + (
        f" in {reason.period:g} s" if reason.period is not None else ""
    )


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
    ExitKind.INIT_TIMEOUT: _about("did not become ready in time"),
    ExitKind.FAILED_TO_START: _about("{} failed to start"),
    ExitKind.SPAWN_ERROR: _not_started,
    ExitKind.CONTROL_LOST: _about("closed its control channel"),
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
