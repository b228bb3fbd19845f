"""What other processes cannot import, and how it is pickled by value instead of by name.

A *definition* is what pickle sends as a name: classes, functions, and a few more kinds
of object that stand in modules, such as a ``TypeVar`` or a cached function.
cloudpickle sends classes and functions by value; this module decides when that is
needed, and teaches it what else is found in ordinary programs.

Not here: what was published before is named, not sent again; see ``codec.py``.
"""

from __future__ import annotations

import collections
import copyreg
import dataclasses
import functools
import io
import pickle
import sys
import typing
import weakref
from collections.abc import Callable
from enum import EnumMeta
from types import FunctionType, ModuleType
from typing import Any, ClassVar, NamedTuple, NewType, ParamSpec, TypeVar, TypeVarTuple

import cloudpickle
from cloudpickle.cloudpickle import (
    _dynamic_class_reduce,  # pyright: ignore[reportAttributeAccessIssue]
    _function_setstate,  # pyright: ignore[reportAttributeAccessIssue]
)

PROTOCOL = 5

# What a pickler asks: what shall become of an object?  A reduction; NotImplemented for
# pickle's own way; None for by value.
Refer = Callable[[Any], Any]
# And about a buffer: shall it be in the pickle?
Keep = Callable[[pickle.PickleBuffer], bool]

_MAIN = {"__main__", "__mp_main__"}  # the latter in children of multiprocessing
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made at run time, as all Python classes are


def is_definition(obj: object) -> bool:
    """Return whether *obj* is of a kind that is pickled by name."""
    kind = type(obj)
    return issubclass(kind, type) or id(kind) in _KINDS


def is_importable(obj: object) -> bool:
    """Return whether another process that imports the module of *obj* has found it."""
    if isinstance(obj, type) and not obj.__flags__ & _HEAP_TYPE:
        return True
    return _is_found(obj, qualified_name(obj))


def qualified_name(obj: object) -> str:
    """Return the name of *obj*, a definition, in its module."""
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", "<lambda>")
    return str(name)


def has_identity(obj: object) -> bool:
    """Return whether *obj*, a definition, is to be one and the same wherever it arrives.

    A lambda or an inner function is made anew whenever its line runs: publishing it
    would make a file each time.  An inner class is worth one, because its instances are
    told from others by it.
    """
    if isinstance(obj, type):
        return True
    name = qualified_name(obj)
    is_inner = "<locals>" in name or "<lambda>" in name
    return not is_inner and type(obj) is not _ALIAS  # of an alias there is no weakref


def reduce_instance(obj: object) -> Any:  # noqa: ANN401 - pickle's protocol
    """Return how *obj*, which is no definition, says that it is pickled.

    NotImplemented if it says nothing. If a name, others of its class have to be asked
    as well; otherwise what one says holds for all.

    Raises:
        pickle.PicklingError: By a name, as singletons are, and one that other processes
            cannot import: it would fail where it arrives, and only there.
    """
    kind = type(obj)
    said_by = kind.__reduce_ex__, kind.__reduce__
    if (
        said_by == _SAYS_NOTHING
        or kind in copyreg.dispatch_table
        or kind in _REDUCTIONS
    ):
        return NotImplemented
    reduction = obj.__reduce_ex__(PROTOCOL)
    # Builtin ones, such as NotImplemented, do not say where they are: pickle searches.
    module = getattr(obj, "__module__", None)
    if isinstance(reduction, str) and module and not _is_found(obj, reduction):
        msg = f"{reduction!r} of {module} cannot be imported elsewhere"
        raise pickle.PicklingError(msg)
    return reduction


_SAYS_NOTHING = (object.__reduce_ex__, object.__reduce__)


def _is_found(obj: object, name: str) -> bool:
    module_name = getattr(obj, "__module__", None)
    if not isinstance(module_name, str) or module_name in _MAIN:
        return False
    module = sys.modules.get(module_name)
    return (
        module is not None
        and _find(module, name) is obj
        and not _is_wanted_by_value(module_name)
        and _has_finder(module_name, module)
    )


def _find(module: object, name: str) -> object:
    found = module
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except Exception:  # noqa: BLE001 - a module's __getattr__ may do anything
        return None
    return found


def _is_wanted_by_value(module_name: str) -> bool:
    """Return whether the program said so, with ``cloudpickle.register_pickle_by_value``."""
    return any(
        module_name == name or module_name.startswith(f"{name}.")
        for name in cloudpickle.list_registry_pickle_by_value()
    )


def _has_finder(name: str, module: object) -> bool:
    """Return whether *module* could be imported if it were not there already.

    Modules made by hand are in ``sys.modules`` as well, as are files that the program
    loaded itself from where nobody else would look.
    """
    if not isinstance(module, ModuleType):
        return True  # a library has put something else in its place
    spec = module.__spec__
    if spec is None:
        return False
    if not spec.has_location:
        return True  # built in, or by an importer of its own
    package = sys.modules.get(name.rpartition(".")[0])
    path = getattr(package, "__path__", None)
    try:
        return any(finder.find_spec(name, path) for finder in sys.meta_path)
    except Exception:  # noqa: BLE001 - an importer that cannot be asked
        return True


def _reduce_file(file: Any) -> Any:  # noqa: ANN401 - pickle's protocol
    """Refuse a file; cloudpickle would send its whole text, as a file in memory.

    Standard output and error are those of the program in every process of a system.
    """
    for name in ("stdout", "stderr"):
        if file is getattr(sys, name):
            return getattr, (sys, name)
    msg = "an open file stays in its process: send the path, and open it there"
    raise TypeError(msg)


