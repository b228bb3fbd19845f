"""What the tests of single parts of the runtime share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime import systems
from actors.runtime.directory import RuntimeDirectory


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[RuntimeDirectory]:
    """The directory of a system of which nothing runs."""
    made = systems.create(tmp_path / "base", "bench")
    yield made
    made.remove()
    made.close()
