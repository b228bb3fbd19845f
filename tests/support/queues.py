"""POSIX queues by their names: nobody can list them where they are not mounted."""

from __future__ import annotations

from pathlib import Path

import posix_ipc

from transports.mq import TRANSPORT


def has_queue(name: str) -> bool:
    """Return whether there is a queue of that *name*."""
    try:
        posix_ipc.MessageQueue(name).close()
    except posix_ipc.ExistentialError:
        return False
    return True


def queues_of(directory: Path) -> list[str]:
    """Return the queues of the system in *directory*, from the files of their mailboxes."""
    lines = (directory / "manifest").read_text().splitlines()[1:]
    files = [line.split()[1] for line in lines if line.split()[0] == TRANSPORT.scheme]
    return [(directory / file).read_text() for file in files]
