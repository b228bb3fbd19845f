"""What ``/proc`` tells about processes."""

from __future__ import annotations

import os
from pathlib import Path

from actors.cli.snapshot import Process

# Fields of /proc/<pid>/stat, counted from the one behind the name; see proc(5).
_STATE, _PARENT, _RSS = 0, 1, 21
_STOPPED, _DEAD = "Tt", "ZX"


def processes() -> dict[int, Process]:
    """Return the processes that this user can see, by pid."""
    numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - names are all that is needed
    found = [process(number) for number in numbers]
    return {each.pid: each for each in found if each is not None}


def process(pid: int) -> Process | None:
    """Return one process; None when there is none, or it is hidden from this user."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything, parentheses included.
    name, _, behind = text.partition(" (")[2].rpartition(") ")
    fields = behind.split()
    return Process(
        pid=pid,
        parent=int(fields[_PARENT]),
        name=name,
        is_stopped=fields[_STATE] in _STOPPED,
        is_dead=fields[_STATE] in _DEAD,
        rss_bytes=int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE"),
    )
