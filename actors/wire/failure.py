"""An exception on its way to the asker: always as text, and as an object where that survives the journey.

Body of an ``ERROR`` frame: u32 length of a JSON object (``type``, ``message``, ``traceback``; ``lost``, why there is no exception),
that object, and the pickled exception or nothing.
The text alone is enough to tell what happened: a class may not be importable, may not unpickle, or may not pickle at all.
"""

from __future__ import annotations

import json
import struct
import traceback
from collections.abc import Callable

from actors.errors import RemoteError
from actors.tracebacks import of_user

# Characters of a traceback that travel; its end says what went wrong.
MAX_TEXT = 16 * 1024
_LENGTH = struct.Struct("<I")


def pack(error: BaseException, dumps: Callable[[object], bytes | None]) -> bytes:
    """Return the body for *error*; never raises for what the exception does.

    Args:
        error: What the handler raised.
        dumps: Pickles an object, or returns None when it cannot.
    """
    text = {
        "type": type(error).__name__,
        "message": _safe_str(error),
        "traceback": _safe_traceback(error),
    }
    # SystemExit and its like must not end the asker: they arrive as text only.
    pickled = dumps(error) if isinstance(error, Exception) else None
    if pickled is None and isinstance(error, Exception):
        text["lost"] = "it cannot be pickled"
    meta = json.dumps(text).encode()
    return _LENGTH.pack(len(meta)) + meta + (pickled or b"")


def unpack(body: bytes, loads: Callable[[bytes], object]) -> Exception:
    """Return the exception to raise: the original chained to its text, or a stand-in."""
    (length,) = _LENGTH.unpack_from(body)
    end = _LENGTH.size + length
    text = json.loads(body[_LENGTH.size : end])
    remote = RemoteError(text["type"], text["message"], text["traceback"])
    if len(body) == end:
        return _explained(remote, text.get("lost"))
    try:
        error = loads(body[end:])
    except Exception as exc:  # noqa: BLE001 - a class that cannot be rebuilt here; the text says all there is
        return _explained(remote, f"it cannot be rebuilt here: {exc}")
    if not isinstance(error, Exception) or type(error).__name__ != text["type"]:
        return _explained(remote, f"it would be a {type(error).__name__} here")
    error.__cause__ = remote
    return error


def _explained(remote: RemoteError, why: str | None) -> RemoteError:
    """Say why *remote* is raised in the place of what the handler raised, to somebody who waits for that."""
    if why is not None:
        remote.add_note(f"({remote.exc_type} itself is not raised: {why})")
    return remote


def _safe_str(error: BaseException) -> str:
    try:
        return str(error)[:MAX_TEXT]
    except Exception as exc:  # noqa: BLE001 - user code: __str__ may do anything
        return f"<no text: __str__ raised {type(exc).__name__}>"


def _safe_traceback(error: BaseException) -> str:
    trace = of_user(error)
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except Exception:  # noqa: BLE001 - formatting calls user code as well
        lines = traceback.format_tb(trace)
    return "".join(lines)[-MAX_TEXT:]
