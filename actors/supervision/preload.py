"""Importing modules in the root supervisor, once for all actors: the one exception to the rule that it runs no code of the user."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable

import attrs

from actors import context, goodbye
from actors.exits import ExitKind, ExitReason
from actors.supervision import threads


@attrs.frozen
class Preloaded:
    """What has come of it.

    Attributes:
        failure: Why the system cannot start: the first import that failed.
        left: By module, the names of the threads that its import has left behind.
    """

    failure: ExitReason | None = None
    left: dict[str, list[str]] = attrs.field(factory=dict)


def load(modules: Iterable[str]) -> Preloaded:
    """Import *modules*, up to the first that fails."""
    pid = os.getpid()
    left: dict[str, list[str]] = {}
    for module in modules:
        before = {*threads.of(pid)}
        try:
            with context.loading():
                importlib.import_module(module)
        except BaseException as exc:  # noqa: BLE001 - user code: it may even exit
            failure = ExitReason(
                ExitKind.FAILED_TO_START,
                message=f"preload={module!r} could not be imported",
                inner=goodbye.from_exception(exc),
            )
            return Preloaded(failure, left)
        new = [tid for tid in threads.of(pid) if tid not in before]
        if new:
            left[module] = [threads.name_of(pid, tid) for tid in new]
    return Preloaded(None, left)
