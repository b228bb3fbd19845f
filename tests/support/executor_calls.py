"""What the tests of executors call in workers."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
import time
from pathlib import Path
from typing import NoReturn

GREETING: list[str] = []


def capture(*args: object, **kwargs: object) -> tuple[object, object]:
    """Return what came."""
    return args, kwargs


def double(number: int) -> int:
    """Return twice *number*."""
    return 2 * number


async def double_later(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def greet(text: str) -> None:
    """Remember *text*; an initializer."""
    GREETING.append(text)


def greeting() -> list[str]:
    """Return what ``greet`` was called with in this process."""
    return GREETING


def refuse(text: str) -> NoReturn:
    """Raise; an initializer."""
    raise LookupError(text)


def die_once(path: str) -> None:
    """Kill this process unless one has died of this before; an initializer."""
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return
    die(signal.SIGKILL)


def die(signum: int) -> NoReturn:
    """End this process by a signal."""
    os.kill(os.getpid(), signum)
    threading.Event().wait()
    raise AssertionError


def hang(path: str) -> NoReturn:
    """Write the number of this process to *path* and wait for ever."""
    note(path)
    threading.Event().wait()
    raise AssertionError


def hang_unless_empty(path: str) -> None:
    """As ``hang``; return at once where *path* is empty."""
    if path:
        hang(path)


def hang_in_c(path: str) -> NoReturn:
    """As ``hang``, in C, with the interpreter's lock held and all signals blocked that can be."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    note(path)
    while True:
        ctypes.PyDLL(None).pause()


def note(path: str) -> None:
    """Write the number of this process to *path*, whole."""
    part = Path(f"{path}.{os.getpid()}.part")
    part.write_text(str(os.getpid()))
    part.rename(path)


def add_line(path: str, text: str, seconds: float = 0.0) -> None:
    """Work for *seconds*, then append a line to the file *path*, at once."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{text}\n".encode())
    os.close(fd)


def fill_memory() -> int:
    """Use more memory than there is."""
    hog = [bytearray(16 * 2**20)]
    while True:
        hog.append(bytearray(b"x" * (16 * 2**20)))


class TwoPartError(Exception):
    """Does not unpickle: ``args`` has one part, the constructor takes two."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raise_two_parts() -> NoReturn:
    """Raise what does not unpickle."""
    raise TwoPartError("salt", "pepper")


class Unreadable:
    """Pickles, and does not unpickle."""

    def __reduce__(self) -> tuple[object, ...]:
        return refuse, ("unreadable",)


def make(cls: type[object]) -> object:
    """Return an instance."""
    return cls()
