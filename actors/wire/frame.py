"""The frame: a fixed header that anyone can read, the method's name, and a body that only the addressee decodes.

The supervisor, the cleaner and the command line read headers and method names; none of them ever looks into a body.

Layout (little endian, 48 bytes, then the method, then the body):

    ====== ===== ===================================================================
    offset type  meaning
    ====== ===== ===================================================================
    0      u8    version
    1      u8    kind, see ``Kind``
    2      u8    flags, see ``BLOB``; other bits must be 0
    3      u8    codec of the body, see ``Codec``
    4      u16   length of the method's name in UTF-8
    6      u16   attempt: how often the message was handed to an incarnation before
    8      u32   sender, a process number
    12     u32   process number of the lane that takes the answer, 0 for none
    16     u64   correlation id of the question, unique within the asking process
    24     u64   time sent, CLOCK_MONOTONIC in nanoseconds
    32     u64   deadline on the same clock, 0 for none
    40     u64   trace id, 0 for none
    ====== ===== ===================================================================
"""

from __future__ import annotations

import enum
import struct

import attrs

VERSION = 1
BLOB = 1  # the body is the name of a blob that holds the real one

HEADER = struct.Struct("<BBBBHHIIQQQQ")
HEADER_BYTES = HEADER.size
FLAGS_AT = 2
ATTEMPT_AT = 6
ATTEMPT, LANE, CORR, SENT = (
    5,
    7,
    8,
    9,
)  # where these stand among the fields of ``HEADER``
MAX_METHOD_BYTES = 1024


class Kind(enum.IntEnum):
    """What a frame is."""

    TELL = 1
    ASK = 2
    STOP = 3  # handled in its turn: the actor stops after what was queued before it
    NOTICE = 4  # from the supervisor: what has become of an actor that this one watches
    REPLY = 8
    ERROR = 9  # the handler raised
    CRASHED = 10  # the actor died with the message in hand
    STOPPED = 11  # the actor ended before the message was handled
    UNHANDLED = 13  # no such method, or arguments that do not fit
    WITHDRAWN = 14  # whoever asked did not want it handled any more
    REQUEST = 16  # to the supervisor; the method is the operation
    ANSWER = 17  # from the supervisor, to a request
    REFUSAL = 18  # from the supervisor, to a request
    LOST = 20  # from the supervisor: the mailbox of a process was damaged, with all that was in it
    FAILED = 21  # from the supervisor, which gives up: why
    EVENT = 19  # life-cycle events and dead letters


class Codec(enum.IntEnum):
    """How a body was made."""

    NONE = 0
    PICKLE = 1
    JSON = 2


@attrs.frozen
class Header:
    """A header taken apart, with the method's name."""

    kind: int
    flags: int
    codec: int
    attempt: int
    sender: int
    lane: int
    corr: int
    sent_ns: int
    deadline_ns: int
    trace: int
    method: str
    body_at: int


class FrameError(ValueError):
    """The bytes are not a frame of this version."""


def pack(  # noqa: PLR0913 - the header has this many fields, and this is its one constructor
    kind: int,
    method: bytes = b"",
    *,
    flags: int = 0,
    codec: int = Codec.NONE,
    attempt: int = 0,
    sender: int = 0,
    lane: int = 0,
    corr: int = 0,
    sent_ns: int = 0,
    deadline_ns: int = 0,
    trace: int = 0,
) -> bytes:
    """Return a header followed by the method's name; the body comes after it."""
    return (
        HEADER.pack(
            VERSION,
            kind,
            flags,
            codec,
            len(method),
            attempt,
            sender,
            lane,
            corr,
            sent_ns,
            deadline_ns,
            trace,
        )
        + method
    )


def sent_ns(frame: bytes) -> int:
    """Return when *frame*, which has a header, was sent."""
    return int(HEADER.unpack_from(frame)[SENT])


def attempt(frame: bytes) -> int:
    """Return how often *frame* was handed to an incarnation before; 0 for one without a header."""
    if len(frame) < HEADER_BYTES:
        return 0
    return int(HEADER.unpack_from(frame)[ATTEMPT])


def read(frame: bytes) -> Header:
    """Take the header of *frame* apart.

    Raises:
        FrameError: Too short, another version, an unknown flag, or a method longer than the frame.
    """
    if len(frame) < HEADER_BYTES:
        msg = f"{len(frame)} bytes are fewer than a header"
        raise FrameError(msg)
    (
        version,
        kind,
        flags,
        codec,
        length,
        attempt,
        sender,
        lane,
        corr,
        sent,
        deadline,
        trace,
    ) = HEADER.unpack_from(frame)
    body_at = HEADER_BYTES + length
    if version != VERSION or flags & ~BLOB or body_at > len(frame):
        msg = f"version {version}, flags {flags:#x}, method of {length} bytes in a frame of {len(frame)}"
        raise FrameError(msg)
    method = frame[HEADER_BYTES:body_at].decode("utf-8", "backslashreplace")
    return Header(
        kind,
        flags,
        codec,
        attempt,
        sender,
        lane,
        corr,
        sent,
        deadline,
        trace,
        method,
        body_at,
    )
