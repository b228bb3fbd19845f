"""Freezing and thawing: nothing runs, nothing is lost, no deadline passes, and nobody else is held up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import (
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    AskTimeoutError,
    Event,
)
from actors.runtime import status
from actors.runtime.status import StatusPage
from tests.support.actors_under_test import Blocker, Inbox
from tests.support.controlled import Attentive, Sink, Source
from tests.support.gates import Gate, wait_until
from tests.support.procfs import parent_of, state_of

SHORT = 0.2  # a deadline that passes while the test waits
LONGER = 0.5


def page_of(
    system: ActorSystem, ref: ActorRef[Attentive] | ActorRef[Source]
) -> StatusPage:
    return StatusPage.open(system._opened().directory.fd, ref._number)


def test_frozen_actor_runs_nothing_and_handles_its_queue_once_it_is_thawed(
    attentive: ActorRef[Attentive],
) -> None:
    pid = attentive.ask(Attentive.pid).result()

    attentive.freeze().result()
    hello = attentive.ask(Attentive.hello)

    assert state_of(pid) == "T"
    with pytest.raises(TimeoutError):
        hello.result(timeout=SHORT)
    attentive.thaw().result()
    assert hello.result() == "hello"


def test_freezing_and_thawing_can_be_awaited_and_repeated(
    attentive: ActorRef[Attentive],
) -> None:
    async def main() -> str:
        await attentive.thaw()
        await attentive.freeze()
        await attentive.freeze()
        await attentive.thaw()
        await attentive.thaw()
        return await attentive.ask(Attentive.hello)

    assert asyncio.run(main()) == "hello"


@pytest.mark.parametrize("handler", [Attentive.spin, Attentive.hang])
def test_busy_actor_is_frozen_in_the_middle_of_its_handler(
    attentive: ActorRef[Attentive],
    tmp_path: Path,
    handler: Callable[[Attentive, str], None],
) -> None:
    mark = tmp_path / "mark"
    pid = attentive.ask(Attentive.pid).result()
    attentive.tell(handler, str(mark))
    wait_until(mark.exists, "the handler")

    attentive.freeze().result()
    assert state_of(pid) == "T"
    attentive.thaw().result()

    assert state_of(pid) in "RSD"


def test_deadline_of_an_ask_does_not_run_while_its_target_is_frozen(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.freeze().result()
    hello = attentive.within(SHORT).ask(Attentive.hello)
    with pytest.raises(TimeoutError) as waited:
        hello.result(timeout=LONGER)
    assert not isinstance(waited.value, AskTimeoutError)

    attentive.thaw().result()

    assert hello.result() == "hello"


def test_deadline_of_an_ask_runs_on_once_its_target_is_thawed(
    attentive: ActorRef[Attentive], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    attentive.tell(Attentive.hang, str(mark))
    wait_until(mark.exists, "the handler")
    attentive.freeze().result()
    hello = attentive.within(SHORT).ask(Attentive.hello)

    attentive.thaw().result()

    with pytest.raises(AskTimeoutError):
        hello.result()


def test_deadline_of_an_ask_does_not_run_while_its_asker_is_frozen(
    system: ActorSystem, attentive: ActorRef[Attentive], gate: Gate
) -> None:
    blocker = system.spawn(Blocker).result()
    asking = attentive.ask(Attentive.ask_for, blocker, gate.path, SHORT)
    gate.wait_until_entered()
    attentive.freeze().result()
    with pytest.raises(TimeoutError):
        asking.result(timeout=LONGER)

    attentive.thaw().result()
    gate.open()

    assert asking.result() == "released"
    blocker.kill().result()


def test_question_whose_asker_was_frozen_is_handled_after_its_deadline(
    system: ActorSystem, attentive: ActorRef[Attentive], gate: Gate
) -> None:
    blocker = system.spawn(Blocker).result()
    held = blocker.ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    asking = attentive.ask(Attentive.hello_from, blocker, SHORT)
    page = page_of(system, attentive)
    wait_until(lambda: page.waits[status.CORR], "the question")
    attentive.freeze().result()
    with pytest.raises(TimeoutError):
        asking.result(timeout=LONGER)

    gate.open()
    held.result()
    blocker.ask(Blocker.hello).result()  # so the one before it has been taken
    attentive.thaw().result()

    assert asking.result() == "hello"
    page.close()
    blocker.kill().result()


def test_actor_is_never_frozen_while_it_sends(system: ActorSystem) -> None:
    sink = system.spawn(Sink).result()
    source = system.spawn(Source, sink).result()
    page = page_of(system, source)
    flowing = source.within(None).ask(Source.flow)

    for _ in range(100):
        source.freeze().result()
        assert page.words[status.SENDING] == 0
        sink.ask(Sink.count).result()  # the mailbox is not locked
        source.thaw().result()

    assert not flowing.done()
    page.close()
    source.kill().result()
    sink.kill().result()


def test_freezing_outlives_the_death_of_the_process_it_was_meant_for(
    attentive: ActorRef[Attentive],
) -> None:
    pid = attentive.ask(Attentive.pid).result()
    root = parent_of(pid)
    os.kill(root, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    freezing = attentive.freeze()

    os.kill(root, signal.SIGCONT)
    freezing.result()
    hello = attentive.ask(Attentive.hello)
    with pytest.raises(TimeoutError):
        hello.result(timeout=SHORT)

    attentive.thaw().result()
    assert hello.result() == "hello"


def test_restart_of_a_frozen_actor_gives_one_that_runs(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.freeze().result()

    attentive.restart().result()

    assert attentive.ask(Attentive.hello).result() == "hello"


def test_crash_of_a_frozen_actor_gives_one_that_runs(
    attentive: ActorRef[Attentive], next_event: Callable[[str, str], Event]
) -> None:
    attentive.freeze().result()

    attentive.signal(signal.SIGKILL).result()
    next_event("child_ready", attentive.name)

    assert attentive.ask(Attentive.hello).result() == "hello"


def test_ask_in_the_queue_of_a_frozen_actor_that_is_killed_fails_after_its_deadline(
    system: ActorSystem,
) -> None:
    """Its deadline has passed, but its asker has not seen to it: only the supervisor can."""
    inbox = system.spawn(Inbox).result()
    inbox.freeze().result()
    asking = inbox.within(SHORT).ask(Inbox.hello)
    with pytest.raises(TimeoutError):
        asking.result(timeout=LONGER)

    inbox.kill().result()

    with pytest.raises(ActorStoppedError, match="killed on request"):
        asking.result()


@pytest.mark.parametrize("operation", ["freeze", "thaw"])
def test_actor_that_has_ended_can_neither_be_frozen_nor_thawed(
    system: ActorSystem, operation: str
) -> None:
    ref = system.spawn(Attentive).result()
    ref.kill().result()

    with pytest.raises(ActorStoppedError, match="killed on request"):
        getattr(ref, operation)().result()


def test_system_with_a_frozen_actor_can_be_closed() -> None:
    with ActorSystem("frozen", drain=0) as system:
        ref = system.spawn(Attentive).result()
        ref.freeze().result()
        ended = ref.ended()
        system.close()

    assert ended.done()
