"""How long an answer may take."""

from __future__ import annotations

from actors.options import is_seconds, refused

DEFAULT_TIMEOUT = 5.0  # seconds an ask may take unless ``within`` says otherwise
MAX_TIMEOUT = 1e9  # 31 years; deadlines travel as nanoseconds in 64 bits


def check_timeout(timeout: object) -> None:
    """Check a deadline.

    Raises:
        OptionError: *timeout* is neither a number of seconds that fits, nor None.
    """
    if timeout is not None and not (is_seconds(timeout) and timeout <= MAX_TIMEOUT):
        accepted = (
            f"a number of seconds from 0 to {MAX_TIMEOUT:g}, or None for no deadline"
        )
        raise refused("timeout", timeout, accepted)
