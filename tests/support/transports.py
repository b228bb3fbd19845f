"""Mailboxes for the tests of transports, and the program their processes run.

The processes are ``python -m tests.support.transports <role> <directory> <arguments>``:
the test process itself never forks.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import attrs

from transports import _ring, registry
from transports._ring import Reader, Slot, Writer
from transports.errors import CorruptError
from transports.mailbox import Mailbox, Note, Outlet, Put, Transport

ROOT = Path(__file__).resolve().parents[2]
NAME = "1.mail"
ECHO = "2.mail"
SLOT = "slot"
PATIENCE_SECONDS = 20


E = TypeVar("E", Mailbox, Outlet, Reader, Writer)


@attrs.define(eq=False)
class Place:
    """A private directory for one test, and everything opened in it."""

    path: Path
    dir_fd: int
    _stack: contextlib.ExitStack

    def create(
        self, transport: Transport, name: str = NAME, capacity: int | None = None
    ) -> int:
        held = transport.create(self.dir_fd, name, capacity)
        self._stack.callback(os.close, held)
        # what is kept outside the directory goes with the name
        self._stack.callback(transport.unlink, self.dir_fd, name)
        return held

    def keep(self, end: E) -> E:
        """Close *end* with the place."""
        self._stack.callback(end.close)
        return end

    def open(
        self, transport: Transport, held: int, name: str = NAME, seat: int = 0
    ) -> Mailbox:
        return self.keep(transport.open(held, self.dir_fd, name, seat))

    def connect(
        self, transport: Transport, name: str = NAME, note: Note | None = None
    ) -> Outlet:
        return self.keep(transport.connect(self.dir_fd, name, note=note))

    def start(
        self,
        role: str,
        *args: object,
        held: int | None = None,
        program: str = "tests.support.transports",
    ) -> subprocess.Popen[str]:
        """Start a process in *role*; it is killed and reaped with the place."""
        process = subprocess.Popen(
            [sys.executable, "-m", program, role, str(self.path), *map(str, args)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            pass_fds=() if held is None else (held,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._stack.callback(_end, process)
        return process


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended, and so did its children
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@contextlib.contextmanager
def a_place() -> Iterator[Place]:
    """Make a private directory in shared memory and remove it with all in it."""
    path = Path(tempfile.mkdtemp(prefix="test-transports-", dir="/dev/shm"))
    dir_fd = os.open(path, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.ExitStack() as stack:
            yield Place(path, dir_fd, stack)
    finally:
        os.close(dir_fd)
        shutil.rmtree(path)


def new_slot(limit: int = _ring.FRAME_LIMIT) -> Slot:
    """Return a slot in memory of its own."""
    return Slot(mmap.mmap(-1, Slot.size(limit)), 0, limit)


def map_file(path: Path, size: int) -> mmap.mmap:
    """Map the file *path*, made with *size* bytes if it is not there."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_size < size:
            os.posix_fallocate(fd, 0, size)
        return mmap.mmap(fd, size)
    finally:
        os.close(fd)


def slot_file(directory: Path, limit: int = _ring.FRAME_LIMIT, seat: int = 0) -> Slot:
    """Map the slot of a seat, which the processes in *directory* share."""
    return Slot(map_file(directory / f"{SLOT}{seat}", Slot.size(limit)), 0, limit)


def take_all(mailbox: Mailbox, slot: Slot) -> list[bytes]:
    """Take until nothing waits."""
    frames = []
    while (frame := mailbox.take(slot)) is not None:
        frames.append(frame)
        slot.clear()
    return frames


def fill(outlet: Outlet, frame: bytes) -> int:
    """Put *frame* until the mailbox is full; return how many it took."""
    count = 0
    while outlet.put(frame) == Put.ACCEPTED:
        count += 1
    return count


def is_ready(fd: int, event: int, timeout_seconds: float = 0) -> bool:
    """Return whether *fd* is ready for *event*, at the latest after a while."""
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(timeout_seconds * 1000))


