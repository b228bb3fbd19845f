"""What the kernel allows a process: set by an actor for itself before any code of the user runs, by its supervisor later.

Only soft limits are set: they can be raised again, up to the hard ones.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping
from typing import Any

from actors.options import refused

_KINDS = {
    "max_memory_bytes": resource.RLIMIT_AS,
    "max_cpu_seconds": resource.RLIMIT_CPU,
    "max_open_files": resource.RLIMIT_NOFILE,
}


def apply(pid: int, threads: Iterable[int], wanted: Mapping[str, Any]) -> None:
    """Set limits of a process that is ours and unreaped.

    Args:
        pid: Which; it leads a process group.
        threads: Its threads.
        wanted: The attributes of ``Resources`` to set; None lifts a limit.

    Raises:
        OptionError: The system does not allow one of them; those before it are set.
    """
    for name, value in wanted.items():
        try:
            if name in _KINDS:
                _limit(pid, name, value)
            elif name == "nice":
                # All threads of the group: with PRIO_PROCESS it would be the main one alone.
                os.setpriority(os.PRIO_PGRP, pid, value or 0)
            else:
                for thread in threads:
                    os.sched_setaffinity(thread, value or range(os.cpu_count() or 1))
        except OSError as exc:
            raise refused(
                name, value, f"the system does not allow it: {exc.strerror}"
            ) from exc


def _limit(pid: int, name: str, value: int | None) -> None:
    kind = _KINDS[name]
    _, hard = resource.prlimit(pid, kind)
    if value is not None and hard != resource.RLIM_INFINITY and value > hard:
        raise refused(name, value, f"at most {hard}, the hard limit of this system")
    resource.prlimit(pid, kind, (hard if value is None else value, hard))
