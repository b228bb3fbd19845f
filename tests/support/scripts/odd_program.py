"""A program that has set odd things for its process, which those of its system must not inherit.

    python odd_program.py

It prints, as JSON, what an actor finds in its own process and what ``/proc`` says of the root; then it waits for a line.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from actors import Actor, ActorSystem
from tests.support.inside import root_pid

PR_GET_PDEATHSIG = 2
SHOWN = [signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGHUP, signal.SIGUSR1]


class Witness(Actor):
    """Tells what its process is like."""

    def facts(self) -> dict[str, Any]:
        deadly = ctypes.c_int()
        ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(deadly))
        return {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "session": os.getsid(0),
            "dies_of": deadly.value,
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            "signals": {s.name: str(signal.getsignal(s)) for s in SHOWN},
            "streams": [str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in range(3)],
            "core_limit": resource.getrlimit(resource.RLIMIT_CORE),
            "oom_score_adj": int(Path("/proc/self/oom_score_adj").read_text()),
            "inherited": self.inherited(),
        }

    def inherited(self) -> list[str]:
        """Return the descriptors that a program gets which the actor executes."""
        done = subprocess.run(
            ["ls", "/proc/self/fd"],
            close_fds=False,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()


def be_odd() -> None:
    """Block and ignore what signals there are, and leave descriptors open for whoever comes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    for signum in SHOWN:
        signal.signal(signum, signal.SIG_IGN)
    os.set_inheritable(os.open("/dev/zero", os.O_RDONLY), True)  # noqa: FBT003 - the function's own form


if __name__ == "__main__":
    be_odd()
    with ActorSystem() as system:
        facts = system.spawn(Witness).result().ask(Witness.facts).result()
        streams = [str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in range(3)]
        told = {
            **facts,
            "root": root_pid(system),
            "streams_of_program": streams,
            "core_limit_of_program": resource.getrlimit(resource.RLIMIT_CORE),
            "oom_score_adj_of_program": int(
                Path("/proc/self/oom_score_adj").read_text()
            ),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        sys.stdin.readline()
