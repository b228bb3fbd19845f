"""Closing a system that is not as it was."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ActorSystem,
    SystemClosedError,
    SystemFailedError,
)
from tests.support.actors_under_test import Counter
from tests.support.gates import SECONDS


class Sleeper(Actor):
    """Keeps its process busy."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: TID251 - a handler that takes its time

    def sleep_and_add(self, seconds: float, counter: ActorRef[Counter]) -> None:
        self.sleep(seconds)
        counter.tell(Counter.add, 1)


def root_pid() -> int:
    main = Path(f"/proc/self/task/{os.getpid()}/children")
    (child,) = main.read_text().split()
    return int(child)


def test_closing_tells_no_more_than_an_answer_holds() -> None:
    """The counts of what was dropped became a blob, in a directory that was gone: the root ended with a traceback."""
    system = ActorSystem().start()
    names = [f"{number:03}{'x' * 190}" for number in range(8)]
    spawned = [system.options(name=name).spawn(Sleeper) for name in names]
    for sleeper in [pending.result() for pending in spawned]:
        sleeper.tell(Sleeper.sleep, 0.2)
        sleeper.tell(Sleeper.sleep, 0.2)

    system.close(drain=0)


def test_a_thread_that_waits_while_another_closes_learns_that_it_was_closed() -> None:
    """It looked into a lane that had gone, and got ClosedError."""
    system = ActorSystem().start()
    events = system.events()
    failures: list[BaseException] = []
    has_listened = threading.Event()

    def listen() -> None:
        try:
            while True:
                has_listened.set()
                events.next().result()
        except ActorError as exc:
            failures.append(exc)

    thread = threading.Thread(target=listen)
    thread.start()
    has_listened.wait(SECONDS)

    system.close()

    thread.join(SECONDS)
    assert [type(failure) for failure in failures] == [SystemClosedError]


def test_a_message_sent_while_the_system_closes_wakes_its_receiver() -> None:
    """Looking whether everybody was quiet switched the bell off: it was found only when the time was up, and dropped."""
    system = ActorSystem(drain=SECONDS).start()
    counter = system.spawn(Counter).result()
    counter.ask(Counter.add, 1).result()
    sender = system.spawn(Sleeper).result()
    events = system.events()
    sender.tell(Sleeper.sleep_and_add, 0.2, counter)

    system.close()

    seen = []
    with contextlib.suppress(SystemClosedError):
        while True:
            seen.append(events.next().result())
    assert [event for event in seen if event.kind == "dead_letter"] == []


def test_closing_a_system_whose_root_has_died_says_that_it_failed() -> None:
    system = ActorSystem().start()
    os.kill(root_pid(), signal.SIGKILL)

    with pytest.raises(SystemFailedError, match="root supervisor died"):
        system.close()

    system.close()  # nothing is left to close
