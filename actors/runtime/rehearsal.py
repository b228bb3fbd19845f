"""The start of an actor, rehearsed: what it writes to in memory that it shares with others is its own when it counts.

The first write to a page costs a copy of it, and a start writes to hundreds, most of them to count references.
So a process that does not know yet which actor it will be starts one of no importance, and lets go of it.
What that actor has outside of its process is made once: whoever rehearses next is its next incarnation.
Of the copies of one process, the first that comes to the end notes which pages it has copied, and the others copy those and rehearse nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from actors import context
from actors.runtime import lanes, private, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.loop import RingLoop
from actors.runtime.outgoing import mailbox_name
from actors.runtime.process import Process
from actors.runtime.start import Arguments, Start
from actors.runtime.working_set import WorkingSet
from transports import registry

FOLDER = (
    "spare"  # in the directory of a system: a stage for each process that has copies
)
NUMBER = 2  # nobody else is on that stage; 0 would be nobody to answer
_LANE_BYTES = lanes.SHARE_BYTES + lanes.CREDIT_BYTES
MODULE = "actors.runtime.understudy"
_METHOD = b"answer"  # of an Understudy
# The pickle of an Understudy's class, args and kwargs, made by hand: to pickle it, the module would have to be imported.
_ARGUMENTS = Arguments(f"(c{MODULE}\nUnderstudy\n(t}}t.".encode())


class Stage:
    """Where the copies of this process rehearse, one at a time."""

    def __init__(self, system: RuntimeDirectory) -> None:
        """Make it, and remove those of processes that have ended.

        Raises:
            TransportError: There is no room in shared memory.
            OSError: Another limit of the system.
        """
        folder = system.path / FOLDER
        folder.mkdir(0o700, exist_ok=True)
        for other in folder.iterdir():
            if not Path("/proc", other.name).exists():
                _remove_unused(other)
        self._working_set = WorkingSet()
        self._path = folder / str(os.getpid())
        self._transport = registry.get("shm")
        self._path.mkdir(0o700)
        # Its descriptor is open while somebody rehearses.
        self._directory = attrs.evolve(system, path=self._path, fd=-1)
        try:
            self._furnish()
        except BaseException:
            self.remove()
            raise

    def _furnish(self) -> None:
        """Make what an actor has."""
        directory = self._directory
        directory.fd = fd = private.open_directory(self._path)
        try:
            limit = self._transport.inline_limit
            page = directory.create_file(
                status.file_name(NUMBER), status.size(1, limit, 1)
            )
            status.StatusPage.format(page, 1, limit, self._transport.scheme).close()
            os.close(page)
            lanes.create(fd, NUMBER, _LANE_BYTES)
            os.close(self._transport.create(fd, mailbox_name(NUMBER), _LANE_BYTES))
        finally:
            self._leave()

    def _leave(self) -> None:
        os.close(self._directory.fd)
        self._directory.fd = -1

    def remove(self) -> None:
        """Leave nothing of it."""
        shutil.rmtree(self._path, ignore_errors=True)

    def prepare(self, is_called: Callable[[], bool]) -> None:
        """Copy what a start writes to, in a copy of the process that made this, or as much of it as there is time for until it *is_called*.

        Raises:
            As ``rehearse``.
        """
        with contextlib.closing(self._working_set) as working_set:
            if working_set.is_known:
                working_set.prefault(is_called)
            elif not is_called():
                working_set.begin()
                self._rehearse(is_called, working_set.note)

    def rehearse(self, is_called: Callable[[], bool]) -> None:
        """Start an actor and let go of it, or do as much of that as there is time for until this process *is_called*.

        Raises:
            TransportError: The stage makes no sense any more.
            AskTimeoutError: The understudy did not answer.
            OSError: It is gone, or another rehearses there.
        """
        self._rehearse(is_called, lambda: None)

    def _rehearse(
        self, is_called: Callable[[], bool], on_started: Callable[[], None]
    ) -> None:
        if is_called():
            return
        self._directory.fd = fd = os.open(self._path, private.OPEN_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mailbox_fd = private.open_file(mailbox_name(NUMBER), fd)
            goodbye_fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            try:
                self._play(mailbox_fd, goodbye_fd, is_called, on_started)
            finally:
                os.close(mailbox_fd)
                os.close(goodbye_fd)
        finally:
            self._leave()
        if not is_called():  # else the next collection does it
            gc.collect()  # unmaps the slots

    def _play(
        self,
        mailbox_fd: int,
        goodbye_fd: int,
        is_called: Callable[[], bool],
        on_started: Callable[[], None],
    ) -> None:
        process = Process(
            Start(
                directory=self._directory,
                number=NUMBER,
                incarnation=1,
                name="understudy",
                scheme=self._transport.scheme,
                mailbox_fd=mailbox_fd,
                goodbye_fd=goodbye_fd,
                arguments=_ARGUMENTS,
                heartbeat=None,
                resources={},
                redelivers=False,
            ),
            RingLoop(),
        )
        try:
            if not is_called():
                process.rehearse(_METHOD)
                if not is_called():
                    on_started()
        finally:
            # However far it came: who comes next must find no actor here.
            context.install(None)
            process.leave_stage()
            # As nothing has imported a user's module, next time nothing will have imported this.
            sys.modules.pop(MODULE, None)


def _remove_unused(stage: Path) -> None:
    """Remove *stage*, unless a copy of the one that made it rehearses there: it would wait for an answer in vain."""
    with contextlib.suppress(OSError):
        fd = os.open(stage, private.OPEN_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(stage, ignore_errors=True)
        finally:
            os.close(fd)
