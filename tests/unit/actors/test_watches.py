"""What an actor has of its watches and links."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from actors.watches import Link, Watch


@pytest.mark.parametrize("kind", [Watch, Link])
def test_what_belongs_to_one_actor_cannot_be_sent(kind: type[Watch | Link]) -> None:
    """The error named a map of memory, deep inside of the runtime."""
    ref: Any = None

    with pytest.raises(TypeError, match=f"a {kind.__name__} cannot be sent"):
        pickle.dumps(kind(1, ref, print))
