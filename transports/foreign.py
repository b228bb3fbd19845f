"""Notices another distribution that has put its files into our packages.

The package index has other distributions called ``actors`` and ``transports``, which install packages of these names.
An installer puts them into the folders of ours, and replaces files that have the same name, without a word.
Looking for them costs one listing of a folder, a fraction of a millisecond; nothing else is read unless there is one.
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGES = ("actors", "transports")
_ENDINGS = (".dist-info", ".egg-info")
_SHOWN = 3  # files of theirs that the error names


def check(folder: str) -> None:
    """Refuse to go on beside another distribution of our packages in *folder*, where ours are installed.

    Raises:
        ImportError: There is one; the text names it and says what to do.
    """
    try:
        entries = os.listdir(folder)  # noqa: PTH208 - the cheapest way
    except OSError:  # imported from an archive, into which nobody installs
        return
    for entry in entries:
        if entry.startswith(_PACKAGES) and entry.endswith(_ENDINGS):
            name, _, version = entry.rpartition(".")[0].partition("-")
            if name in _PACKAGES:
                raise ImportError(_text(name, version, Path(folder, entry)))


def _text(name: str, version: str, metadata: Path) -> str:
    files = _files_of(metadata)
    shown = ", ".join(files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")
    return (
        f"the distribution {name!r} {version} has put files into the packages of actors-runtime in {metadata.parent}"
        f"{': ' if files else ''}{shown}; "
        f"run 'pip uninstall {name}' and then 'pip install --force-reinstall actors-runtime'"
    )


def _files_of(metadata: Path) -> list[str]:
    try:
        lines = (metadata / "RECORD").read_text().splitlines()
    except OSError:  # of a kind that has none
        return []
    names = [line.partition(",")[0] for line in lines]
    return [
        name for name in names if name.startswith(tuple(f"{p}/" for p in _PACKAGES))
    ]


check(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120 - the cheapest way
