"""Whether the kernel has killed a process because memory ran out.

It leaves no mark on the process: SIGKILL is all that is seen.
But it counts such kills for each memory cgroup, and our children are in the supervisor's.
The cgroup may hold others too, so a kill is evidence only where no more processes have died of SIGKILL than were killed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path

from actors.supervision import linux

# Where the controllers are mounted, and the file that counts; of cgroup v2 and v1.
_PLACES = (
    ("0::", "/sys/fs/cgroup", "memory.events"),
    ("0::", "/sys/fs/cgroup/unified", "memory.events"),
    (":memory:", "/sys/fs/cgroup/memory", "memory.oom_control"),
)


class Oom(enum.StrEnum):
    """What is known about it; the values are those of ``ExitReason.oom``."""

    YES = "yes"
    SUSPECTED = "suspected"  # more have died than were killed
    NO = "no"
    UNKNOWN = "unknown"  # nobody counts


def counter() -> Path | None:
    """Return the file that counts kills in our memory cgroup; None where there is none."""
    for key, mount, name in _PLACES:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, found, path = line.partition(key)
            # In a container the mount may begin at our own cgroup, whatever its path outside is.
            for folder in (f"{mount}{path}", mount):
                if found and _count(Path(folder, name)) is not None:
                    return Path(folder, name)
    return None


def _count(file: Path) -> int | None:
    try:
        lines = linux.read(file).splitlines()
    except OSError:
        return None
    counts = [line.split()[1] for line in lines if line.startswith(b"oom_kill ")]
    return int(counts[0]) if counts else None


class OomWitness:
    """Says of each process that died of SIGKILL whether that was for lack of memory."""

    def __init__(self, file: Path | None) -> None:
        """Read the count of kills from *file*; None: nobody counts."""
        self._file = file
        self._told = self.kills()  # kills that are accounted for
        # Who has died together with the last one that was killed, and the verdict on them.
        self._batch: set[int] = set()
        self._verdict = Oom.NO

    def kills(self) -> int:
        """Return how many processes have been killed so far."""
        return 0 if self._file is None else _count(self._file) or 0

    def testify(
        self, number: int, kills_at_birth: int, others: Callable[[], set[int]]
    ) -> Oom:
        """Return whether a process that died of SIGKILL was killed for lack of memory.

        Args:
            number: Whose it was.
            kills_at_birth: What ``kills`` was when it was made.
            others: Returns whose processes have died of SIGKILL as well, and will be asked about; called only if there is need.
        """
        if self._file is None:
            return Oom.UNKNOWN
        if number in self._batch:
            self._batch.remove(number)
            return self._verdict
        total = self.kills()
        kills = total - max(self._told, kills_at_birth)
        if kills <= 0:
            return Oom.NO
        self._batch = others() - {number}
        self._told = total
        self._verdict = Oom.YES if kills > len(self._batch) else Oom.SUSPECTED
        return self._verdict
