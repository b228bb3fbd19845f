"""What ``/proc`` tells of other processes."""

from __future__ import annotations

from pathlib import Path


def is_asleep(pid: int) -> bool:
    """Return whether a process waits for something."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def switches_of(pid: int) -> int:
    """Return how often a process has been put on a processor."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
