"""The rules of the whole: imports go one way and in no circle, and what is dangerous happens in one place."""

from __future__ import annotations

import ast
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("transports", "actors")

# From the bottom up; a module reaches those of its own layer and of the layers before it.
LAYERS = (
    "transports",
    "actors.wire",
    "actors.runtime",
    "actors.supervision",
    "actors.pool",
    "actors.system",
    "actors.executor",
    "actors.testing",
    "actors.cli",
)
# What a process runs first sits on top of everything, wherever it is filed; nobody imports it.
PROGRAMS = {"actors.supervision.root"}

FOREIGN_TO_TRANSPORTS = {"_typeshed", "attrs", "posix_ipc"}
FORKS = {"os.fork", "os.forkpty", "pty.fork"}
UNPICKLES = {
    f"{module}.{name}"
    for module in ("pickle", "cloudpickle", "marshal")
    for name in ("load", "loads", "Unpickler")
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(p): p for pkg in PACKAGES for p in (ROOT / pkg).rglob("*.py")}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}


def imported_by(statements: list[ast.stmt]) -> set[str]:
    """Return the modules that *statements* import, ours as far as they are modules."""
    found = set()
    for statement in statements:
        if isinstance(statement, ast.ImportFrom):
            base = statement.module or ""
            found |= {
                name if (name := f"{base}.{alias.name}") in FILES else base
                for alias in statement.names
            }
        elif isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
    return found


# Only top-level statements count: ``if TYPE_CHECKING`` blocks never run, and an
# import inside a function is a deliberate, commented exception.
GRAPH = {
    name: imported_by(tree.body) & FILES.keys() - {name} for name, tree in TREES.items()
}


def layer_of(name: str) -> int | None:
    if name in PROGRAMS:
        return None
    for height, layer in enumerate(LAYERS):
        if name == layer or name.startswith(f"{layer}."):
            return height
    return None


def reached_from(name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for module in GRAPH[waiting.pop()] - found:
            found.add(module)
            waiting.append(module)
    return found


def dotted_names(tree: ast.Module) -> set[str]:
    """Return the names that occur in the code, ``os.fork`` for example, however they were imported."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def users_of(names: set[str]) -> set[str]:
    return {module for module, tree in TREES.items() if dotted_names(tree) & names}


def walk_imports(tree: ast.Module) -> set[str]:
    return imported_by([n for n in ast.walk(tree) if isinstance(n, ast.stmt)])


def test_imports_are_absolute() -> None:
    offenders = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    }

    assert offenders == set()


def test_transports_import_nothing_of_actors_anywhere() -> None:
    offenders = {
        name: bad
        for name, tree in TREES.items()
        if name.startswith("transports")
        and (bad := {m for m in walk_imports(tree) if m.split(".")[0] == "actors"})
    }

    assert offenders == {}


def test_transports_need_only_the_standard_library_attrs_and_posix_ipc() -> None:
    allowed = {*sys.stdlib_module_names, *FOREIGN_TO_TRANSPORTS, "transports"}

    offenders = {
        name: bad
        for name, tree in TREES.items()
        if name.startswith("transports")
        and (bad := {m.split(".")[0] for m in walk_imports(tree)} - allowed)
    }

    assert offenders == {}


def test_module_imports_form_no_cycle() -> None:
    TopologicalSorter(GRAPH).prepare()  # raises CycleError with the path


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_reaches_no_layer_above_it(layer: str) -> None:
    height = LAYERS.index(layer)

    offenders = {
        name: above
        for name in FILES
        if layer_of(name) == height
        and (above := {m for m in reached_from(name) if (layer_of(m) or 0) > height})
    }

    assert offenders == {}


def test_programs_are_imported_by_nobody() -> None:
    assert {name for name, deps in GRAPH.items() if deps & PROGRAMS} == set()


def test_one_module_forks() -> None:
    assert users_of(FORKS) == {"actors.supervision.fork"}


def test_one_module_turns_bytes_into_objects() -> None:
    assert users_of(UNPICKLES) == {"actors.wire.codec"}


def test_packages_ship_their_types() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert all((ROOT / package / "py.typed").exists() for package in PACKAGES)
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["*"]
