"""A child that is ready before the root hears that it has been forked: both are told by different processes, in any order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from actors import ActorCrashedError, ActorSystem, ExitKind, options
from tests.support.actors_under_test import Clock, Counter
from tests.support.gates import SECONDS

INIT_SECONDS = 0.1


@pytest.fixture(scope="module")
def system() -> Iterator[ActorSystem]:
    with ActorSystem(preload=["tests.support.slow_reports"], drain=0) as system:
        yield system


def test_it_is_not_taken_for_one_that_is_never_ready(system: ActorSystem) -> None:
    """Its time for being ready ended it, long after it was."""
    spec = options(id="early", init_timeout=INIT_SECONDS).child(Counter)
    events = system.events()
    tree = system.supervise(spec).result(SECONDS)
    counter = tree.ref(spec)
    first = counter.ask(Counter.pid).result()
    with pytest.raises(TimeoutError):
        tree.ended().result(timeout=2 * INIT_SECONDS)
    os.kill(first, signal.SIGKILL)

    second = counter.ask(Counter.pid).result()

    told = [events.next().result(SECONDS) for _ in range(8)]
    events.close()
    tree.stop().result(SECONDS)
    life = ["child_starting", "child_ready"]
    assert second != first
    assert [event.kind for event in told if event.actor == counter.name] == [
        *life,
        "child_exit",
        "child_restarting",
        *life,
    ]


def test_it_is_watched_like_others(system: ActorSystem) -> None:
    spec = options(id="hung", handler_timeout=0.2).child(Clock)
    tree = system.supervise(spec).result(SECONDS)

    with pytest.raises(ActorCrashedError) as failure:
        tree.ref(spec).within(SECONDS).ask(Clock.block_for, 3600).result()

    assert failure.value.reason.kind is ExitKind.HANDLER_TIMEOUT
    tree.stop().result(SECONDS)
