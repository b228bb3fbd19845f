"""Bodies too large for a frame: their layout in blobs, and the little that travels instead.

A parcel is a pickle in pieces and the buffers it refers to (pickle protocol 5, out of band), none of which has been copied yet.
Sending it copies each into one blob, except buffers in memory that came from a blob: those are referred to.
Receiving it maps the blobs and copies nothing; only a pickle too large for the frame that is not very large is read.

What travels: u64 how many bytes were copied, the names of the blobs, one a line, an empty line, and the table with the pickle behind it
unless the first blob begins with them.
The table: u32 count, then for the pickle and for each buffer u32 number of the blob, u64 offset, u64 length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import attrs

from actors.errors import MessageTooLargeError
from transports._mapping import address_of
from transports.blob import BlobStore

# What travels must fit into the smallest inline limit.
# So beyond eight blobs, buffers are copied, and only a small pickle travels with the names.
MAX_REFERENCES = 8
MAX_INLINE_BYTES = 400
MAX_MESSAGE_BYTES = 2**30
MAX_READ_BYTES = 128 * 1024  # a pickle of this size is cheaper read than mapped
ALIGNMENT = 64  # bytes: a cache line, and what vector instructions want

_HERE = 0xFFFF_FFFF  # in the place of a number: in what travelled
_SIZE = struct.Struct("<Q")
SIZE_BYTES = _SIZE.size  # of the body, which ``size`` needs
_COUNT = struct.Struct("<I")
_ENTRY = struct.Struct("<IQQ")


@attrs.frozen(eq=False)
class Parcel:
    """A large object, pickled.

    Attributes:
        pieces: The pickle is their concatenation.
        buffers: What it refers to, in its order; contiguous bytes each.
    """

    pieces: Sequence[bytes]
    buffers: Sequence[memoryview] = ()

    def __len__(self) -> int:
        """Return how many bytes it has in all."""
        return sum(map(len, self.pieces)) + sum(map(len, self.buffers))


@attrs.frozen(eq=False)
class Opened:
    """A parcel that has been received.

    Attributes:
        data: The pickle.
        buffers: What it refers to; each keeps the memory it lies in.
    """

    data: memoryview
    buffers: Sequence[memoryview]


def send(
    parcel: Parcel, blobs: BlobStore, to: str, max_bytes: int = MAX_MESSAGE_BYTES
) -> bytes:
    """Bring *parcel* on its way to the mailbox *to* and return the body of the frame.

    Raises:
        MessageTooLargeError: More than *max_bytes* would have to be copied.
        NoSpaceError: The file system is full; nothing is left behind.
    """
    homes = [blobs.view_of(part) for part in parcel.buffers]
    referred = list(dict.fromkeys(home for home in homes if home is not None))
    del referred[MAX_REFERENCES:]
    pickle_at = _COUNT.size + _ENTRY.size * (1 + len(homes))
    pickle_size = sum(map(len, parcel.pieces))
    # A small one travels in the frame: the first look into a blob costs more than all the rest of it.
    is_inline = pickle_at + pickle_size <= MAX_INLINE_BYTES
    has_own = not (is_inline and all(map(referred.__contains__, homes)))
    entries = [(_HERE if is_inline else 0, pickle_at, pickle_size)]
    copied: list[bytes | memoryview] = []
    at = 0 if is_inline else pickle_at + pickle_size
    for part, home in zip(parcel.buffers, homes, strict=True):
        if home is not None and home in referred:
            number = referred.index(home) + has_own
            entries.append((number, address_of(part) - home.start, len(part)))
        else:
            gap = -at % ALIGNMENT
            copied += [bytes(gap), part]
            entries.append((0, at + gap, len(part)))
            at += gap + len(part)
    if at > max_bytes:
        raise MessageTooLargeError(at, max_bytes)
    table = _COUNT.pack(len(entries)) + b"".join(_ENTRY.pack(*one) for one in entries)
    head = [table, *parcel.pieces]
    own = copied if is_inline else [*head, *copied]
    names = [blobs.write(own, to)] if has_own else []
    names += [blobs.post(view, to) for view in referred]
    rest = b"".join(head) if is_inline else b""
    return _SIZE.pack(at) + b"\n".join(names) + b"\n\n" + rest


def receive(
    body: bytes,
    blobs: BlobStore,
    *,
    private: bool = False,
    is_held: bool = False,
    keep: bool = False,
) -> Opened:
    """Take what *body* names.

    Args:
        body: What ``send`` returned.
        blobs: Of this process.
        private: The buffers may be written to; each page becomes a copy of our own as it is.
        is_held: *body* is what ``hold`` returned, in a process that lives longer than this one: only look.
        keep: What it names can be taken again, until it is dropped.

    Raises:
        OSError: A blob cannot be opened, or is gone.
        ValueError: *body* makes no sense.
    """
    names, rest = _split(body)
    is_small = not rest and len(names) == 1 and size(body) <= MAX_READ_BYTES
    if is_small and not (is_held or private or keep):
        views = [memoryview(blobs.read(names[0]))]
    elif is_held:
        views = [memoryview(blobs.borrow(name, private=private)) for name in names]
    else:
        taken = (blobs.take(name, private=private, keep=keep) for name in names)
        views = [memoryview(view) for view in taken]
    first = memoryview(rest) if rest else views[0]
    try:
        (count,) = _COUNT.unpack_from(first)
        table = first[_COUNT.size : _COUNT.size + count * _ENTRY.size]
        parts = [
            _part(first if number == _HERE else views[number], offset, length)
            for number, offset, length in _ENTRY.iter_unpack(table)
        ]
        return Opened(parts[0], parts[1:])
    except (IndexError, struct.error) as exc:
        msg = f"the table of a parcel makes no sense: {exc}"
        raise ValueError(msg) from exc


def hold(body: bytes, blobs: BlobStore) -> bytes:
    """Take what *body* names without looking into it; return what to ``receive`` and to ``release`` in its place.

    Raises:
        OSError: A blob is gone; nothing is held then.
        ValueError: *body* makes no sense.
    """
    names, rest = _split(body)
    held: list[bytes] = []
    try:
        for name in names:
            held.append(blobs.hold(name))  # noqa: PERF401 - what is held when one is gone must be known
    except BaseException:
        for name in held:
            blobs.release(name)
        raise
    return body[: _SIZE.size] + b"\n".join(held) + b"\n\n" + rest


def lend(body: bytes, blobs: BlobStore, to: str) -> bytes:
    """Bring what ``hold`` has returned as *body* on its way to the mailbox *to*, and go on holding it; return the body of the frame.

    Raises:
        OSError: A blob is gone; nothing is on its way then.
    """
    names, rest = _split(body)
    sent: list[bytes] = []
    try:
        for name in names:
            sent.append(blobs.lend(name, to))  # noqa: PERF401 - what is lent when one is gone must be known
    except BaseException:
        for name in sent:
            blobs.drop(name)
        raise
    return body[: _SIZE.size] + b"\n".join(sent) + b"\n\n" + rest


def forward(body: bytes, blobs: BlobStore, to: str) -> bytes:
    """Send what *body* names to the mailbox *to* instead; return the body of the frame for it.

    Raises:
        OSError: A blob is gone; what is there is dropped then.
        ValueError: *body* makes no sense.
    """
    names, rest = _split(body)
    sent: list[bytes] = []
    try:
        for name in names:
            sent.append(blobs.forward(name, to))  # noqa: PERF401 - what is sent when one is gone must be known
    except BaseException:
        for name in (*sent, *names):
            blobs.drop(name)
        raise
    return body[: _SIZE.size] + b"\n".join(sent) + b"\n\n" + rest


def release(body: bytes, blobs: BlobStore) -> None:
    """Let go of what ``hold`` has returned as *body*."""
    for name in _split(body)[0]:
        blobs.release(name)


def share(parcel: Parcel, blobs: BlobStore) -> Opened:
    """Copy the buffers of *parcel* into memory that is only referred to when they are sent; those that lie in such stay there.

    Raises:
        NoSpaceError: The file system is full; nothing is left behind.
    """
    copied: list[bytes | memoryview] = []
    spans: list[slice | None] = []
    at = 0
    for part in parcel.buffers:
        if blobs.view_of(part) is not None:
            spans.append(None)
            continue
        gap = -at % ALIGNMENT
        copied += [bytes(gap), part]
        spans.append(slice(at + gap, at + gap + len(part)))
        at += gap + len(part)
    memory = memoryview(blobs.share(copied) if copied else b"")
    buffers = [
        part if span is None else memory[span]
        for part, span in zip(parcel.buffers, spans, strict=True)
    ]
    return Opened(memoryview(b"".join(parcel.pieces)), buffers)


def size(body: bytes) -> int:
    """Return how many bytes were copied for what *body* names.

    Raises:
        struct.error: *body* makes no sense.
    """
    return int(_SIZE.unpack_from(body)[0])


def own(body: bytes) -> tuple[bytes, int] | None:
    """Return the name and the size of what was copied for *body*; None where it only refers to what others have.

    Raises:
        ValueError: *body* makes no sense.
    """
    if len(body) < SIZE_BYTES:
        msg = "not the body of a parcel"
        raise ValueError(msg)
    copied = size(body)
    return (body[_SIZE.size :].partition(b"\n")[0], copied) if copied else None


def drop(body: bytes, blobs: BlobStore) -> None:
    """Remove unread what *body* names; it may be gone already."""
    for name in _split(body)[0]:
        blobs.drop(name)


def _split(body: bytes) -> tuple[list[bytes], bytes]:
    names, end, rest = body[_SIZE.size :].partition(b"\n\n")
    if not end or names.count(b"\n") > MAX_REFERENCES:
        msg = "not the body of a parcel"
        raise ValueError(msg)
    return names.split(b"\n"), rest


def _part(memory: memoryview, offset: int, length: int) -> memoryview:
    if offset + length > len(memory):
        msg = f"{length} bytes at {offset}, but there are {len(memory)}"
        raise IndexError(msg)
    return memory[offset : offset + length]
