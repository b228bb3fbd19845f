from __future__ import annotations

import abc
import collections
import copyreg
import enum
import functools
import importlib.util
import inspect
import os
import pickle
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import cloudpickle
import pytest

from actors.wire import byvalue
from tests.unit.actors.wire.conftest import Define

SOURCE = """
class Outer:
    class Inner: pass
    def method(self): pass
def function(): pass
class Singleton:
    def __reduce__(self): return "SINGLETON"
SINGLETON = Singleton()
"""


@pytest.fixture
def module(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ModuleType]:
    """Return a module that was imported, loaded or made in one of several ways."""
    (tmp_path / "ours.py").write_text(SOURCE)
    match request.param:
        case "imported":
            monkeypatch.syspath_prepend(tmp_path)
            made = importlib.import_module("ours")
        case "loaded from a file":
            spec = importlib.util.spec_from_file_location("ours", tmp_path / "ours.py")
            assert spec is not None
            assert spec.loader is not None
            made = importlib.util.module_from_spec(spec)
            sys.modules["ours"] = made
            spec.loader.exec_module(made)
        case name:
            made = ModuleType("ours")
            if name == "made by hand":
                sys.modules["ours"] = made
            exec(SOURCE, made.__dict__)
    yield made
    sys.modules.pop("ours", None)


def names(module: ModuleType) -> list[object]:
    return [module.Outer, module.Outer.Inner, module.Outer.method, module.function]


@pytest.mark.parametrize("module", ["imported"], indirect=True)
def test_definitions_of_an_imported_module_are_importable(module: ModuleType) -> None:
    assert [byvalue.is_importable(obj) for obj in names(module)] == [True] * 4


@pytest.mark.parametrize(
    "module", ["loaded from a file", "made by hand", "kept aside"], indirect=True
)
def test_definitions_of_a_module_that_nobody_else_finds_are_not(
    module: ModuleType,
) -> None:
    assert [byvalue.is_importable(obj) for obj in names(module)] == [False] * 4


@pytest.mark.parametrize("module", ["imported"], indirect=True)
def test_definition_that_its_module_has_replaced_is_not_importable(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = module.Outer
    monkeypatch.setattr(module, "Outer", module.function)

    assert not byvalue.is_importable(old)
    assert not byvalue.is_importable(old.Inner)


@pytest.mark.parametrize("module", ["imported"], indirect=True)
def test_module_that_is_wanted_by_value_is_not_importable(module: ModuleType) -> None:
    cloudpickle.register_pickle_by_value(module)
    try:
        assert not byvalue.is_importable(module.Outer)
    finally:
        cloudpickle.unregister_pickle_by_value(module)

    assert byvalue.is_importable(module.Outer)


@pytest.mark.parametrize(
    "obj",
    [
        int,
        type(None),
        types.FunctionType,
        type(iter([])),
        collections.OrderedDict,
        abc.ABCMeta,
        enum.Enum,
        re.RegexFlag,
        attrs.Factory,
        os.path.join,
        inspect.Parameter.replace,
        typing.AnyStr,
    ],
    ids=lambda obj: getattr(obj, "__qualname__", None) or repr(obj),
)
def test_what_the_library_defines_is_importable(obj: object) -> None:
    assert byvalue.is_definition(obj)
    assert byvalue.is_importable(obj)


def test_definition_of_what_a_library_has_put_in_a_modules_place_is_importable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cls = type("Local", (), {"__module__": "replaced"})
    monkeypatch.setitem(sys.modules, "replaced", types.SimpleNamespace(Local=cls))

    assert byvalue.is_importable(cls)


@pytest.mark.parametrize("name", ["__main__", "__mp_main__"])
def test_definitions_of_the_main_program_are_not_importable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = type("Local", (), {"__module__": name})
    main = ModuleType(name)
    main.__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, name, main)
    monkeypatch.setattr(main, "Local", cls, raising=False)

    assert not byvalue.is_importable(cls)


