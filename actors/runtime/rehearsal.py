"""The start of an actor, rehearsed: what it writes to in memory that it shares with others is its own when it counts.

The first write to a page costs a copy of it, and a start writes to hundreds, most of them to count references.
So a process that does not know yet which actor it will be starts one of no importance, in a directory of its own, and lets go of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs

from actors import context
from actors.runtime import lanes, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.loop import RingLoop
from actors.runtime.outgoing import mailbox_name
from actors.runtime.process import Process
from actors.runtime.start import Arguments, Start
from actors.wire.frame import Kind
from transports import registry
from transports.mailbox import Transport

FOLDER = "spare"  # in the directory of a system: a directory for each that rehearses
_NUMBER = 0  # nobody else is in that directory
_LANE_BYTES = lanes.SHARE_BYTES + lanes.CREDIT_BYTES
# The pickle of an Understudy's class, args and kwargs, made by hand: to pickle it, the module would have to be imported.
_ARGUMENTS = Arguments(b"(cactors.runtime.understudy\nUnderstudy\n(t}t.")


def rehearse(system: RuntimeDirectory) -> RingLoop:
    """Start an actor, let go of it, and return a loop for the one that is to come.

    Raises:
        TransportError: There is no room in shared memory.
        OSError: Another limit of the system.
    """
    transport = registry.get("shm")
    with (
        _stage(system) as directory,
        _mailbox(directory, transport) as held,
        Path(os.devnull).open("wb") as goodbye,
    ):
        scheme = transport.scheme
        process = Process(
            Start(
                directory=directory,
                number=_NUMBER,
                incarnation=1,
                name="understudy",
                scheme=scheme,
                mailbox_fd=held,
                goodbye_fd=goodbye.fileno(),
                arguments=_ARGUMENTS,
                heartbeat=None,
                resources={},
                redelivers=False,
            ),
            RingLoop(),
        )
        process.rehearse()
        process.client.outgoing.notify(_NUMBER, Kind.REQUEST, b"")
        process.client.close()
        process.loop.close()
    context.install(None)
    return RingLoop()


@contextlib.contextmanager
def _stage(system: RuntimeDirectory) -> Iterator[RuntimeDirectory]:
    """Give a directory of our own, which is removed at the end; what killed ones have left is removed as well."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(FOLDER, 0o700, dir_fd=system.fd)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    folder_fd = os.open(FOLDER, flags, dir_fd=system.fd)
    own = str(os.getpid())
    try:
        for name in os.listdir(folder_fd):  # noqa: PTH208 - a descriptor has no path
            if name == own or not Path(f"/proc/{name}").exists():
                shutil.rmtree(name, ignore_errors=True, dir_fd=folder_fd)
        os.mkdir(own, 0o700, dir_fd=folder_fd)
        fd = os.open(own, flags, dir_fd=folder_fd)
        try:
            yield attrs.evolve(system, path=system.path / FOLDER / own, fd=fd)
        finally:
            os.close(fd)
            shutil.rmtree(own, dir_fd=folder_fd)
    finally:
        os.close(folder_fd)


@contextlib.contextmanager
def _mailbox(directory: RuntimeDirectory, transport: Transport) -> Iterator[int]:
    """Make what an actor has, and give the descriptor of its mailbox."""
    page = directory.create_file(status.file_name(_NUMBER), status.size(0, 0, 1))
    status.StatusPage.format(page, 0, 0, transport.scheme).close()
    os.close(page)
    lanes.create(directory.fd, _NUMBER, _LANE_BYTES)
    held = transport.create(directory.fd, mailbox_name(_NUMBER), _LANE_BYTES)
    try:
        yield held
    finally:
        os.close(held)
