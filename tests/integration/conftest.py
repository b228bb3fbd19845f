"""What the integration tests share: systems that live as long as a module, and gates that hold an actor up."""

from __future__ import annotations

import gc
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, Event
from tests.support.controlled import Attentive
from tests.support.gates import SECONDS, Gate, Turnstile

GROUPS = Path("/sys/fs/cgroup/memory")


@pytest.fixture(scope="module")
def system(request: pytest.FixtureRequest) -> Iterator[ActorSystem]:
    """A system for all tests of a module; over ``shm`` unless the module is parametrised (indirectly) with transports."""
    with ActorSystem(transport=getattr(request, "param", "shm"), drain=0) as running:
        yield running


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory for the systems of one test; what is left in it is what killed programs left."""
    path = Path(f"/dev/shm/actors-test-{uuid.uuid4().hex[:8]}")
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def attentive(system: ActorSystem) -> Iterator[ActorRef[Attentive]]:
    ref = system.spawn(Attentive).result()
    yield ref
    ref.kill().result()


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A memory cgroup with room for 200 MiB."""
    group = GROUPS / f"test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as exc:
        pytest.skip(f"no memory cgroup can be made here: {exc}")
    (group / "memory.limit_in_bytes").write_text(str(200 * 2**20))
    yield group
    group.rmdir()


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
