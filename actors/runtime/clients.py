"""The clients of this process: which of them a ref that arrives is used through, and what a fork makes of all of them."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it enters itself here
    from actors.runtime.client import Client

# By the path of the system; of several clients of one system the last.
by_system: weakref.WeakValueDictionary[str, Client] = weakref.WeakValueDictionary()
_all: weakref.WeakSet[Client] = weakref.WeakSet()  # a program may join a system twice


def enter(client: Client) -> None:
    """Let refs that arrive from now on go through *client*, if they are of its system."""
    by_system[str(client.directory.path)] = client
    _all.add(client)


def leave(client: Client) -> None:
    """Let them go through another client of the same system, where there is one: *client* is closed."""
    _all.discard(client)
    path = str(client.directory.path)
    if by_system.get(path) is client:
        del by_system[path]
        for other in _all:
            if other.directory.path == client.directory.path:
                by_system[path] = other


def _disown_all() -> None:
    for client in list(_all):
        client.disown()


os.register_at_fork(after_in_child=_disown_all)
