"""A program that joins a system which a test owns, and then waits in one of many ways.

    python attached.py DIRECTORY HOW [GATE | PICKLED REF]

It says ``ready`` once it waits, and the class and text of the ``ActorError`` that ended the waiting.
The system is called ``shop``, with a ``Counter`` called ``counter``, an ``Inbox`` called ``inbox`` and another one called ``held``,
which the program holds up at GATE.
"""

from __future__ import annotations

import asyncio
import base64
import os
import pickle
import sys
import threading
from collections.abc import Callable

import actors
from actors import ActorError, ActorRef, ActorSystem, Pending
from tests.support.actors_under_test import Counter, Inbox

DIRECTORY, HOW, GATE, *_ = [*sys.argv[1:], ""]


def join() -> ActorSystem:
    return ActorSystem.attach("shop", directory=DIRECTORY)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def hang(inbox: ActorRef[Inbox]) -> Pending[str]:
    return inbox.within(None).ask(Inbox.wait_for, GATE)


def use() -> None:
    with join() as system:
        counter = system.lookup("counter", Counter).result()
        counter.tell(Counter.add, 1)
        total = counter.ask(Counter.add, 1).result()
        system.options(name="mine").spawn(Counter, 40).result().tell(Counter.add, 2)
        say(str(total))


def use_ref() -> None:
    with join():
        ref: ActorRef[Counter] = pickle.loads(base64.b64decode(GATE))  # noqa: TID251 - sent by the test
        again = base64.b64encode(pickle.dumps(ref)).decode()
        say(f"{ref.ask(Counter.add, 1).result()} {again}")


def wait() -> None:
    with join() as system:
        pending = hang(system.lookup("held", Inbox).result())
        say("ready")
        pending.result()


def wait_for_events() -> None:
    with join() as system:
        events = system.events()
        system.lookup("counter", Counter).result()
        say("ready")
        for _ in events:
            pass
        say("no more events")


def wait_in_thread() -> None:
    with join() as system:
        pending = hang(system.lookup("held", Inbox).result())
        failures: list[ActorError] = []

        def block() -> None:
            try:
                pending.result()
            except ActorError as exc:
                failures.append(exc)

        threads = [threading.Thread(target=block) for _ in range(3)]
        for thread in threads:
            thread.start()
        say("ready")
        for thread in threads:
            thread.join()
        raise failures[0]


async def wait_in_coroutine() -> None:
    async with join() as system:
        pending = hang(await system.lookup("held", Inbox))
        say("ready")
        await pending


def fill() -> None:
    """Have questions open, answers too large for the lane, and messages that wait for room."""
    system = join()
    inbox = system.lookup("inbox", Inbox).result()
    for _ in range(20):
        inbox.ask(Inbox.make, 100_000)
    held = system.lookup("held", Inbox).result()
    hang(held)
    for number in range(3000):
        held.tell(Inbox.keep, number, bytes(1000))
    inbox.ask(Inbox.kept).result()
    say("ready")
    os.read(0, 1)
    threading.Event().wait()


HOW_TO: dict[str, Callable[[], object]] = {
    "use": use,
    "use-ref": use_ref,
    "wait": wait,
    "events": wait_for_events,
    "thread": wait_in_thread,
    "asyncio": lambda: asyncio.run(wait_in_coroutine()),
    "run": lambda: actors.run(wait_in_coroutine),
    "fill": fill,
}

if __name__ == "__main__":
    try:
        HOW_TO[HOW]()
    except ActorError as exc:
        say(f"{type(exc).__name__}: {exc}")
