"""A main program that opens a system and then waits, or ends, in one of many ways.

    python program.py DIRECTORY LOG HOW

It says ``ready`` once it waits, and the class of the ``ActorError`` that ended the waiting.
LOG gets the hooks of an actor; a second actor never returns from its handler, a third one is idle, and its mailbox is a queue.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import actors
from actors import ActorError, ActorRef, ActorSystem, Pending
from tests.support.actors_under_test import Clock, Counter, Hooked
from tests.support.controlled import Attentive
from tests.support.gates import wait_until

DIRECTORY, LOG, HOW = sys.argv[1:]
forgotten: ActorSystem


def make() -> ActorSystem:
    return ActorSystem("program", directory=DIRECTORY, drain=0.1)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def ready() -> None:
    say("ready")


def hang(clock: ActorRef[Clock]) -> Pending[int]:
    return clock.within(None).ask(Clock.block_for, 3600)


def begin(actor: ActorRef[Attentive]) -> Pending[None]:
    """Return when the handler runs: one that has not begun is withdrawn with its asker."""
    mark = f"{LOG}.begun"
    pending = actor.within(None).ask(Attentive.hang, mark)
    wait_until(Path(mark).exists, "the handler")
    return pending


def open_in_script(system: ActorSystem) -> ActorRef[Clock]:
    system.spawn(Hooked, LOG).result()
    system.options(transport="mq").spawn(Counter).result()
    return system.options(shutdown=0.05).spawn(Clock).result()


async def open_in_coroutine(system: ActorSystem) -> ActorRef[Clock]:
    await system.spawn(Hooked, LOG)
    await system.options(transport="mq").spawn(Counter)
    return await system.options(shutdown=0.05).spawn(Clock)


# Waiting.


def wait_in_script() -> None:
    with make() as system:
        pending = hang(open_in_script(system))
        ready()
        pending.result()


def wait_for_events() -> None:
    with make() as system:
        clock = open_in_script(system)
        hang(clock)
        events = system.events()
        ready()
        for _ in events:
            pass


def wait_in_thread() -> None:
    with make() as system:
        pending = hang(open_in_script(system))
        failures: list[ActorError] = []

        def wait() -> None:
            try:
                pending.result()
            except ActorError as exc:
                failures.append(exc)

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        ready()
        for thread in threads:
            thread.join()
        assert len(failures) == 3
        raise failures[0]


async def wait_in_coroutine() -> None:
    async with make() as system:
        pending = hang(await open_in_coroutine(system))
        ready()
        await pending


async def wait_for_events_in_coroutine() -> None:
    async with make() as system:
        clock = await open_in_coroutine(system)
        hang(clock)
        events = system.events()
        ready()
        async for _ in events:
            pass


async def hold_out() -> None:
    """Take its time to end."""
    async with make() as system:
        pending = hang(await open_in_coroutine(system))
        ready()
        try:
            await pending
        finally:
            say("ending")
            await asyncio.Event().wait()


def stop_slowly_in_script() -> None:
    with make() as system:
        system.spawn(Hooked, LOG).result()
        pending = begin(system.options(shutdown=3600).spawn(Attentive).result())
        ready()
        pending.result()


async def stop_slowly() -> None:
    """Own an actor that may take an hour to stop."""
    async with make() as system:
        await system.spawn(Hooked, LOG)
        pending = begin(await system.options(shutdown=3600).spawn(Attentive))
        ready()
        await pending


# Ending.


def raise_in_script() -> NoReturn:
    with make() as system:
        hang(open_in_script(system))
        ready()
        raise LookupError("on purpose")


def exit_in_script() -> NoReturn:
    with make() as system:
        hang(open_in_script(system))
        ready()
        sys.exit(3)


def forget_to_close() -> None:
    global forgotten  # noqa: PLW0603 - what a program forgets is still there when it ends
    forgotten = make().start()
    hang(open_in_script(forgotten))
    ready()


def raise_without_closing() -> NoReturn:
    global forgotten  # noqa: PLW0603 - see above
    forgotten = make().start()
    hang(open_in_script(forgotten))
    ready()
    raise LookupError("on purpose")


async def raise_in_coroutine() -> NoReturn:
    async with make() as system:
        hang(await open_in_coroutine(system))
        ready()
        raise LookupError("on purpose")


async def exit_in_coroutine() -> NoReturn:
    async with make() as system:
        hang(await open_in_coroutine(system))
        ready()
        sys.exit(3)


PLAIN: dict[str, Callable[[], object]] = {
    "script": wait_in_script,
    "script-events": wait_for_events,
    "thread": wait_in_thread,
    "slow": stop_slowly_in_script,
    "raise": raise_in_script,
    "exit": exit_in_script,
    "forget": forget_to_close,
    "raise-open": raise_without_closing,
}
IN_COROUTINE: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
    "wait": wait_in_coroutine,
    "events": wait_for_events_in_coroutine,
    "hold-out": hold_out,
    "slow": stop_slowly,
    "raise": raise_in_coroutine,
    "exit": exit_in_coroutine,
}


def main() -> None:
    kind, _, what = HOW.partition(":")
    if not what:
        PLAIN[kind]()
    elif kind == "asyncio":
        asyncio.run(IN_COROUTINE[what]())
    else:
        actors.run(IN_COROUTINE[what])


if __name__ == "__main__":
    try:
        main()
    except ActorError as exc:
        say(type(exc).__name__)
        raise