# Parts of classes that cloudpickle does not know, or gets wrong: a lock in a property
# (until Python 3.12), weak keys in a single-dispatch function, and sentinels that are
# told by identity; and files.
_REDUCTIONS: dict[Any, Callable[[Any], Any]] = {
    functools.cached_property: lambda obj: (
        type(obj),
        (obj.func,),
        {"attrname": obj.attrname},
    ),
    weakref.WeakKeyDictionary: lambda obj: (type(obj), (dict(obj),)),
    type(dataclasses.MISSING): lambda _: "MISSING",
    io.TextIOWrapper: _reduce_file,
}


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """Pickles by value what it is told to, and all else as cloudpickle does."""

    def __init__(
        self,
        file: Any,  # noqa: ANN401 - has a write
        refer: Refer,
        keep: Keep | None = None,
    ) -> None:
        """Write to *file*; ask *refer* about every object and *keep* about every buffer."""
        super().__init__(file, PROTOCOL, keep)
        self._refer = refer

    def dump(self, obj: object) -> None:
        """Write *obj*; raises whatever pickling it raises, RecursionError included."""
        pickle.Pickler.dump(self, obj)

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
        """See ``pickle.Pickler``."""
        reduction = self._refer(obj)
        if reduction is None:
            return self._by_value(obj)
        if reduction is NotImplemented:
            return super().reducer_override(obj)
        return reduction

    def _by_value(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
        if isinstance(obj, type):
            return _with_slots(obj, _dynamic_class_reduce(obj))
        if isinstance(obj, FunctionType):
            return self._dynamic_function_reduce(obj)
        return _REDUCERS[type(obj)](obj)

    def _dynamic_function_reduce(self, func: Any) -> Any:  # noqa: ANN401 - pickle's protocol
        *reduction, _ = super()._dynamic_function_reduce(func)
        return (*reduction, _set_function_state)

    dispatch_table: ClassVar[Any] = collections.ChainMap(
        _REDUCTIONS,
        cloudpickle.Pickler.dispatch_table,  # pyright: ignore[reportArgumentType]
    )


# Global variables that were set in this process, by module.
_set_here: dict[str, dict[str, Any]] = {}


def keep_globals(module_name: str, values: dict[str, Any]) -> None:
    """Let functions that arrive by value from *module_name*, from now on, find *values* among their global variables.

    Each message brings variables of its own; what was set here is worth more than what its sender has.
    """
    _set_here.setdefault(module_name, {}).update(values)


def _set_function_state(function: Any, state: Any) -> None:  # noqa: ANN401 - pickle's protocol
    _function_setstate(function, state)
    scope = function.__globals__
    scope.update(_set_here.get(scope.get("__name__"), ()))


def _with_slots(cls: type, reduction: Any) -> Any:  # noqa: ANN401 - pickle's protocol
    """Let a class with ``__slots__`` arrive with them, not with a ``__dict__``.

    cloudpickle sets the attribute once the class is made, which has no effect.
    Instances would then come back with a dictionary that the class does not have here.
    """
    slots = vars(cls).get("__slots__")
    bases = getattr(cls, "__orig_bases__", ())
    if slots is None or isinstance(cls, EnumMeta) or NamedTuple in bases:
        return reduction  # these two are made in ways of their own
    _, (_, _, _, created_with, *_), *_ = reduction
    created_with["__slots__"] = slots
    return reduction


def _reduce_type_variable(obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
    options = {
        key: value
        for key in ("bound", "covariant", "contravariant", "infer_variance")
        if (value := getattr(obj, f"__{key}__", None))
    }
    if hasattr(obj, "has_default") and obj.has_default():
        options["default"] = obj.__default__
    constraints = getattr(obj, "__constraints__", ())
    return _make, (type(obj), (obj.__name__, *constraints), options), _module(obj)


def _reduce_alias(obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
    options = {"type_params": obj.__type_params__}
    return _make, (type(obj), (obj.__name__, obj.__value__), options)


def _reduce_new_type(obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
    return type(obj), (obj.__qualname__, obj.__supertype__), _module(obj)


def _reduce_cached(obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
    # With an empty cache: what it holds is worth nothing to others, and may not travel.
    own = {key: value for key, value in vars(obj).items() if key not in _MADE_BY_CACHE}
    return _make_cached, (obj.__wrapped__, obj.cache_parameters()), own


def _module(obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
    # In the place of the state of slots, which is set attribute by attribute: not all
    # of these kinds have a __dict__.
    return None, {"__module__": obj.__module__}


def _make(
    kind: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:  # noqa: ANN401 - likewise
    return kind(*args, **options)


def _make_cached(function: Callable[..., Any], options: dict[str, Any]) -> Any:  # noqa: ANN401 - likewise
    return functools.lru_cache(**options)(function)


_CACHED = type(functools.lru_cache(len))
_MADE_BY_CACHE = {"cache_parameters", "__wrapped__"}
_ALIAS = getattr(typing, "TypeAliasType", None)  # Python 3.12 and later

_REDUCERS: dict[Any, Callable[[Any], Any]] = {
    TypeVar: _reduce_type_variable,
    ParamSpec: _reduce_type_variable,
    TypeVarTuple: _reduce_type_variable,
    NewType: _reduce_new_type,
    _CACHED: _reduce_cached,
    **({_ALIAS: _reduce_alias} if _ALIAS else {}),
}
# By identity: a metaclass may define equality, or forbid hashing.
_KINDS = {id(kind) for kind in (FunctionType, *_REDUCERS)}
