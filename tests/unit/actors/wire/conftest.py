"""A system's ``code`` directory, and definitions that exist in one process only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import pytest

from actors.wire.code import CodeStore
from actors.wire.codec import Codec


class Define(Protocol):
    def __call__(self, source: str, **names: object) -> SimpleNamespace: ...


@pytest.fixture
def code_dir(tmp_path: Path) -> Path:
    path = tmp_path / "code"
    path.mkdir()
    return path


@pytest.fixture
def code_fd(code_dir: Path) -> Iterator[int]:
    fd = os.open(code_dir, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def store(code_fd: int) -> CodeStore:
    return CodeStore(code_fd)


@pytest.fixture
def codec(store: CodeStore) -> Codec:
    return Codec(store)


@pytest.fixture
def define() -> Define:
    """Run source code as ``__main__`` would, and return what it has defined."""

    def run(source: str, **names: object) -> SimpleNamespace:
        namespace = {"__name__": "__main__", **names}
        exec(source, namespace)
        return SimpleNamespace(**namespace)

    return run
