"""What the failed start of a worker means for its executor.

Pure.
"""

from __future__ import annotations

from actors.exits import ExitKind, ExitReason
from actors.supervision.backoff import Backoff

MAX_FAILURES = 3  # in a row, when nobody else is there to do the work
BACKOFF = Backoff(jitter=0.0)


def delay_after(reason: ExitReason, failures: int, others: int) -> float | None:
    """Return in how many seconds a worker is started again; None: the executor is broken.

    An initializer that raises will raise again, so it is tried again only where others work meanwhile.

    Args:
        reason: Why the start failed.
        failures: How many starts have failed in a row, this one included.
        others: Workers that there are.
    """
    has_raised = reason.kind is ExitKind.FAILED_TO_START
    if not others and (has_raised or failures >= MAX_FAILURES):
        return None
    return BACKOFF.delay(failures - 1, luck=0.0)
