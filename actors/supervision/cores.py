"""Whether a core is free: for work that can wait until one is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LOAD = Path("/proc/loadavg")


def is_one_free() -> bool:
    """Return whether fewer tasks want to run than there are cores for this process; also where the system does not say."""
    with contextlib.suppress(OSError):
        return leaves_one_free(_LOAD.read_text("ascii"), len(os.sched_getaffinity(0)))
    return True


def leaves_one_free(load: str, cores: int) -> bool:
    """Return whether *load*, the text of ``/proc/loadavg`` as a task reads it, leaves one of *cores* to nobody but that task.

    The fourth field says how many tasks run or want to, and how many there are. Those of other containers, and of cores that are not
    ours, are among them: then one that is free seems busy.
    """
    wanted = int(load.split()[3].partition("/")[0])
    return wanted - 1 < cores  # the reader runs
