"""Objects to bytes and back; the only module that unpickles.

Three ways to bytes.  A message of built-in and imported things costs one pass of a C
pickler that is used again and again.  What it refuses (lambdas, inner functions, most
errors) goes through cloudpickle.  And what other processes cannot import is published
once, and then costs either of them a look into a dictionary.

Not here: what has to be published (``byvalue.py``) and where it is kept (``code.py``).
"""

from __future__ import annotations

import io
import pickle
import threading
from typing import Any

from actors.errors import DecodeError, NotSerializableError
from actors.wire import byvalue, code, diagnosis
from actors.wire.byvalue import PROTOCOL, ByValuePickler, Keep, Refer
from actors.wire.code import CodeStore, IdentityMap
from actors.wire.parcel import Opened, Parcel
from transports.errors import NoSpaceError

# A pickler clears all the memory that its largest message needed, after every small one:
# 0.4 ms a message after one of 32 000 objects.  One that has more, enough for about 85
# objects, is therefore dropped; a new one costs 1.2 µs.
MAX_PICKLER_BYTES = 4096
# Smaller buffers are cheaper copied into the pickle than mapped.
MIN_BUFFER_BYTES = 16 * 1024
_loads = pickle.loads  # noqa: TID251 - this is the place


class Codec:
    """Pickles for one system in one process; may be used by several threads.

    Code travels as it was when it was first sent, with a copy of the global variables
    that it uses; only what travels together shares the copy.
    What the program changes later, a class attribute say, or a function that others
    call, stays unchanged elsewhere.
    A new definition of the same name is another object and is sent as such.
    """

    def __init__(self, store: CodeStore) -> None:
        """Publish code in *store*, and load it from there."""
        self._store = store
        store.serve(_decode_unit)
        # Classes whose instances need nothing from us, and what definitions become.
        self._classes: IdentityMap[None] = IdentityMap()
        self._known: IdentityMap[Any] = IdentityMap()
        self._publishing = threading.RLock()  # reentrant for finalizers that send
        self._idle: list[_MessagePickler] = []

    def encode(self, obj: object) -> bytes | Parcel:
        """Return *obj* as bytes or, if it is large, as a parcel: not copied yet.

        Raises:
            NotSerializableError: Something in it cannot travel; the text names the path.
            NoSpaceError: Code had to be published, and the file system is full.
        """
        # Taking one out is atomic: another thread, and a __reduce__ that dumps, find
        # the list empty and make their own.
        try:
            pickler = self._idle.pop()
        except IndexError:
            pickler = _MessagePickler(self._classes, self._known, self._meet)
        try:
            pickler.dump(obj)
        except Exception as exc:  # noqa: BLE001 - the other pickler may know better
            return self._encode_by_value(obj, exc)
        pieces = pickler.pieces
        encoded: bytes | Parcel = pieces[0]
        if len(pieces) > 1 or pickler.buffers:
            encoded = Parcel(pieces.copy(), pickler.buffers.copy())
            pickler.buffers.clear()
        if pickler.__sizeof__() <= MAX_PICKLER_BYTES:
            pieces.clear()
            pickler.clear_memo()
            self._idle.append(pickler)
        return encoded

    def dumps(self, obj: object) -> bytes:
        """Return *obj* as bytes, however large it is.

        Raises:
            As ``encode``.
        """
        encoded = self.encode(obj)
        if isinstance(encoded, bytes):
            return encoded
        if encoded.buffers:
            return self._by_value(obj)
        return b"".join(encoded.pieces)

    def split(self, obj: object) -> Parcel:
        """Return *obj* with all its buffers, however small, out of the pickle; not for messages, because it takes longer.

        Raises:
            As ``encode``.
        """
        buffers: list[memoryview] = []
        try:
            data = self._by_value(obj, _keeper(buffers, least=1))
        except Exception as exc:
            raise self._translated(obj, exc) from exc
        return Parcel([data], buffers)

    def try_dumps(self, obj: object) -> bytes | None:
        """Return *obj* as bytes, or None when it cannot travel."""
        try:
            return self.dumps(obj)
        except (NotSerializableError, NoSpaceError):
            return None

    def loads(self, data: bytes | memoryview | Opened) -> object:
        """Return the object that *data* was made of; what it needs of a parcel stays.

        Raises:
            DecodeError: It cannot be rebuilt here, for whatever reason, which is
                chained.
        """
        try:
            if type(data) is bytes:  # almost always
                return _loads(data)
            if isinstance(data, Opened):
                return _loads(data.data, buffers=data.buffers)
            return _loads(data)
        except Exception as exc:
            size = len(data.data if isinstance(data, Opened) else data)
            why = diagnosis.text_of(exc)
            msg = f"{size} bytes could not be decoded: {why}"
            raise DecodeError(msg) from exc

    # The slow way.

    def _encode_by_value(self, obj: object, refusal: Exception) -> bytes | Parcel:
        if not isinstance(refusal, MemoryError | NoSpaceError):
            try:
                buffers: list[memoryview] = []
                data = self._by_value(obj, _keeper(buffers))
                return Parcel([data], buffers) if buffers else data
            except Exception as exc:  # noqa: BLE001 - told apart below
                refusal = exc
        raise self._translated(obj, refusal) from refusal

    def _translated(self, obj: object, refusal: Exception) -> Exception:
        if isinstance(refusal, MemoryError | NoSpaceError):
            return refusal
        if isinstance(refusal, RecursionError):
            msg = f"{type(obj).__name__}: nested too deeply to be sent"
        else:
            msg = diagnosis.explain(obj, refusal, self._refusal)
        return NotSerializableError(msg)

    def _by_value(self, obj: object, keep: Keep | None = None) -> bytes:
        return _dump(obj, lambda part: self._refer(part, self._publish), keep)

    def _refusal(self, obj: object) -> Exception | None:
        try:
            self._by_value(obj)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is the answer
            return exc
        return None

    # What becomes of an object.

    def _meet(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
        """Return how a message carries *obj*, which it was not known how to."""
        reduction = self._refer(obj, self._publish)
        if reduction is None:
            # Most of these the C pickler would refuse, but some it would name.
            msg = "has to go by value"
            raise pickle.PicklingError(msg)
        return reduction

    def _refer(self, obj: Any, publish: Refer) -> Any:  # noqa: ANN401 - see Refer
        if not byvalue.is_definition(obj):
            return self._refer_instance(obj)
        reduction = self._reference(obj)
        if reduction is not None:
            return reduction
        # Asked again each time, though it may be known: if a module has lost the
        # object, the C pickler has refused it and this is the second try.
        if byvalue.is_importable(obj):
            self._known.remember(obj, NotImplemented)
            return NotImplemented
        return publish(obj) if byvalue.has_identity(obj) else None

    def _refer_instance(self, obj: object) -> Any:  # noqa: ANN401 - see Refer
        kind = type(obj)
        if id(kind) in self._classes.by_id:
            return NotImplemented
        reduction = byvalue.reduce_instance(obj)
        if not isinstance(reduction, str):
            self._classes.remember(kind, None)
        return reduction

    def _reference(self, obj: object) -> Any:  # noqa: ANN401 - pickle's protocol
        """Return the reduction of *obj* if it is published in this system."""
        known = self._known.by_id.get(id(obj))
        if known is not None and known is not NotImplemented:
            return known
        name = code.name_of(obj)
        if name is None or not self._store.holds(name[0]):
            return None
        return self._remember(obj, name)

    def _remember(self, obj: object, name: code.Name) -> Any:  # noqa: ANN401 - likewise
        reduction = (code.load_code, name)
        self._known.remember(obj, reduction)
        return reduction

    # Publishing.

    def _publish(self, root: object) -> Any:  # noqa: ANN401 - pickle's protocol
        """Publish *root* and all it needs; return how it is referred to.

        The lock is not held while user code runs, which may import modules and wait for
        other threads.  So another thread may be first with a part of it: then a second
        try refers to that part instead.
        """
        while True:
            content, members = self._draft(root)
            with self._publishing:
                if all(self._reference(member) is None for member in members):
                    unit = self._store.write(content)
                    code.register(unit, members)
                    for index, member in enumerate(members):
                        self._remember(member, (unit, index))
                reduction = self._reference(root)
            if reduction is not None:
                return reduction

    def _draft(self, root: object) -> tuple[bytes, list[object]]:
        """Return a unit: *root* by value with everything un-importable it leads to.

        Layout: a pickle of (root, list of all members), in the order they were met.
        """
        members: list[object] = []
        # The root is pickled first, and what it leads to fills the list meanwhile.
        content = _dump((root, members), lambda part: self._refer(part, members.append))
        return content, members


def _decode_unit(content: bytes) -> list[object]:
    members: list[object]
    _, members = pickle.loads(content)  # noqa: S301, TID251 - this is the place
    return members


def _dump(obj: object, refer: Refer, keep: Keep | None = None) -> bytes:
    buffer = io.BytesIO()
    ByValuePickler(buffer, refer, keep).dump(obj)
    return buffer.getvalue()


def _keeper(buffers: list[memoryview], least: int = MIN_BUFFER_BYTES) -> Keep:
    """Return a callback for a pickler that keeps buffers of *least* bytes or more out of the pickle."""

    def keep(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous: the pickler copies it
            return True
        if len(raw) < least:
            return True
        buffers.append(raw)
        return False

    return keep


class _Sink:
    """A file for a pickler; to write is one call of ``list.append``."""

    __slots__ = ("write",)

    def __init__(self, pieces: list[bytes]) -> None:
        self.write: Any = pieces.append  # nobody asks how much was written


class _MessagePickler(pickle.Pickler):
    """The fast one.

    pickle asks it about every object that is not of a builtin type, so a dictionary
    answers for all classes but those met for the first time.
    """

    __slots__ = ("_classes", "_known", "_meet", "buffers", "pieces")

    def __init__(
        self, classes: IdentityMap[None], known: IdentityMap[Any], meet: Refer
    ) -> None:
        """Ask *meet* about what is in neither map.

        Attributes:
            pieces: What was written: one piece, unless it was large.
            buffers: What was too large to be written.
        """
        self.pieces: list[bytes] = []
        self.buffers: list[memoryview] = []
        super().__init__(
            _Sink(self.pieces), PROTOCOL, buffer_callback=_keeper(self.buffers)
        )
        self._classes = classes.by_id
        self._known = known.by_id
        self._meet = meet

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
        """See ``pickle.Pickler``."""
        if id(type(obj)) in self._classes:
            return NotImplemented
        reduction = self._known.get(id(obj))
        return self._meet(obj) if reduction is None else reduction
