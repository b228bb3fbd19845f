"""Where in an object the part is that cannot be sent.

Searching runs user code again (``__reduce__``), so it is bounded, and never fails itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

MAX_DEPTH = 20
MAX_STEPS = 500


def explain(
    obj: object, error: Exception, try_dump: Callable[[object], Exception | None]
) -> str:
    """Return one line that names the path to the part of *obj* that fails, and why.

    Args:
        obj: What could not be dumped; a pair of arguments is named ``args`` and ``kwargs``.
        error: How that failed.
        try_dump: Returns the error of dumping a part, None if it can be.
    """
    path, cause, steps = "", error, 0
    seen = {id(obj)}
    for _ in range(MAX_DEPTH):
        for step, part in _parts(obj, is_top=not path):
            steps += 1
            if steps > MAX_STEPS or id(part) in seen:
                continue
            found = try_dump(part)
            if found is not None:
                seen.add(id(part))
                path, obj, cause = path + step, part, found
                break
        else:
            break
    return f"{path or type(obj).__name__}: {_text(cause)}"


def _parts(obj: object, *, is_top: bool) -> Iterator[tuple[str, Any]]:
    if (
        is_top
        and isinstance(obj, tuple)
        and len(obj) >= 2
        and isinstance(obj[-2], tuple)
        and isinstance(obj[-1], dict)
    ):
        yield "args", obj[-2]
        for key, value in obj[-1].items():
            yield f"{key}", value
    elif isinstance(obj, dict):
        for key, value in list(obj.items()):
            yield f"[{_safe_repr(key)}]", value
            yield f" key {_safe_repr(key)}", key
    elif isinstance(obj, list | tuple | set | frozenset):
        for index, value in enumerate(obj):
            yield f"[{index}]", value
    else:
        yield from _attributes(obj)


def _attributes(obj: object) -> Iterator[tuple[str, Any]]:
    try:
        values = dict(vars(obj))
    except TypeError:
        values = {}
    names = [name for cls in type(obj).__mro__ for name in _slots(cls)]
    for name in names:
        try:
            values[name] = getattr(obj, name)
        except Exception:  # noqa: BLE001, S112 - an empty slot, or user code
            continue
    for name, value in values.items():
        yield f".{name}", value
    for name, cell in zip(
        getattr(getattr(obj, "__code__", None), "co_freevars", ()),
        getattr(obj, "__closure__", None) or (),
        strict=False,
    ):
        yield f" closure variable {name}", cell.cell_contents


def _slots(cls: type) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    return [slots] if isinstance(slots, str) else list(slots)


def _safe_repr(obj: object) -> str:
    try:
        return repr(obj)[:80]
    except Exception:  # noqa: BLE001 - user code
        return f"<{type(obj).__name__}>"


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - user code
        return type(error).__name__
