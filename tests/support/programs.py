"""Main programs that tests start, watch and kill from outside."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.support.gates import SECONDS, wait_until

MARKER = "ACTORS_TEST_PROGRAM"  # in the environment of a program and of all it starts
ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = Path(__file__).resolve().parent / "scripts"


def outcome_of(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``python ARGUMENTS`` to its end, which must be a good one, with *text* as its standard input; return what it wrote to both streams."""
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=3 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


class Program:
    """A Python program in a process group of its own, with everything that it starts."""

    def __init__(
        self, *arguments: str, tty: int | None = None, interactive: bool = False
    ) -> None:
        """Start ``python ARGUMENTS``; with *tty*, in a new session with that controlling terminal; *interactive*, to be talked to."""
        keyboard = subprocess.PIPE if interactive else subprocess.DEVNULL
        self._marker = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=keyboard if tty is None else tty,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, MARKER: self._marker},
            start_new_session=True,
            preexec_fn=None if tty is None else _take_terminal,  # noqa: PLW1509 - one call of ioctl
        )

    def line(self) -> list[str]:
        """Return the words of the program's next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        return line.split()

    def say(self, text: str) -> None:
        """Give the program a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def pids(self) -> dict[int, str]:
        """Return what runs of the program, the program included: names by pid."""
        entry = f"{MARKER}={self._marker}".encode()
        found = {}
        for path in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # gone, or somebody else's
                if path.name.isdecimal() and entry in (
                    path / "environ"
                ).read_bytes().split(b"\0"):
                    found[int(path.name)] = (path / "comm").read_text().strip()
        return found

    def root(self) -> int:
        """Return the pid of the root supervisor."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (pid,) = map(int, children.read_text().split())
        return pid

    def signal(self, signum: int) -> None:
        """Send a signal to the program alone, once it sleeps.

        CPython looks for signals between two steps of a program: one that comes after the last look before a system call that sleeps is
        only seen when that returns.  People are never that quick, a test is one time in a few hundred.
        """
        wait_until(self._is_waiting, "the program to wait")
        os.kill(self.process.pid, signum)

    def _is_waiting(self) -> bool:
        facts = Path(f"/proc/{self.process.pid}/stat").read_text()
        return facts.rpartition(")")[2].split()[0] != "R"

    def wait(self) -> tuple[int, str, str]:
        """Wait for its end; return the status, negative for a signal, and what it wrote to both streams."""
        output, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, output, errors

    def wait_until_all_is_gone(self, seconds: float) -> None:
        """Wait until no process that it has started is left."""
        wait_until(lambda: not self.pids(), "the end of all processes", seconds)

    def kill(self) -> None:
        """Leave nothing of it behind."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()


def _take_terminal() -> None:
    import fcntl  # noqa: PLC0415 - runs in the child, between fork and exec
    import termios  # noqa: PLC0415 - see above

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: the end of the keyboard, and the end of the program."""
    keyboard, screen = pty.openpty()
    try:
        yield keyboard, screen
    finally:
        os.close(keyboard)
        os.close(screen)
