"""The record that each frame is in, wherever it waits, and what the kernel's own mailboxes do with it alike.

Layout:
    offset  size   meaning
    0       4      ``RECORD_MARK``
    4       4      length n of the frame, in bytes
    8       8      sequence number
    16      n      the frame

Records in a row begin at multiples of 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from transports._ring import RECORD_BYTES, RECORD_MARK
from transports.mailbox import Waiting

HEADER = struct.Struct("=IIQ")
MAX_REJECTED = 64  # pieces that are no records, and that one take reads away


def seen(message: bytes | bytearray, size: int, head_bytes: int) -> Iterator[Waiting]:
    """Yield the frames in the first *size* bytes of *message*, and of each *head_bytes*; what is no record ends them."""
    at = 0
    while at + RECORD_BYTES <= size:
        mark, length, _ = HEADER.unpack_from(message, at)
        begin = at + RECORD_BYTES
        if mark != RECORD_MARK or begin + length > size:
            return
        yield Waiting(length, bytes(message[begin : begin + min(length, head_bytes)]))
        at = (begin + length + 7) & ~7
