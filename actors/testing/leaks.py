"""What a test can leave behind, told from what others do on the same machine.

Processes, named objects in ``/dev/shm``, POSIX queues where they can be seen (see ``queues``), and descriptors of the process that runs the tests.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Literal

import attrs

from actors.runtime import clients, status, systems
from actors.runtime.client import MAIN
from actors.testing import queues

# In the environment of everything that the tests start, so that a process whose parent has died is found too.
MARKER = "ACTORS_TEST_RUN"
RUN = uuid.uuid4().hex

NAMED_OBJECTS = Path("/dev/shm")  # noqa: S108 - only looked at
LEAVING_SECONDS = 2.0  # for what is on its way out when a test ends
_PACE = 0.005

Kind = Literal["process", "file", "queue", "descriptor", "dead_letter"]


@attrs.frozen
class Leak:
    """Something that was left behind.

    Attributes:
        kind: What it is.
        text: Which one.
    """

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.text}"


@contextlib.contextmanager
def nothing_left(may_leak: Collection[Kind] = ()) -> Iterator[None]:
    """Fail if the block leaves something behind.

    What is on its way out gets two seconds.

    Args:
        may_leak: Kinds that do not count.

    Raises:
        AssertionError: Something is left; the text names each.
    """
    find = watch(may_leak)
    yield
    refuse(find())


def watch(may_leak: Collection[Kind] = ()) -> Callable[[], list[Leak]]:
    """Return a function that returns what has come since now and stays."""
    os.environ[MARKER] = RUN
    before = look()

    def find() -> list[Leak]:
        deadline = time.monotonic() + LEAVING_SECONDS
        since: dict[Leak, float] = {}
        while True:
            # What holds a descriptor may be garbage; and a ResourceWarning is to land on the test that caused it.
            gc.collect()
            left = [leak for leak in left_since(before) if leak.kind not in may_leak]
            now = time.monotonic()
            since = {leak: since.get(leak, now) for leak in left}
            if not left or now >= deadline:
                return [leak for leak in left if _stays(leak, now - since[leak])]
            time.sleep(_PACE)  # noqa: TID251 - the pace of the polling, not the wait

    return find


def _stays(leak: Leak, seconds: float) -> bool:
    """Return whether a *leak* that was seen for *seconds* is one: names come and go that strangers make."""
    return leak.kind not in {"file", "queue"} or seconds >= LEAVING_SECONDS / 2


def refuse(leaks: Collection[Leak]) -> None:
    """Fail because of *leaks*, if there are any.

    Raises:
        AssertionError: There are; the text names each.
    """
    if leaks:
        lines = ["left behind:", *(f"  {leak}" for leak in leaks)]
        raise AssertionError("\n".join(lines))


@attrs.frozen
class Traces:
    """What is there at one moment."""

    has_systems: bool  # of this process, which open descriptors at any time
    processes: frozenset[int]
    names: frozenset[str]
    descriptors: frozenset[str]


def look() -> Traces:
    """Return what there is now."""
    return Traces(
        has_systems=bool(clients.by_system),
        processes=frozenset(_children() | _marked()),
        names=frozenset(_names()),
        descriptors=frozenset(_descriptors(os.getpid())),
    )


def left_since(before: Traces) -> list[Leak]:
    """Return what has come since *before* and is still there.

    What comes to a process or a system that ran *before* already belongs to that, and is looked at when it has ended.
    """
    now = look()
    processes = frozenset(
        pid for pid in now.processes - before.processes if not _is_below(pid, before)
    )
    names = now.names - before.names
    if names:
        names -= _of_others(names, processes)
        # That took long: what strangers make and remove all the time has gone meanwhile.
        names &= frozenset(_names())
    descriptors = frozenset[str]()
    if not before.has_systems:
        descriptors = now.descriptors - before.descriptors
    return [
        *(Leak("process", f"{pid}: {_command(pid)}") for pid in sorted(processes)),
        *(Leak(_kind_of(name), name) for name in sorted(names)),
        *(Leak("descriptor", descriptor) for descriptor in sorted(descriptors)),
    ]


def _kind_of(name: str) -> Kind:
    return "queue" if Path(name).parent == queues.FOLDER else "file"


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
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").split()
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "just gone"
    return f"{name} {b' '.join(words)[:120].decode(errors='replace')}"


def _names() -> Iterator[str]:
    """Yield the named kernel objects of this user; a system's directory is one of them."""
    for path in _entries(NAMED_OBJECTS):
        if path.name.startswith("actors-") and path.is_dir():
            yield from map(str, _entries(path))
        else:
            yield str(path)
    yield from queues.names()


def _entries(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):  # not there, or not ours to look into
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if path.lstat().st_uid == os.geteuid():
                    yield path


def _of_others(names: frozenset[str], ours: frozenset[int]) -> set[str]:
    """Return those of *names* that belong to others: a process that is neither *ours* nor this one has it open or mapped, or made it.

    Other programs use the same folders, and two runs of the tests may go on at once.
    Others are also processes that ran before, such as a system that several tests share, in which each may make a queue.
    What stays of a system whose program was killed says only who that was; the next start of any system removes it.
    """
    ours |= {os.getpid()}
    theirs = {
        name for name in names if _program_of(_system_of(name)) not in {None, *ours}
    }
    for pid in set(_pids()) - ours:
        paths = [entry.partition(" ")[2] for entry in _descriptors(pid)]
        paths += _mapped(pid)  # as semaphores are, whose descriptor is closed
        theirs |= {
            name
            for name in names
            if any(f"{path}/".startswith(f"{_link_of(name)}/") for path in paths)
        }
    return theirs


def _link_of(name: str) -> str:
    """Return what /proc shows for a descriptor of *name*: of a queue, not where queues are mounted."""
    return name.removeprefix(str(queues.FOLDER))


def _system_of(name: str) -> Path:
    """Return the directory of the system that *name* is, or belongs to as the queue of a mailbox."""
    if _kind_of(name) == "queue":
        for mailbox in systems.default_base().glob("*/*.mail"):
            if _holds(mailbox, _link_of(name).encode()):
                return mailbox.parent
    return Path(name)


def _holds(path: Path, content: bytes) -> bool:
    """Return whether *path* is a file with that *content*; others are large, or would keep a reader waiting."""
    with contextlib.suppress(OSError):  # just gone
        if path.is_file() and path.stat().st_size == len(content):
            return path.read_bytes() == content
    return False


def _program_of(system: Path) -> int | None:
    """Return the process whose system has the directory *system*; None if it is none, or does not say so yet."""
    page = system / status.file_name(MAIN)
    try:
        with page.open("rb") as file:
            head = file.read(status.WORDS_BYTES)
    except OSError:
        return None
    if len(head) < status.WORDS_BYTES:
        return None
    return memoryview(head).cast("Q")[status.PID] or None


def _mapped(pid: int) -> list[str]:
    """Return the files that *pid* has mapped."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    except OSError:  # gone, or somebody else's
        return []
    return [line[line.index("/") :] for line in lines if "/" in line]


def _descriptors(pid: int) -> Iterator[str]:
    """Yield ``number target`` for each open descriptor of *pid*."""
    with contextlib.suppress(OSError):
        for link in list(Path(f"/proc/{pid}/fd").iterdir()):
            # The descriptor of the listing itself has gone by now.
            with contextlib.suppress(OSError):
                yield f"{link.name} {link.readlink()}"
