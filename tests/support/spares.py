"""The processes that supervisors keep for births to come."""

from __future__ import annotations

from pathlib import Path

from actors.supervision import mould, spare
from tests.support.gates import wait_until
from tests.support.procfs import children_of, is_asleep


def moulds_of(supervisor: int) -> list[int]:
    """Return the moulds of the process *supervisor*."""
    return _called(supervisor, mould.NAME)


def spares_of(supervisor: int) -> list[int]:
    """Return the spare processes of *supervisor*, ready or not."""
    return _called(supervisor, spare.NAME)


def is_unborn(pid: int) -> bool:
    """Return whether *pid* is a mould or a spare process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() in spare.UNBORN
    except (FileNotFoundError, ProcessLookupError):
        return False


def the_mould_of(supervisor: int) -> int:
    """Return the mould of *supervisor*; a copy of it bears its name for a moment."""
    found: list[int] = []

    def is_alone() -> bool:
        found[:] = moulds_of(supervisor)
        return len(found) == 1

    wait_until(is_alone, "one mould")
    return found[0]


def ready_spare_of(supervisor: int) -> int:
    """Return the spare process of *supervisor*, once it waits for its birth."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = [pid for pid in spares_of(supervisor) if _is_ready(pid)]
        return bool(found)

    wait_until(is_there, "a spare process")
    return found[0]


def descriptors_of(pid: int) -> list[str]:
    """Return what the descriptors of *pid* are."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return found


def _is_ready(pid: int) -> bool:
    try:
        # Its loop is made at the end; before, it was asleep for no time worth mentioning.
        return "anon_inode:[eventpoll]" in descriptors_of(pid) and is_asleep(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False


def _called(supervisor: int, name: str) -> list[int]:
    found = []
    for pid in children_of(supervisor):
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
