"""Signs of life of an actor's process: a thread that writes the time into the status page.

It needs the GIL for it, so a process that hangs with the GIL held, is stopped or gets no processor gives none.
A Python loop in a handler does not keep it from beating.
"""

from __future__ import annotations

import threading
import time

from actors.runtime import status


def start(page: status.StatusPage, interval: float) -> None:
    """Write a sign of life to *page* now, and every *interval* seconds until the process ends."""
    words = page.words
    rest = threading.Event()

    def beat() -> None:
        while True:
            words[status.HEARTBEAT] = time.monotonic_ns()
            rest.wait(interval)

    words[status.HEARTBEAT] = time.monotonic_ns()
    threading.Thread(target=beat, name="actors-heartbeat", daemon=True).start()
