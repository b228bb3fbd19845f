"""What the death of the root supervisor means to a process of its system."""

from __future__ import annotations

from actors.errors import SystemClosedError, SystemFailedError
from actors.exits import ExitKind, ExitReason
from actors.runtime import status

# Why a root supervisor ends that nobody can ask for anything any more.
ROOT_DEAF = ExitReason(
    ExitKind.CONTROL_LOST,
    message="the ring for requests to the root supervisor was damaged",
)


def system_lost() -> SystemFailedError:
    """Return the error for a root supervisor that died and has not said why."""
    return _lost_to("the root supervisor died")


def loss_of(page: status.StatusPage) -> Exception:
    """Return what the death of the root means, whose status page is *page*."""
    how = page.words[status.CLOSED]
    if how == status.BY_OWNER:
        return SystemClosedError("the system was closed by the program that owns it")
    if how == status.BY_SIGNAL:
        return SystemFailedError(ExitReason(ExitKind.SHUTDOWN))
    if how == status.WITH_OWNER:
        return _lost_to("the program that owns the system has ended without closing it")
    return system_lost()


def lane_lost() -> SystemFailedError:
    """Return the error for a process that cannot be answered any more, because its lane was damaged."""
    return _lost_to("the ring for this program's answers was damaged")


def _lost_to(message: str) -> SystemFailedError:
    return SystemFailedError(ExitReason(ExitKind.SUPERVISOR_DIED, message=message))
