"""The record that each frame is in, wherever it waits, and what the kernel's own mailboxes do with it alike.

Layout:
    offset  size   meaning
    0       4      ``RECORD_MARK``
    4       4      length n of the frame, in bytes
    8       8      sequence number
    16      n      the frame
"""

from __future__ import annotations

import os
import struct

from transports._ring import RECORD_BYTES, RECORD_MARK
from transports.mailbox import Waiting

HEADER = struct.Struct("=IIQ")
MAX_REJECTED = 64  # pieces that are no records, and that one take reads away


def seen(record: bytes | bytearray, size: int, head_bytes: int) -> Waiting | None:
    """Return the frame in the first *size* bytes of *record*, and of it *head_bytes*; None if that is no record."""
    if size < RECORD_BYTES:
        return None
    mark, length, _ = HEADER.unpack_from(record)
    if mark != RECORD_MARK or size != RECORD_BYTES + length:
        return None
    end = RECORD_BYTES + min(length, head_bytes)
    return Waiting(length, bytes(record[RECORD_BYTES:end]))


def is_unlinked(fd: int) -> bool:
    """Return whether a mailbox has lost its name: its receiver may go on for a while without, so sending works."""
    return os.fstat(fd).st_nlink == 0
