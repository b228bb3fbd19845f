"""What a test can leave behind, told from what others do on the same machine.

Responsible for seeing: processes, named kernel objects, and descriptors of the process that runs the tests.
Not responsible for when to look and how long to wait: ``tests/conftest.py`` is.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import attrs

# In the environment of everything that the tests start, so that a process whose parent has died is found too.
MARKER = "ACTORS_TEST_RUN"
RUN = uuid.uuid4().hex

NAMED_OBJECTS = (Path("/dev/shm"), Path("/dev/mqueue"))


@attrs.frozen
class Traces:
    """What is there at one moment."""

    processes: frozenset[int]
    names: frozenset[str]
    descriptors: frozenset[str]


def look() -> Traces:
    """Return what there is now."""
    return Traces(
        processes=frozenset(_children() | _marked()),
        names=frozenset(_names()),
        descriptors=frozenset(_descriptors(os.getpid())),
    )


def left_since(before: Traces) -> list[str]:
    """Return what has come since *before* and is still there, in words.

    A process or descriptor of a system that ran *before* already belongs to that system, and is looked at when it has ended.
    """
    now = look()
    processes = {
        pid for pid in now.processes - before.processes if not _is_below(pid, before)
    }
    names = now.names - before.names
    if names:
        names -= _held_by_strangers(names, now.processes)
    descriptors = frozenset[str]()
    if not before.processes:
        descriptors = now.descriptors - before.descriptors
    return [
        *(f"process {pid}: {_command(pid)}" for pid in sorted(processes)),
        *sorted(names),
        *(f"descriptor {descriptor}" for descriptor in sorted(descriptors)),
    ]


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())


def _children() -> set[int]:
    """Return our own children, those that nobody has waited for included."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def _marked() -> set[int]:
    """Return the descendants of the test run that are alive, whoever is their parent now."""
    marker = f"{MARKER}={RUN}".encode()
    found: set[int] = set()
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone, or somebody else's
            if marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def _is_below(pid: int, before: Traces) -> bool:
    """Return whether a process that was there before is an ancestor of *pid*."""
    while pid > 1:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
        if pid in before.processes:
            return True
    return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "just gone"
    return f"{name} {b' '.join(words)[:120].decode(errors='replace')}"


def _names() -> Iterator[str]:
    """Yield the named kernel objects of this user; a system's directory is one of them."""
    for folder in NAMED_OBJECTS:
        for path in _entries(folder):
            if path.name.startswith("actors-") and path.is_dir():
                yield from map(str, _entries(path))
            else:
                yield str(path)


def _entries(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):  # not there, or not ours to look into
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if path.lstat().st_uid == os.geteuid():
                    yield path


def _held_by_strangers(names: frozenset[str], ours: frozenset[int]) -> set[str]:
    """Return those of *names* that a process which no test has started has open.

    Other programs use the same folders, and two runs of the tests may go on at once.
    """
    held: set[str] = set()
    for pid in set(_pids()) - ours - {os.getpid()}:
        paths = [entry.partition(" ")[2] for entry in _descriptors(pid)]
        held |= {
            name
            for name in names
            if any(path == name or path.startswith(f"{name}/") for path in paths)
        }
    return held


def _descriptors(pid: int) -> Iterator[str]:
    """Yield ``number target`` for each open descriptor of *pid*."""
    with contextlib.suppress(OSError):
        for link in list(Path(f"/proc/{pid}/fd").iterdir()):
            # The descriptor of the listing itself has gone by now.
            with contextlib.suppress(OSError):
                yield f"{link.name} {link.readlink()}"
