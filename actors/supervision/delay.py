"""What the end of a system waits for, in words: told when it takes long, so that nobody sits before a silent terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable

from actors.runtime.evidence import in_hand
from actors.supervision.child import MAX_LISTED, ActorChild

SECONDS = 1.0  # that an end may take before it is explained
ALARM = "delayed"
HINT = "Ctrl-C ends them now"


def describe(children: Iterable[ActorChild]) -> str:
    """Return which of *children* are in the middle of a handler, which one and for how long; empty when none is."""
    now_ns = time.monotonic_ns()
    busy = [text for child in children for text in _handlers(child, now_ns)]
    if len(busy) > MAX_LISTED:
        busy = [*busy[:MAX_LISTED], f"{len(busy) - MAX_LISTED} more"]
    return ", ".join(busy)


def _handlers(child: ActorChild, now_ns: int) -> list[str]:
    found = []
    for slot in child.estate.page.slots():
        header = in_hand(slot) if slot.started else None
        if header is not None:
            age = max(0, now_ns - slot.started_ns) / 1e9
            found.append(
                f"{child.label} ({child.method(header.method)} for {age:.1f} s)"
            )
    return found
