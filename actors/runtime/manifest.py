"""The manifest of a system: what its mailboxes keep outside its directory, written down before it is created.

It is a text file: the version in the first line, then one line for each mailbox, ``<scheme> <name>``.
The version comes last when a directory is made, so a directory that has one is complete.
"""

from __future__ import annotations

import errno
import os
import re

from actors.runtime import private
from transports import registry

VERSION = "actors 1"  # another one is another layout of the whole directory, which is not ours to touch

_NAME = "manifest"
_ELSEWHERE = re.compile(r"([a-z][a-z0-9]{0,7}) ([0-9]{1,20}\.mail)")


def begin(dir_fd: int) -> None:
    """Write the version, as the last thing that makes the directory *dir_fd* one of a system."""
    fd = private.new_file(_NAME, dir_fd)
    try:
        os.write(fd, f"{VERSION}\n".encode())
    finally:
        os.close(fd)


def announce(dir_fd: int, scheme: str, name: str) -> None:
    """Write down that the mailbox *name* of the transport *scheme* is about to be created; see ``RuntimeDirectory.announce``."""
    line = f"{scheme} {name}"
    if not _ELSEWHERE.fullmatch(line):
        msg = f"not a mailbox that a sweep would recognise: {line!r}"
        raise ValueError(msg)
    with private.translated(line, "cannot be announced"):
        fd = private.open_file(_NAME, dir_fd, os.O_APPEND)
        try:
            end = os.fstat(fd).st_size
            # One write, so that two processes never mix their lines.
            if os.write(fd, f"{line}\n".encode()) <= len(line):
                # Full, in the middle of the line: the next one would be taken for the rest of it.
                os.ftruncate(fd, end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(fd)


def version(dir_fd: int) -> str:
    """Return the version of the directory *dir_fd*; an empty one of a directory that is half made."""
    return _read(dir_fd)[0]


def unlink_elsewhere(dir_fd: int) -> list[str]:
    """Have the announced mailboxes of the directory *dir_fd* removed by their transports; return lines that name none."""
    foreign = []
    for line in _read(dir_fd)[1]:
        if match := _ELSEWHERE.fullmatch(line):
            registry.get(match[1]).unlink(dir_fd, match[2])
        else:
            foreign.append(line)
    return foreign


def _read(dir_fd: int) -> tuple[str, list[str]]:
    """Return the version and the announced mailboxes."""
    try:
        fd = private.open_file(_NAME, dir_fd)
    except FileNotFoundError:
        return "", []
    with os.fdopen(fd, "rb") as file:
        data = file.read()
    # A line without an end was never finished, hence its mailbox never created.
    first, *lines = data.decode("utf-8", "backslashreplace").split("\n")[:-1] or [""]
    return first, lines
