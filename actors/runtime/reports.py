"""What processes of a system tell each other about messages and ends: JSON, never pickles, so that supervisors can read it."""

from __future__ import annotations

import json
from typing import Any

MAX_TEXT = 8 * 1024


def to_bytes(facts: dict[str, Any]) -> bytes:
    """Return *facts* as the body of a frame."""
    return json.dumps(facts).encode()


def of_exception(error: BaseException) -> dict[str, str]:
    """Return what is worth knowing of *error*; never raises for what its class does."""
    try:
        text = str(error)[:MAX_TEXT]
    except Exception as exc:  # noqa: BLE001 - user code: __str__ may do anything
        text = f"<no text: __str__ raised {type(exc).__name__}>"
    return {"type": type(error).__name__, "text": text}
