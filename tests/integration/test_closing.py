"""Closing a system that is not as it was."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from actors import ActorSystem, SystemFailedError


def root_pid() -> int:
    main = Path(f"/proc/self/task/{os.getpid()}/children")
    (child,) = main.read_text().split()
    return int(child)


def test_closing_a_system_whose_root_has_died_says_that_it_failed() -> None:
    system = ActorSystem().start()
    os.kill(root_pid(), signal.SIGKILL)

    with pytest.raises(SystemFailedError, match="root supervisor died"):
        system.close()

    system.close()  # nothing is left to close