@pytest.mark.parametrize("name", ["nowhere", None, 7])
def test_definitions_without_a_module_are_not_importable(name: object) -> None:
    cls = type("Local", (), {"__module__": name})

    assert not byvalue.is_importable(cls)


def test_definition_in_a_bare_namespace_is_not_importable(define: Define) -> None:
    namespace: dict[str, Any] = {}
    exec(SOURCE, namespace)

    assert namespace["Outer"].__module__ == "builtins"
    assert not byvalue.is_importable(namespace["Outer"])
    assert not byvalue.is_importable(namespace["function"])


def test_module_that_raises_when_asked_is_not_importable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hostile(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise ZeroDivisionError

    monkeypatch.setitem(sys.modules, "hostile", Hostile("hostile"))

    assert not byvalue.is_importable(type("Local", (), {"__module__": "hostile"}))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("class X: pass", True),
        ("def X(): pass", True),
        ("X = lambda: 0", False),
        ("def f():\n  def g(): pass\n  return g\nX = f()", False),
        ("def f():\n  class C: pass\n  return C\nX = f()", True),
        ("from typing import *\nX = TypeVar('X')", True),
        ("from typing import *\nX = ParamSpec('X')", True),
        ("from typing import *\nX = TypeVarTuple('X')", True),
        ("from typing import *\nX = NewType('X', int)", True),
        ("import functools\n@functools.cache\ndef X(): pass", True),
        ("import functools\nX = functools.cache(lambda: 0)", False),
        ("import functools\nX = functools.cache(functools.partial(int))", False),
    ],
)
def test_definition_has_identity_unless_its_line_makes_many(
    define: Define, source: str, *, expected: bool
) -> None:
    made = define(source).X

    assert byvalue.is_definition(made)
    assert not byvalue.is_importable(made)
    assert byvalue.has_identity(made) is expected


@pytest.mark.parametrize(
    "obj", [1, "x", object(), functools.partial(int), len, [].append]
)
def test_values_are_no_definitions(obj: object) -> None:
    assert not byvalue.is_definition(obj)


@pytest.mark.parametrize("obj", [object(), type("New", (), {})(), re.compile("x")])
def test_instance_that_says_nothing_is_pickles_business(obj: object) -> None:
    assert byvalue.reduce_instance(obj) is NotImplemented


def test_instance_is_asked_once_how_it_is_pickled(define: Define) -> None:
    main = define(
        "class New:\n"
        "    def __reduce__(self): asked.append(self); return New, ()\n"
        "asked = []"
    )

    assert byvalue.reduce_instance(main.New()) == (main.New, ())
    assert len(main.asked) == 1


def test_copyreg_comes_before_the_class(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = define("class New:\n    def __reduce__(self): return 'NEW'").New
    monkeypatch.setitem(copyreg.dispatch_table, new, lambda _: (new, ()))

    assert byvalue.reduce_instance(new()) is NotImplemented


@pytest.mark.parametrize("module", ["imported"], indirect=True)
def test_named_singleton_of_an_imported_module_keeps_its_name(
    module: ModuleType,
) -> None:
    assert byvalue.reduce_instance(module.SINGLETON) == "SINGLETON"


@pytest.mark.parametrize("module", ["imported"], indirect=True)
def test_name_of_a_singleton_that_is_another_object_is_refused(
    module: ModuleType,
) -> None:
    with pytest.raises(pickle.PicklingError, match="'SINGLETON' of ours"):
        byvalue.reduce_instance(type(module.SINGLETON)())


@pytest.mark.parametrize("obj", [..., NotImplemented], ids=repr)
def test_builtin_singleton_keeps_its_name(obj: object) -> None:
    assert byvalue.reduce_instance(obj) == repr(obj)


def test_named_singleton_of_main_is_refused(define: Define) -> None:
    main = define(SOURCE)

    with pytest.raises(pickle.PicklingError, match="'SINGLETON' of __main__"):
        byvalue.reduce_instance(main.SINGLETON)


@pytest.mark.parametrize("module", ["imported"], indirect=True)
def test_importer_that_cannot_be_asked_is_trusted(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", [object()])

    assert byvalue.is_importable(module.Outer)
