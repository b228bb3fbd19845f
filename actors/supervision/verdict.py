"""What a death was: the wait status, the goodbye record and what we had done to the process, weighed against each other.

Pure.
"""

from __future__ import annotations

import os
import signal

import attrs

from actors.exits import ExitKind, ExitReason

# A process that is aborted may break while it writes its stacks, where only faulthandler can do that.
_ABORT_PATH = frozenset({"SIGABRT", "SIGSEGV", "SIGBUS", "SIGKILL"})
_TERM_PATH = frozenset({"SIGTERM", "SIGKILL"})
# The signals we send for a reason of ours; one that is missing here is never a cause.
_SIGNALS_FOR = {
    ExitKind.KILLED: frozenset({"SIGKILL"}),
    ExitKind.SUPERVISOR_DIED: frozenset({"SIGKILL"}),
    ExitKind.HEARTBEAT_LOST: _ABORT_PATH,
    ExitKind.HANDLER_TIMEOUT: _ABORT_PATH,
    ExitKind.INIT_TIMEOUT: _ABORT_PATH,
    ExitKind.MAILBOX_CORRUPT: frozenset({"SIGKILL"}),
    ExitKind.CONTROL_LOST: _TERM_PATH,
    ExitKind.LINKED: _TERM_PATH,
}


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
