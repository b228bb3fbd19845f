"""Where in an object is the part that cannot be pickled.

Found by trying: parts that fail alone are followed down to one whose own parts all pass.
It runs when sending has failed anyway; since pickling a part runs user code once more,
it is bounded in depth and number, and it never fails itself.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

from actors.wire import byvalue

MAX_DEPTH = 50
MAX_TRIES = 1000  # parts that are pickled to see whether they can be
MAX_KEY = 60  # characters of a key in the path

_ALWAYS_PASS = (type(None), bool, int, float, complex, str, bytes, bytearray)
_MISSING = object()

Refusal = Callable[[Any], Exception | None]
Part = tuple[str, object]


def explain(obj: object, error: Exception, refusal: Refusal) -> str:
    """Return one line that says which part of *obj* cannot be pickled, and why.

    Args:
        obj: What could not be pickled. The parts of a message, ``(args, kwargs)`` or
            ``(class, args, kwargs)``, are called by these names.
        error: What was raised.
        refusal: Returns what pickling a part raises, or None if that works.
    """
    try:
        path, error = _Search(refusal).run(obj, error)
    except Exception:  # noqa: BLE001 - looking at objects runs user code
        path = ""
    return f"{path or type(obj).__name__}: {_reason(error)}"


def text_of(error: Exception) -> str:
    """Return class and text of *error*, whatever its ``__str__`` does."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001 - user code
        return name


def _reason(error: Exception) -> str:
    # The pickler's own words say enough; what user code raised needs its class.
    is_picklers = type(error) in {TypeError, AttributeError, pickle.PicklingError}
    return str(error) if is_picklers else text_of(error)


class _Search:
    """Depth first, and back again where a path only leads round in a circle."""

    def __init__(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._tries = 0
        # Kept alive, or the next temporary part may have the id of one seen before.
        self._seen: dict[int, tuple[object, bool]] = {}

    def run(self, obj: object, error: Exception) -> tuple[str, Exception]:
        self._seen[id(obj)] = obj, True
        parts = _parts_of_message(obj)
        if parts:
            return self._blame("", parts, error, MAX_DEPTH) or ("", error)
        return self._blame(_label(obj), _parts(obj), error, MAX_DEPTH) or ("", error)

    def _blame(
        self, path: str, parts: Iterable[Part], error: Exception, depth: int
    ) -> tuple[str, Exception] | None:
        """Return the path and error of a part that is bad by itself, None if all circle."""
        is_bad_itself = True
        for step, part in parts:
            if id(part) in self._seen:
                is_bad_itself &= not self._seen[id(part)][1]
                continue
            found = self._try(part)
            self._seen[id(part)] = part, found is not None
            if found is None:
                continue
            is_bad_itself = False
            if not depth or self._tries >= MAX_TRIES:
                return path + step, found
            blamed = self._blame(path + step, _parts(part), found, depth - 1)
            if blamed is not None:
                return blamed
        return (path, error) if is_bad_itself else None

    def _try(self, part: object) -> Exception | None:
        if type(part) in _ALWAYS_PASS or self._tries >= MAX_TRIES:
            return None
        self._tries += 1
        return self._refusal(part)


def _parts_of_message(obj: object) -> list[Part]:
    match obj:
        case (tuple() as args, dict() as kwargs):
            return [("args", args), ("kwargs", kwargs)]
        case (type() as cls, tuple() as args, dict() as kwargs):
            return [(cls.__name__, cls), ("args", args), ("kwargs", kwargs)]
        case _:
            return []


def _label(obj: object) -> str:
    if byvalue.is_definition(obj):
        return byvalue.qualified_name(obj)
    return type(obj).__name__


def _parts(obj: object) -> Iterator[Part]:
    if _refuses_itself(obj):
        return  # what it says about it counts, not what is in it
    if isinstance(obj, dict):
        for key, value in obj.items():
            yield f"[{_key(key)}]", value
            yield f" key {_key(key)}", key
    elif isinstance(obj, list | tuple | deque):
        yield from ((f"[{index}]", value) for index, value in enumerate(obj))
    elif isinstance(obj, set | frozenset):
        yield from ((f" item {_key(value)}", value) for value in obj)
    if isinstance(obj, FunctionType):
        yield from _parts_of_function(obj)
    yield from _attributes(obj)


def _refuses_itself(obj: object) -> bool:
    if byvalue.is_definition(obj) or type(obj) in byvalue.ByValuePickler.dispatch_table:
        return False
    try:
        obj.__reduce_ex__(byvalue.PROTOCOL)
    except Exception:  # noqa: BLE001 - user code
        return True
    return False


def _attributes(obj: object) -> Iterator[Part]:
    names = [*getattr(obj, "__dict__", ())]
    names += [name for cls in type(obj).__mro__ for name in _slots(cls)]
    if isinstance(obj, type):
        yield from _parts_of_class(obj)
        return
    if isinstance(obj, BaseException):
        names.append("args")
    names.append("__class__")
    for name in names:
        value = getattr(obj, name, _MISSING)
        if value is not _MISSING:
            yield f".{name}", value


def _parts_of_class(cls: type) -> Iterator[Part]:
    for name, value in vars(cls).items():
        if not isinstance(value, GetSetDescriptorType | MemberDescriptorType):
            yield f".{name}", value
    for base in cls.__bases__:
        yield f".{base.__name__}", base


def _slots(cls: type) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else slots
    is_private = [name.startswith("__") and not name.endswith("__") for name in names]
    return [
        f"_{cls.__name__.lstrip('_')}{name}" if private else name
        for name, private in zip(names, is_private, strict=True)
    ]


def _parts_of_function(function: FunctionType) -> Iterator[Part]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    for name, cell in cells:
        try:
            yield f".__closure__[{name!r}]", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in sorted(_names_used(function.__code__)):
        if name in function.__globals__:
            yield f".__globals__[{name!r}]", function.__globals__[name]
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__
    yield ".__annotations__", function.__annotations__


def _names_used(code: CodeType) -> set[str]:
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_names_used, inner))


def _key(key: object) -> str:
    try:
        text = repr(key)
    except Exception:  # noqa: BLE001 - user code
        text = f"<{type(key).__name__}>"
    return text if len(text) <= MAX_KEY else f"{text[:MAX_KEY]}…"
