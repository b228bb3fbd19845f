"""What the integration tests share: systems that live as long as a module, and gates that hold an actor up."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import ActorSystem, Event
from tests.support.gates import SECONDS, Gate, Turnstile


@pytest.fixture(scope="module")
def system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    """A system for all tests of a module; over ``shm`` unless the module is parametrised (indirectly) with transports."""
    with ActorSystem(transport=getattr(request, "param", "shm"), drain=0) as running:
        yield running


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate for ``Blocker.wait_for``."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def turnstile(tmp_path: Path) -> Iterator[Turnstile]:
    """A turnstile for ``Hand.pass_through``."""
    made = Turnstile(tmp_path / "turnstile")
    yield made
    made.close()


@pytest.fixture
def next_event(system: ActorSystem) -> Iterator[Callable[[str, str], Event]]:
    """Return the next event of a kind about an actor, from the start of the test on."""
    events = system.events()

    def wait_for(kind: str, actor: str) -> Event:
        while True:
            event = events.next().result(SECONDS)
            if (event.kind, event.actor) == (kind, actor):
                return event

    yield wait_for
    events.close()


@pytest.fixture
def open_descriptors() -> Callable[[], int]:
    """Return a function that counts this process's open descriptors."""

    def count() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    return count
