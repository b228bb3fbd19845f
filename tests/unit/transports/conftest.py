"""What the tests of single transports share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.transports import Place, a_place


@pytest.fixture
def place() -> Iterator[Place]:
    with a_place() as made:
        yield made
