"""Objects to bytes and back: the only module that unpickles.

A message of built-in and imported things costs one pass of a C pickler that is used again and again.
Classes and functions that cannot be imported are replaced by what ``code.py`` published of them; what the C pickler refuses
(lambdas, inner functions) goes through cloudpickle.
"""

from __future__ import annotations

import io
import pickle
import threading
from types import FunctionType
from typing import Any

import cloudpickle

from actors.errors import DecodeError, NotSerializableError
from actors.wire import diagnosis
from actors.wire.code import CodeStore

PROTOCOL = 5
MAX_KEPT_BYTES = (
    2**20
)  # a buffer that a message has made larger than this is not kept for the next one


class Codec:
    """The pickler of one process and system; may be used by several threads."""

    def __init__(self, code: CodeStore) -> None:
        """Publish and load code through *code*."""
        self._code = code
        code.decode = pickle.loads  # noqa: TID251 - this is the one module
        # Held in a dump; somebody who finds it taken (another thread, or a __reduce__ further up) makes a pickler of its own.
        self._lock = threading.Lock()
        self._chunks: list[bytes] = []
        self._pickler = _Pickler(_Sink(self._chunks), code)

    def dumps(self, obj: object) -> bytes:
        """Return *obj* as bytes.

        Raises:
            NotSerializableError: Something in it cannot travel; the text names the path to it.
        """
        if not self._lock.acquire(False):  # noqa: FBT003 - the keyword would cost a sixth of the whole dump
            chunks: list[bytes] = []
            return self._dump(obj, _Pickler(_Sink(chunks), self._code), chunks)
        try:
            return self._dump(obj, self._pickler, self._chunks)
        finally:
            self._chunks.clear()
            self._pickler.clear_memo()  # it holds on to everything it has seen
            self._lock.release()

    def _dump(self, obj: object, pickler: _Pickler, chunks: list[bytes]) -> bytes:
        try:
            pickler.dump(obj)
        except RecursionError as exc:
            msg = "nested too deeply to be sent, or it contains itself through its __reduce__"
            raise NotSerializableError(msg) from exc
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever the fast pickler refuses, the other one may know
            return self._with_cloudpickle(obj)
        # What fits a frame of pickle's, and that is nearly every message, comes in one piece.
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _with_cloudpickle(self, obj: object) -> bytes:
        buffer = io.BytesIO()
        try:
            _CloudPickler(buffer, self._code).dump(obj)
        except MemoryError:
            raise
        except Exception as exc:
            raise NotSerializableError(
                diagnosis.explain(obj, exc, self._can_dump)
            ) from exc
        return buffer.getvalue()

    def _can_dump(self, obj: object) -> Exception | None:
        try:
            _CloudPickler(io.BytesIO(), self._code).dump(obj)
        except Exception as exc:  # noqa: BLE001 - user code
            return exc
        return None

    def try_dumps(self, obj: object) -> bytes | None:
        """Return *obj* as bytes, or None when it cannot travel."""
        try:
            return self.dumps(obj)
        except NotSerializableError:
            return None

    def loads(self, data: bytes | memoryview) -> Any:  # noqa: ANN401 - whatever was sent
        """Return the object that ``dumps`` made *data* of.

        Raises:
            DecodeError: It cannot be rebuilt here, for whatever reason; the cause is chained.
        """
        try:
            return pickle.loads(data)  # noqa: S301, TID251 - this is the one module
        except Exception as exc:
            msg = f"{len(data)} bytes could not be decoded: {type(exc).__name__}: {exc}"
            raise DecodeError(msg) from exc


class _Sink:
    """A file for a pickler that costs one call of ``list.append``."""

    __slots__ = ("write",)

    def __init__(self, chunks: list[bytes]) -> None:
        self.write = chunks.append


class _Pickler(pickle.Pickler):
    """The fast one; builtin values never reach ``reducer_override``."""

    def __init__(self, file: _Sink, code: CodeStore) -> None:
        super().__init__(file, PROTOCOL)  # it writes, and never asks how much was written
        self._reduce = code.reduce

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's own protocol
        if isinstance(obj, type | FunctionType):
            return self._reduce(obj)
        return NotImplemented


class _CloudPickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Sends what was published by its name, and the rest as cloudpickle does."""

    def __init__(self, file: io.BytesIO, code: CodeStore) -> None:
        super().__init__(file, PROTOCOL)
        self._reduce = code.reduce

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's own protocol
        if isinstance(obj, type | FunctionType):
            reduction = self._reduce(obj)
            if reduction is not NotImplemented:
                return reduction
        return super().reducer_override(obj)
