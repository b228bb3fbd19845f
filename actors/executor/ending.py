"""How an executor ends."""

from __future__ import annotations

import enum


class Ending(enum.IntEnum):
    """How an executor ends; a later one can only be harder."""

    NOT_AT_ALL = 0
    AFTER_ALL = 1  # calls
    AFTER_RUNNING = 2  # calls; those that wait are cancelled
    AT_ONCE = 3
