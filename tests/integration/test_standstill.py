"""Questions between siblings of which one waits for the other to end, or to be ready, before it gets a process."""

from __future__ import annotations

import os
import signal
import time

import pytest

from actors import (
    Actor,
    ActorRef,
    ActorSystem,
    DeadlockError,
    ExitKind,
    SpawnError,
    options,
)
from tests.support.gates import SECONDS, wait_until
from tests.support.trees import Member, pids, wait_until_renewed

PATIENCE = 600.0


class Inquirer(Actor):
    """Asks a sibling, and takes no other message meanwhile."""

    def __init__(self, sibling: ActorRef[Member], *, at_start: bool = False) -> None:
        self.sibling = sibling.within(None)
        self.at_start = at_start
        self.errors: list[str] = []

    async def on_start(self) -> None:
        if self.at_start:
            await self.sibling.ask(Member.pid)

    async def inquire(self) -> int:
        return await self.sibling.ask(Member.pid)

    def pid(self) -> int:
        return os.getpid()


def wait_until_asked(ref: ActorRef[Member]) -> None:
    """Wait until a question lies in the mailbox of *ref*, which is frozen."""
    mailbox = ref.mailbox()
    wait_until(lambda: mailbox.inspect().result().waiting, "the question")


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_question_to_a_sibling_that_is_down_fails_when_its_asker_is_to_end(
    system: ActorSystem, strategy: str
) -> None:
    first = options(id="first").child(Member)
    second = options(id="second", shutdown=PATIENCE).child(Inquirer, first.ref)
    settings = system.options(strategy=strategy)  # type: ignore[arg-type]
    tree = settings.supervise(first, second).result(SECONDS)
    inquirer = tree.ref(second).within(SECONDS)
    (old,) = pids(tree.ref(first))
    tree.ref(first).freeze().result()
    asked = inquirer.ask(Inquirer.inquire)
    wait_until_asked(tree.ref(first))

    os.kill(old, signal.SIGKILL)

    with pytest.raises(DeadlockError, match="down until that is over"):
        asked.result()
    wait_until_renewed(tree.ref(first), old)
    assert isinstance(inquirer.ask(Inquirer.inquire).result(), int)
    tree.stop().result(SECONDS)


def test_question_at_the_start_to_a_sibling_that_starts_later_fails_the_start(
    system: ActorSystem,
) -> None:
    later = options(id="later").child(Member)
    early = options(id="early", init_timeout=PATIENCE)
    spec = early.child(Inquirer, later.ref, at_start=True)
    began = time.monotonic()

    with pytest.raises(SpawnError) as failure:
        system.supervise(spec, later).result(SECONDS)

    assert time.monotonic() - began < SECONDS
    inner = failure.value.reason.inner
    assert inner is not None
    assert inner.inner is not None
    assert (inner.inner.kind, inner.inner.exc_type) == (
        ExitKind.EXCEPTION,
        "DeadlockError",
    )


def test_question_to_a_sibling_that_restarts_alone_waits_for_it(
    system: ActorSystem,
) -> None:
    first = options(id="first").child(Member)
    second = options(id="second").child(Inquirer, first.ref)
    tree = system.supervise(first, second).result(SECONDS)
    (old,) = pids(tree.ref(first))
    tree.ref(first).freeze().result()
    asked = tree.ref(second).within(SECONDS).ask(Inquirer.inquire)
    wait_until_asked(tree.ref(first))

    os.kill(old, signal.SIGKILL)

    assert asked.result() != old
    tree.stop().result(SECONDS)


def test_tree_is_stopped_although_a_child_asks_one_that_has_ended(
    system: ActorSystem,
) -> None:
    last = options(id="last", shutdown="brutal_kill").child(Member)
    first = options(id="first", shutdown=PATIENCE).child(Inquirer, last.ref)
    tree = system.supervise(first, last).result(SECONDS)
    tree.ref(last).freeze().result()
    asked = tree.ref(first).within(SECONDS).ask(Inquirer.inquire)
    wait_until_asked(tree.ref(last))

    stopping = tree.stop()

    with pytest.raises(DeadlockError):
        asked.result()
    stopping.result(SECONDS)
