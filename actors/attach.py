"""Joining a running system that another program of the same user owns."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import Any

import attrs

from actors.errors import (
    AttachError,
    RuntimeDirectoryError,
    SystemNotFoundError,
)
from actors.pending import Pending, settled
from actors.runtime import door, status, systems
from actors.runtime.client import Client
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.losses import loss_of


@attrs.define(eq=False)
class Attachment:
    """This program's part in a system that it does not own."""

    client: Client
    _place: door.Place
    _root_page: status.StatusPage

    @staticmethod
    def finish(drain: float) -> Pending[Any]:
        """Ask for nothing: the system goes on."""
        del drain
        return settled(None)

    def end(self, *, at_once: bool) -> None:
        """Leave the system; the root removes what this program had in it."""
        del at_once
        self.client.close()
        self._root_page.close()
        self._place.leave()
        self.client.directory.close()


def join(base: Path | None, name: str) -> Attachment:
    """Join the running system *name* in *base*.

    Raises:
        SystemNotFoundError: There is none, or there are several.
        AttachError: It ended meanwhile, does not answer, or has no room.
        SystemClosedError: It is closing.
        RuntimeDirectoryError: Its directory, or the one it is in, is not one we may use.
    """
    path = _find(base, name)
    try:
        with contextlib.ExitStack() as undo:
            directory = _open(path)
            undo.callback(directory.close)
            place = door.knock(directory.fd)
            undo.callback(place.leave)
            client = Client(directory, place.number)
            undo.callback(client.close)
            page = status.StatusPage.open(directory.fd, ROOT)
            client.ending.loss = functools.partial(loss_of, page)
            client.waiting.root_pidfd = place.root_pidfd
            undo.pop_all()
    except AttachError as exc:
        msg = f"the system {path.name} cannot be joined: {exc}"
        raise AttachError(msg) from exc
    except FileNotFoundError as exc:
        msg = f"the system {path.name} cannot be joined: {door.ENDED}"
        raise AttachError(msg) from exc
    return Attachment(client, place, page)


def _find(base: Path | None, name: str) -> Path:
    system, _, incarnation = name.partition(".")
    running = systems.find_live(base)
    found = [path for path in running if path.name.partition(".")[0] == system]
    if incarnation:
        found = [path for path in found if path.name == name]
    if len(found) == 1:
        return found[0]
    _refuse_unfit(base, system)
    if found:
        names = ", ".join(path.name for path in found)
        msg = f"name={name!r}: several systems of this name run: {names}; pass one of these"
    else:
        names = ", ".join(path.name for path in running) or "none"
        where = base or systems.default_base()
        msg = f"name={name!r}: no system of this name runs for user {os.geteuid()} in {where}; running: {names}"
    raise SystemNotFoundError(msg)


def _refuse_unfit(base: Path | None, system: str) -> None:
    """Say it if a directory of *system* is there that is not closed to others: it was not looked into.

    Raises:
        RuntimeDirectoryError: There is one.
    """
    for path in (base or systems.default_base()).glob(f"{system}.*"):
        try:
            RuntimeDirectory.open(path).close()
        except RuntimeDirectoryError:
            if path.exists():  # else it has ended meanwhile
                raise


def _open(path: Path) -> RuntimeDirectory:
    try:
        return RuntimeDirectory.open(path)
    except RuntimeDirectoryError as exc:
        if path.exists():
            raise
        raise AttachError(door.ENDED) from exc
