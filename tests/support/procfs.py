"""What ``/proc`` tells of other processes."""

from __future__ import annotations

from pathlib import Path


def stat_of(pid: int) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` from the third on: the second, a name, may hold anything."""
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return text.rpartition(")")[2].split()


def state_of(pid: int) -> str:
    """Return what a process does: ``R``, ``S``, ``T``, ``Z`` and so on."""
    return stat_of(pid)[0]


def is_asleep(pid: int) -> bool:
    """Return whether a process waits for something."""
    return state_of(pid) == "S"


def is_gone(pid: int) -> bool:
    """Return whether no process, dead or alive, has this number."""
    return not Path(f"/proc/{pid}").exists()


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    return int(stat_of(pid)[1])


def children_of(pid: int) -> list[int]:
    """Return the children of a process, zombies included."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return list(map(int, text.split()))


def switches_of(pid: int) -> int:
    """Return how often a process has been put on a processor."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