def eventually(predicate: Callable[[], bool]) -> None:
    """Ask *predicate* until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not predicate():
        assert time.monotonic() < deadline, "it never came true"
        os.sched_yield()


# Simple roles.


def put_patiently(outlet: Outlet, *parts: bytes) -> Put:
    """Put, and try again for as long as there is no room."""
    while (result := outlet.put(*parts)) == Put.FULL:
        wait_for_room(outlet)
    return result


def wait_for_room(outlet: Outlet) -> None:
    """Sleep until there may be room, or let others run where the transport cannot tell."""
    room = outlet.fileno()
    if room is None:
        os.sched_yield()
    else:
        assert is_ready(room, select.POLLOUT, PATIENCE_SECONDS), "nobody says so"


def smash(directory: Path, rounds: str, seed: str) -> None:
    """Write random bytes into rings and use them; print how many were found corrupt."""
    chance, dir_fd = random.Random(int(seed)), open_directory(directory)
    corrupt = sum(_smash_once(chance, dir_fd) for _ in range(int(rounds)))
    print(corrupt, int(rounds) - corrupt)  # noqa: T201 - the report


def _smash_once(chance: random.Random, dir_fd: int) -> bool:
    transport = registry.get("shm")
    held = transport.create(dir_fd, NAME, 4096)
    ends = transport.open(held, dir_fd, NAME), transport.connect(dir_fd, NAME)
    ends[1].put(bytes(chance.randrange(64)))
    ends[1].put(bytes(chance.randrange(3000)))
    where = 8 * chance.randrange(48) if chance.random() < 0.7 else 4096
    where += chance.randrange(64)
    os.pwrite(held, chance.randbytes(chance.choice([1, 8, 64])), where)
    try:
        _use(transport, held, dir_fd, *ends)
    except CorruptError:
        return True
    else:
        return False
    finally:
        transport.unlink(dir_fd, NAME)
        os.close(held)


def _use(
    transport: Transport, held: int, dir_fd: int, mailbox: Mailbox, outlet: Outlet
) -> None:
    slot = new_slot()
    outlet.put(b"frame")
    mailbox.depth()
    take_all(mailbox, slot)
    outlet.put(bytes(4000))
    mailbox.settle(slot)
    take_all(mailbox, slot)
    transport.connect(dir_fd, NAME).put(b"frame")
    take_all(transport.open(held, dir_fd, NAME), slot)


def send(directory: Path, scheme: str, sender: str, count: str) -> None:
    """Put *count* numbered frames."""
    outlet = registry.get(scheme).connect(open_directory(directory), NAME)
    for number in range(1, int(count) + 1):
        put_patiently(outlet, struct.pack("=IQ", int(sender), number))


def send_mixed(
    directory: Path, scheme: str, sender: str, count: str, around: str
) -> None:
    """Put *count* numbered frames of random bytes and of sizes around *around*."""
    transport = registry.get(scheme)
    outlet = transport.connect(open_directory(directory), NAME)
    chance = random.Random(int(sender))
    for number in range(1, int(count) + 1):
        seed = chance.getrandbits(32)
        head = struct.pack("=IQI", int(sender), number, seed)
        most = min(int(around) + 64, transport.inline_limit) - len(head)
        size = most - chance.choice([0, 1, 2, 30, 2000, most])
        put_patiently(outlet, head, random.Random(seed).randbytes(size))


def put_and_die(directory: Path, scheme: str, text: str) -> None:
    """Put one frame and be killed."""
    outlet = registry.get(scheme).connect(open_directory(directory), NAME)
    assert outlet.put(text.encode()) == Put.ACCEPTED
    os.kill(os.getpid(), signal.SIGKILL)


def take_and_die(directory: Path, scheme: str, held: str) -> None:
    """Take one frame into the shared slot and be killed before starting it."""
    mailbox = registry.get(scheme).open(int(held), open_directory(directory), NAME)
    assert mailbox.take(slot_file(directory)) is not None
    os.kill(os.getpid(), signal.SIGKILL)


def take_and_start(directory: Path, scheme: str, held: str) -> None:
    """Take one frame into the shared slot, start it and go on with it for ever."""
    mailbox = registry.get(scheme).open(int(held), open_directory(directory), NAME)
    slot = slot_file(directory)
    assert mailbox.take(slot) is not None
    slot.start()
    print("started", flush=True)  # noqa: T201 - for whoever waits
    signal.pause()


def doze(directory: Path, scheme: str, held: str, seat: str) -> None:
    """Sleep as one of those of whom one is woken; print how often, and for how many frames, when told to end."""
    transport, dir_fd = registry.get(scheme), open_directory(directory)
    mailbox = transport.open(int(held), dir_fd, NAME, int(seat))
    slot, wakes, taken = new_slot(), 0, 0
    fd = mailbox.fileno()
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            taken += len(take_all(mailbox, slot))
            found = {ready for ready, _ in epoll.poll(PATIENCE_SECONDS)}
            if fd not in found:
                break
            wakes += 1
    print(wakes, taken)  # noqa: T201 - the report


def echo(directory: Path, scheme: str, held: str) -> None:
    """Put back what comes, and sleep in between."""
    dir_fd = open_directory(directory)
    transport = registry.get(scheme)
    mailbox = transport.open(int(held), dir_fd, ECHO)
    outlet, slot = transport.connect(dir_fd, NAME), new_slot()
    while True:
        is_ready(mailbox.fileno(), select.POLLIN, PATIENCE_SECONDS)
        for frame in take_all(mailbox, slot):
            outlet.put(frame)


def saturate(directory: Path, scheme: str, size: str) -> None:
    """Put frames of *size* bytes for ever."""
    outlet = registry.get(scheme).connect(open_directory(directory), NAME)
    frame = bytes(int(size))
    while True:
        outlet.put(frame)


def open_directory(directory: Path) -> int:
    """Open the place from one of its processes."""
    return os.open(directory, os.O_DIRECTORY | os.O_CLOEXEC)


def main(roles: dict[str, Callable[..., None]]) -> None:
    """Play the role that the command line names."""
    _, role, directory, *args = sys.argv
    roles[role](Path(directory), *args)


if __name__ == "__main__":
    main(
        {
            "doze": doze,
            "echo": echo,
            "put_and_die": put_and_die,
            "saturate": saturate,
            "send": send,
            "send_mixed": send_mixed,
            "smash": smash,
            "take_and_die": take_and_die,
            "take_and_start": take_and_start,
        }
    )
