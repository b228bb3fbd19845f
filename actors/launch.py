"""Starting the root supervisor, and making sure that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from actors.errors import RuntimeDirectoryError
from actors.pending import Pending
from actors.runtime import door, lanes, status, systems
from actors.runtime.client import MAIN, Client
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.losses import loss_of
from actors.settings import Settings

# For the root to be gone after it has said that everything has ended.
EXIT_SECONDS = 5.0

# The root finds modules where this program finds them, whatever directory either of them runs in.
_PROGRAM = """
import gc, json, os, sys
gc.disable()  # until everything has been imported
with os.fdopen(int(sys.argv[1])) as file:
    config = json.load(file)
sys.path[:] = config["path"]
from actors.supervision.root import main
main(config)
"""


@attrs.define(eq=False)
class Root:
    """The root supervisor that this program has started."""

    client: Client
    process: subprocess.Popen[bytes]
    pidfd: int
    _page: status.StatusPage  # what it says of its own end

    def finish(self, drain: float) -> Pending[Any]:
        """Ask the root to end the system, giving actors *drain* seconds to finish what is queued."""
        return self.client.finish(drain)

    async def exited(self) -> None:
        """Wait until the root is gone, for as long as that may take, while the loop runs on."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        fd = os.dup(self.pidfd)  # a loop watches a descriptor once
        loop.add_reader(fd, gone.set)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gone.wait(), EXIT_SECONDS)
        finally:
            loop.remove_reader(fd)
            os.close(fd)

    def end(self, *, at_once: bool) -> None:
        """Wait until the root is gone, or kill it *at_once* and all its children with it; remove what it left."""
        self.client.close()
        if at_once:
            self.process.kill()
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()  # its children die with it
            self.process.wait()
        os.close(self.pidfd)
        self._page.close()
        # Normally gone; else the next start sweeps it.
        with contextlib.suppress(OSError, RuntimeDirectoryError):
            systems.sweep(self.client.directory.path.parent)
        self.client.directory.close()


def launch(settings: Settings) -> Root:
    """Start a root supervisor for a new system.

    Raises:
        RuntimeDirectoryError: The directory is not one we may use.
        NoSpaceError: Its file system is too small.
        OSError: No process could be made.
    """
    with contextlib.ExitStack() as undo:
        directory = systems.create(settings.directory, settings.name)
        undo.callback(directory.close)
        undo.callback(directory.remove)
        for number in (ROOT, MAIN):
            questions = lanes.credits_of(lanes.MAIN_LANE_BYTES)
            fd = directory.create_file(
                status.file_name(number), status.size(0, 0, questions)
            )
            try:
                page = status.StatusPage.format(
                    fd, 0, 0, "", max_message_bytes=settings.max_message_bytes
                )
            finally:
                os.close(fd)
            if number == MAIN:  # the root enters itself
                page.words[status.PID] = os.getpid()
            lanes.create(directory.fd, number, lanes.MAIN_LANE_BYTES)
        client = Client(directory, MAIN)
        undo.callback(client.close)
        page = status.StatusPage.open(directory.fd, ROOT)
        undo.callback(page.close)
        client.ending.loss = functools.partial(loss_of, page)
        process, pidfd = _execute(directory, settings)
        undo.pop_all()
    client.waiting.root_pidfd = pidfd
    return Root(client, process, pidfd, page)


def _execute(
    directory: RuntimeDirectory, settings: Settings
) -> tuple[subprocess.Popen[bytes], int]:
    path = _module_path()  # before anything is open: its warning may be an error
    with contextlib.ExitStack() as given:
        fds = {"door_fd": door.create(directory.fd)}
        given.callback(os.close, fds["door_fd"])
        fds["main_pidfd"] = os.pidfd_open(os.getpid())
        given.callback(os.close, fds["main_pidfd"])
        config_fd = os.memfd_create("config", os.MFD_CLOEXEC)
        given.callback(os.close, config_fd)
        fds["lock_fd"] = directory.lock_fd
        config = {
            "path": path,
            "directory": str(directory.path),
            "name": settings.name,
            "transport": settings.transport,
            "preload": settings.preload,
            "output": settings.output,
            **fds,
        }
        os.write(config_fd, json.dumps(config).encode())
        os.lseek(config_fd, 0, os.SEEK_SET)
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing does
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
            [sys.executable, *flags, "-c", _PROGRAM, str(config_fd)],
            stdin=subprocess.DEVNULL,
            pass_fds=(config_fd, *fds.values()),
            start_new_session=True,  # Ctrl-C is for this program only, which then stops the others in order
        )
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        process.kill()
        process.wait()
        raise
    directory.release_lock()  # the root holds it now: locks belong to the open file, not to a process
    return process, pidfd


def _module_path() -> list[str]:
    """Return the program's search path for actors.

    Decoding imports modules by name, so a directory that anybody may write to is left out, with a warning.
    """
    entries = list(_absolute_path())
    unsafe = [entry for entry in entries if _is_world_writable(entry)]
    if unsafe:
        warnings.warn(
            f"actors will not import modules from {', '.join(unsafe)}: anybody may write there; "
            "classes of the program itself work",
            RuntimeWarning,
            stacklevel=7,  # the program's own line that starts the system
        )
    return [entry for entry in entries if entry not in unsafe]


def _absolute_path() -> Iterator[str]:
    for entry in sys.path:
        # A relative one leads nowhere where the working directory has been removed.
        with contextlib.suppress(FileNotFoundError):
            yield str(Path(entry).absolute())


def _is_world_writable(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IWOTH)
    except OSError:  # an entry that does not exist, or a zip file in one
        return False
