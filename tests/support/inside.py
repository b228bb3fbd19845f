"""What tests see of a system that programs do not."""

from __future__ import annotations

import contextlib
from pathlib import Path

from actors import ActorSystem
from actors.launch import Root


def root_of(system: ActorSystem) -> Root:
    """Return the root supervisor of a system of ours."""
    root = system._session._part
    assert isinstance(root, Root)
    return root


def root_pid(system: ActorSystem) -> int:
    """Return the process of that."""
    return root_of(system).process.pid


def directory_of(system: ActorSystem) -> Path:
    """Return where its files are."""
    return system._opened().directory.path


def blobs_of(system: ActorSystem) -> Path:
    """Return where its large payloads are."""
    return directory_of(system) / "blob"


def blob_bytes(system: ActorSystem) -> int:
    """Return the memory that they take; a payload under several names takes it once."""
    sizes = {}
    for path in blobs_of(system).iterdir():
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def transport_of(system: ActorSystem) -> str:
    """Return the scheme of the mailboxes of its actors."""
    return system._session.settings.transport
