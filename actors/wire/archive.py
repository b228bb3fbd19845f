"""Messages in a file: what an export writes and a replay reads.

Bodies stay as they are, so nothing is decoded on the way.

Layout (little endian): 8 bytes of magic, then for each message

    u16 length of the method's name, u32 count of parts, u64 length of each part, the name, the parts

The first part is the pickle; the others are the buffers that it refers to.
"""

from __future__ import annotations

import itertools
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

MAGIC = b"ACTMAIL1"
_HEAD = struct.Struct("<HI")
_LENGTH = struct.Struct("<Q")


@attrs.frozen(eq=False)
class Message:
    """One message.

    Attributes:
        method: Its name, as it stands in a frame.
        pickle: Its arguments.
        buffers: What the pickle refers to.
    """

    method: bytes
    pickle: bytes | memoryview
    buffers: tuple[memoryview, ...] = ()


class ArchiveError(ValueError):
    """The file is not one of messages, or is cut off."""


def write(path: Path, messages: Iterable[Message]) -> None:
    """Write *messages* into a new file, which is complete and on its disk when it appears.

    Raises:
        OSError: It exists, or cannot be written; nothing is left then.
    """
    # Whoever is killed meanwhile leaves this one.
    fd, name = tempfile.mkstemp(".unfinished", ".actors-", path.absolute().parent)
    unfinished = Path(name)
    with os.fdopen(fd, "wb") as file:
        try:
            file.write(MAGIC)
            for message in messages:
                for part in _parts(message):
                    file.write(part)
            file.flush()
            os.fsync(file.fileno())
            os.link(unfinished, path)  # not a rename, which would replace what is there
        finally:
            unfinished.unlink()


def read(path: Path) -> list[Message]:
    """Read what ``write`` has written.

    Raises:
        ArchiveError: It has written something else, or not all of it.
        OSError: The file cannot be read.
    """
    data = memoryview(path.read_bytes())
    if bytes(data[: len(MAGIC)]) != MAGIC:
        msg = f"{path} is no file of messages"
        raise ArchiveError(msg)
    messages: list[Message] = []
    at = len(MAGIC)
    while at < len(data):
        found = _message(data[at:])
        if found is None:
            msg = f"{path} is cut off, or damaged, after {len(messages)} messages"
            raise ArchiveError(msg)
        messages.append(found[0])
        at += found[1]
    return messages


def _message(data: memoryview) -> tuple[Message, int] | None:
    """Return the message that *data* begins with, and its size; None where there is none."""
    try:
        method_bytes, count = _HEAD.unpack_from(data)
        begin = _HEAD.size + count * _LENGTH.size
        lengths = [one for (one,) in _LENGTH.iter_unpack(data[_HEAD.size : begin])]
    except struct.error:
        return None
    ends = list(itertools.accumulate([begin, method_bytes, *lengths]))
    if not lengths or len(lengths) != count or ends[-1] > len(data):
        return None
    method, pickle, *buffers = (
        data[start:end] for start, end in itertools.pairwise(ends)
    )
    return Message(bytes(method), pickle, tuple(buffers)), ends[-1]


def _parts(message: Message) -> Iterator[bytes | memoryview]:
    parts = (message.pickle, *message.buffers)
    yield _HEAD.pack(len(message.method), len(parts))
    for part in parts:
        yield _LENGTH.pack(len(part))
    yield message.method
    yield from parts
