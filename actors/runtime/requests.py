"""The body of a request to the root supervisor: facts that it reads, and bytes that it hands on unread.

Layout:
    offset  size   meaning
    0       4      length n of the facts, little endian
    4       n      the facts, a JSON object
    4 + n   rest   the payload
"""

from __future__ import annotations

import json
import struct
from typing import Any

_LENGTH = struct.Struct("<I")


def pack(facts: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return the body of a request."""
    text = json.dumps(facts).encode()
    return _LENGTH.pack(len(text)) + text + payload


def unpack(body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the facts and the payload of the request *body*."""
    (length,) = _LENGTH.unpack_from(body)
    end = _LENGTH.size + length
    return json.loads(body[_LENGTH.size : end]), body[end:]
