"""What can be done to the process of an actor whose parent is not the root: the same as to any other."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from actors import (
    Actor,
    ActorCrashedError,
    ActorRef,
    ActorSystem,
    ExitKind,
    handler,
    options,
)
from tests.support.gates import SECONDS, wait_until


class Deep(Actor):
    """Catches a signal, tells its limits, and hangs when it is told to."""

    def __init__(self) -> None:
        self.hups = 0
        self.on_signal(signal.SIGHUP, Deep.hup)

    def hup(self) -> None:
        self.hups += 1

    def seen(self) -> tuple[int, int]:
        return self.hups, os.nice(0)

    def pid(self) -> int:
        return os.getpid()

    @handler(timeout=0.05)
    def hang(self) -> None:
        while True:
            pass


@pytest.fixture(scope="module")
def deep(system: ActorSystem) -> Iterator[ActorRef[Deep]]:
    spec = options(id="leaf").child(Deep)
    inner = options(id="inner", intensity=100).supervisor(spec)
    outer = options(id="outer").supervisor(inner)
    tree = system.supervise(outer).result(SECONDS)
    yield tree.ref(spec).within(SECONDS)
    tree.stop().result(SECONDS)


def test_signal_reaches_it(deep: ActorRef[Deep]) -> None:
    before = deep.ask(Deep.seen).result()[0]

    deep.signal(signal.SIGHUP).result()

    wait_until(lambda: deep.ask(Deep.seen).result()[0] == before + 1, "SIGHUP")


def test_it_is_frozen_and_thawed(deep: ActorRef[Deep]) -> None:
    deep.freeze().result()
    asked = deep.ask(Deep.seen)

    assert not asked.done()
    deep.thaw().result()
    asked.result()


def test_its_stack_can_be_seen(deep: ActorRef[Deep]) -> None:
    assert "run_forever" in deep.stack().result()


def test_its_limits_can_be_changed(deep: ActorRef[Deep]) -> None:
    deep.limit(nice=3).result()

    assert deep.ask(Deep.seen).result()[1] == 3


def test_it_is_ended_when_it_hangs(deep: ActorRef[Deep]) -> None:
    old = deep.ask(Deep.pid).result()

    with pytest.raises(ActorCrashedError) as failure:
        deep.ask(Deep.hang).result()

    assert failure.value.reason.kind is ExitKind.HANDLER_TIMEOUT
    assert "in hang" in (failure.value.reason.dump or "")
    assert deep.ask(Deep.pid).result() != old
