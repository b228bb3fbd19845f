"""What is said of a death: one line for a person, where a person may have to act on it."""

from __future__ import annotations

from actors.exits import ExitKind, ExitReason
from actors.supervision.child import Child
from actors.supervision.events import Events
from actors.supervision.group import Fate, Phase
from actors.supervision.strategy import Death
from actors.wire import reasons
from actors.wire.frame import Kind


def tell(events: Events, child: Child, death: Death, fate: Fate | None) -> None:
    """Log a death after what it means was decided.

    Args:
        events: Where to.
        child: Who has died; somebody who waits for it to start is told of a failure in another way.
        death: How.
        fate: What was to become of it before it died.
    """
    if not child.is_public:
        return  # of its actor's there is more to be said
    is_told = child.spawner is not None
    was_stopped = death.is_final or fate is not None
    if (was_stopped or _has_lingered(child, death.reason)) and not is_told:
        _check_stop(events, child, death.reason)
    if death.is_final or (fate is None and not is_told):
        warn(events, child, death.reason)


def warn(events: Events, child: Child, reason: ExitReason) -> None:
    """Log an end, if it is a failure."""
    if reason.clean:
        return
    facts = {
        "reason": str(reason),
        "uptime": f"{reason.uptime or 0:.3f} s",
        **_used(reason),
        "next": _following(child),
    }
    facts |= _costs(child)
    evidence = reason if reason.traceback or not reason.inner else reason.inner
    if evidence.traceback:  # the log shows these two below the line, as they are
        facts["exception"] = evidence.traceback.rstrip()
    if evidence.dump:
        facts["stack"] = evidence.dump.rstrip()
    events.warn("actor_died", child, **facts)


def _costs(child: Child) -> dict[str, str]:
    """Return, for a log, what the death of *child* has cost."""
    facts: dict[str, str] = {}
    if len(child.hands) > 1:  # one is named in the reason
        facts["in_hand"] = child.listed(child.hands)
    if child.kept:
        facts["redelivered"] = child.listed(child.kept)
    if lost := [header for header in child.hands if header.kind == Kind.TELL]:
        facts["dead_letters"] = str(len(lost))  # nobody else is told of these
    return facts


def _used(reason: ExitReason) -> dict[str, str]:
    """Return what a process has used, for one line of a log; nothing where there was none."""
    if reason.max_rss_bytes is None or reason.cpu_seconds is None:
        return {}
    return {
        "cpu": f"{reason.cpu_seconds:.2f} s",
        "max_rss": f"{reason.max_rss_bytes / 2**20:.0f} MiB",
    }


def _following(child: Child) -> str:
    """Return in words what comes after a death."""
    group = child.branch.group
    over = group.leaving
    if over is not None and over.kind is ExitKind.INTENSITY_EXCEEDED:
        if over.period is None:
            return f"gave up: {over.count} short lives in a row"
        options = group.options
        return (
            f"gave up: more than {options.intensity:g} restarts in {options.period:g} s"
        )
    member = child.member
    if member is not None and (member.has_process or member.phase is Phase.RESTARTING):
        return "restarting"
    return "ended"


def _has_lingered(child: Child, reason: ExitReason) -> bool:
    """Return whether it had ended in order, as it was asked to or by itself, and was not gone in time."""
    killed_for = None if child.cause is None else child.cause.cause
    return reason.clean and killed_for == "shutdown_timeout"


def _check_stop(events: Events, child: Child, reason: ExitReason) -> None:
    """Log a stop that did not go as it should."""
    was_asked_for = (
        reason.kind is ExitKind.KILLED and reason.cause != "shutdown_timeout"
    )
    has_lingered = _has_lingered(child, reason)
    if has_lingered or not (reason.clean or was_asked_for):
        events.publish("shutdown_error", child, reason=reasons.to_json(reason))
        lingered = {"lingered": True} if has_lingered else {}
        costs = _costs(child)
        events.warn("shutdown_error", child, reason=str(reason), **lingered, **costs)
