"""Children that no supervisor would wish for."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
from pathlib import Path

from tests.support.trees import CrashError, Member

ROOM_BYTES = 2**26  # what is left to one that exhausts its memory


class Rogue(Member):
    """Behaves, when it is told to, as badly as a process can."""

    def misbehave(self, how: str, mark: str = "") -> None:
        if mark:
            Path(mark).touch()
        getattr(self, f"_{how}")()

    # It goes on, and does not end when it is asked to.

    def _ignore_sigterm(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _block_sigterm(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _hang_in_c(self) -> None:
        """Wait inside of C, with the GIL held, for a lock that is its own: no signal wakes it."""
        lock = ctypes.create_string_buffer(64)
        library = ctypes.PyDLL(None)
        library.pthread_mutex_lock(lock)
        library.pthread_mutex_lock(lock)

    def _stop_itself(self) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    def _leave_grandchildren(self) -> None:
        for is_apart in (False, True):
            subprocess.Popen(["sleep", "1000"], start_new_session=is_apart)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    # It ends at once.

    def _exit_without_a_word(self) -> None:
        os._exit(0)

    def _segfault(self) -> None:
        ctypes.string_at(0)

    def _close_all_descriptors(self) -> None:
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))

    def _exhaust_memory(self) -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0])
        most = used * resource.getpagesize() + ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        hoard = []
        while True:
            hoard.append(bytearray(ROOM_BYTES // 8))


class Doomed(Member):
    """Crashes in ``__init__`` from when a file exists, and notes each try in it."""

    def __init__(self, flag: str) -> None:
        super().__init__()
        if Path(flag).exists():
            with Path(flag).open("a") as tries:
                tries.write("again\n")
            raise CrashError(flag)


class Late(Member):
    """Waits in ``__init__`` for somebody at the other end of a FIFO, from when a file exists beside it."""

    def __init__(self, gate: str) -> None:
        super().__init__()
        if Path(gate + ".closed").exists():
            Path(gate + ".entered").touch()
            with Path(gate).open("rb") as fifo:
                fifo.read()
