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
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are all that is needed
        if name.isdecimal():
            try:
                text = Path(f"/proc/{name}/stat").read_text(errors="replace")
            except OSError:  # it has ended meanwhile
                continue
            found[int(name)] = _from_stat(text, page_bytes)
    return found


def _from_stat(text: str, page_bytes: int) -> Process:
    # The name in parentheses may hold anything, parentheses included.
    pid, _, rest = text.partition(" (")
    name, _, behind = rest.rpartition(") ")
    fields = behind.split()
    return Process(
        pid=int(pid),
        parent=int(fields[_PARENT]),
        name=name,
        is_stopped=fields[_STATE] in _STOPPED,
        is_dead=fields[_STATE] in _DEAD,
        rss_bytes=int(fields[_RSS]) * page_bytes,
    )
