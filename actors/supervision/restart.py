"""What a death means for the one that died: the restart types of OTP.

Pure.
Which siblings a restart takes along is a strategy's decision, made after this one and only if the answer here is to restart.
"""

from __future__ import annotations

import enum
from typing import Literal

from actors.exits import ExitReason


class RestartType(enum.StrEnum):
    """When a child is started again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Decision(enum.Enum):
    """What becomes of a child that has died."""

    RESTART = "restart"
    END = "end"  # stays down; its specification stays known
    REMOVE = "remove"  # stays down and is forgotten


def decide(
    restart_type: RestartType | Literal["permanent", "transient", "temporary"],
    reason: ExitReason,
    *,
    stopping: bool = False,
    final: bool = False,
) -> Decision:
    """Return what becomes of a child of *restart_type* that died of *reason*.

    Args:
        restart_type: As in its specification.
        reason: Why it died.
        stopping: Whether its supervisor was stopping it: such a death never restarts, whatever the reason.
        final: Whether somebody asked for its end for good: the same, for a child that its supervisor was not stopping.

    Source: ``do_restart/3`` of OTP's ``supervisor.erl``.
    """
    if restart_type == RestartType.TEMPORARY:
        return Decision.REMOVE
    if stopping or final or (restart_type == RestartType.TRANSIENT and reason.clean):
        return Decision.END
    return Decision.RESTART
