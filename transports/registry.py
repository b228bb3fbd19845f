"""Transports by scheme: ours, those registered here, those of installed packages."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from transports.errors import EndpointError
from transports.mailbox import Transport

if TYPE_CHECKING:  # takes 20 ms to import
    from importlib.metadata import EntryPoint, EntryPoints

ENTRY_POINTS = "actors.transports"

# Modules, not objects: an actor pays only for the transport it uses.
_BUILT_IN = {
    "memory": "transports.memory",
    "mq": "transports.mq",
    "pipe": "transports.pipe",
    "shm": "transports.shm",
    "unix": "transports.unix",
}
_MEMBERS = sorted(name for name in vars(Transport) if not name.startswith("_"))
_known: dict[str, Transport] = {}


def get(scheme: str) -> Transport:
    """Return the transport for *scheme*.

    An installed package adds one with an entry point in the group
    ``actors.transports``: its name is the scheme, its object the transport.

    Raises:
        EndpointError: There is none; the text lists those that exist. Or what a package
            offers under this name cannot be loaded, or is no transport.
    """
    found = _known.get(scheme)
    if found is None:
        found = _known[scheme] = _load(scheme)
    return found


def schemes() -> list[str]:
    """Return the schemes for which there is a transport."""
    return sorted({*_BUILT_IN, *_known, *_installed().names})


def register(transport: Transport) -> None:
    """Add *transport*, or put it in the place of another of the same scheme."""
    _known[transport.scheme] = transport


def _load(scheme: str) -> Transport:
    if scheme in _BUILT_IN:
        return cast("Transport", importlib.import_module(_BUILT_IN[scheme]).TRANSPORT)
    installed = _installed()
    if scheme in installed.names:
        return _checked(scheme, installed[scheme])
    msg = f"no transport for {scheme!r}; there are: {', '.join(schemes())}"
    raise EndpointError(msg)


def _checked(scheme: str, entry: EntryPoint) -> Transport:
    """Return the transport that a package offers for *scheme*."""
    what = f"the transport {scheme!r} of an installed package ({entry.value})"
    try:
        found = entry.load()
    except Exception as exc:
        msg = f"{what} cannot be loaded: {type(exc).__name__}: {exc}"
        raise EndpointError(msg) from exc
    missing = [name for name in _MEMBERS if not hasattr(found, name)]
    if missing:
        msg = f"{what} is none: it lacks {', '.join(missing)}"
        raise EndpointError(msg)
    if found.scheme != scheme:
        msg = f"{what} calls itself {found.scheme!r}"
        raise EndpointError(msg)
    return cast("Transport", found)


def _installed() -> EntryPoints:
    # Takes 20 ms, which nobody pays for a scheme of ours.
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return entry_points(group=ENTRY_POINTS)
