"""The death of a root supervisor, as tests bring it about."""

from __future__ import annotations

import os
import signal

from actors import ActorSystem
from tests.support.inside import root_of


def kill_root(system: ActorSystem) -> None:
    """SIGKILL the root supervisor and wait until it is dead; the system is to reap it."""
    root = root_of(system)
    os.kill(root.process.pid, signal.SIGKILL)
    os.waitid(os.P_PIDFD, root.pidfd, os.WEXITED | os.WNOWAIT)
