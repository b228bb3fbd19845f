"""The program of the root supervisor: a fresh process that the user's program executes.

Its environment comes from the user's program (module search path, standard streams); its threads and locks do not.
What every actor needs is imported here once, and shared by all of them.
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import gc
import os
import signal
import weakref
from pathlib import Path
from typing import Any, TextIO, cast

import cloudpickle
import structlog

import actors.system
from actors.runtime.directory import RuntimeDirectory
from actors.supervision import fork, heap, linux, log, preload
from actors.supervision.console import STDERR, STDOUT
from actors.supervision.cradle import Cradle
from actors.supervision.life import ActorLife

PRELOADED = (asyncio, cloudpickle, actors.system)


def main(config: dict[str, Any]) -> None:
    """Supervise until everything has ended.

    Args:
        config: ``directory`` (path), ``lock_fd``, ``main_pidfd`` and ``door_fd`` (inherited descriptors), ``name``, ``transport``,
            ``preload``, ``output``.
    """
    _fill_standard_streams(config)
    directory = RuntimeDirectory.open(Path(config["directory"]))
    for fd in (config["lock_fd"], config["main_pidfd"], config["door_fd"]):
        os.set_inheritable(fd, False)  # noqa: FBT003 - the function's own form
    linux.set_process_name(f"actors:{config['name']}")
    linux.adopt_orphans()
    linux.raise_file_limit()
    heap.share(collects=False)  # of our own imports next to nothing is garbage
    gc.enable()  # of the user's some may be, and may want it otherwise
    preloaded = preload.load(config["preload"])
    # After that: what it has done to the log and to signals is not for us.
    configure_log()
    life = _practised(directory)
    wakeup = _catch_signals()
    cradle = Cradle.make()
    cradle.termination.catch()
    _forget_exits()
    heap.share()
    cradle.order_spare(life)
    from actors.supervision.supervisor import Supervisor  # noqa: PLC0415 - it takes as long as the spare process

    supervisor = Supervisor(
        directory,
        config["main_pidfd"],
        config["door_fd"],
        wakeup,
        config["transport"],
        preloaded,
        cradle,
        is_labelled=config["output"] == "labelled",
    )
    # The program that executed us may have blocked some; what has come meanwhile comes now.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    heap.share()
    while tasks := supervisor.run():
        fork.carry_out(tasks)
    supervisor.show_end()  # before its lane is gone, which says that it ends, but not why
    directory.remove()
    supervisor.leave()


def _practised(directory: RuntimeDirectory) -> ActorLife:
    """Return the life of an actor in the system of *directory*, which has been practised."""
    heap.share()  # a rehearsal collects, of what is not shared yet
    # An actor catches some: those that come meanwhile are not for the one of a rehearsal.
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    life = ActorLife(directory)
    life.practise()
    return life


def _forget_exits() -> None:
    """Forget what is to be done at the end of this process: what modules registered here is not the actors' business."""
    atexit._clear()  # noqa: SLF001 - nothing else forgets all
    finalizers: Any = weakref.finalize
    for finalizer in list(finalizers._registry):  # noqa: SLF001 - likewise
        finalizer.atexit = False
    # It registers itself once, and has just been forgotten.
    finalizers._registered_with_atexit = False  # noqa: SLF001


def _fill_standard_streams(config: dict[str, Any]) -> None:
    """Let 1 and 2 be streams: of a program that runs without them, they are the first descriptors that it, or we, would get."""
    free = set()
    for name in ("lock_fd", "main_pidfd", "door_fd"):
        if (fd := config[name]) <= STDERR:
            config[name] = fcntl.fcntl(fd, fcntl.F_DUPFD, STDERR + 1)
            free.add(fd)
    for fd in (STDOUT, STDERR):
        if fd in free or not _is_open(fd):
            null = os.open(os.devnull, os.O_WRONLY)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _catch_signals() -> int:
    """Return a descriptor that becomes readable when SIGTERM or SIGCHLD has arrived."""
    receiver, sender = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    # The default of being ignored would not write to the pipe.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(signum, signal.SIG_IGN)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    return receiver


def configure_log() -> None:
    """Log to standard error, by way of the console once there is one; actors inherit it and may configure structlog anew."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(
                colors=os.isatty(STDERR),
                sort_keys=False,
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", log.FILE)),
        cache_logger_on_first_use=False,
    )
