"""A program that forks while it waits, in one of many ways, and whose child does what a child should not.

    python forks.py DIRECTORY HOW

The child says what became of the handles it has inherited and ends with status 7 as any program does, with all its ``finally`` and ``atexit``.
Then the parent says the status and what it has got meanwhile.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import actors
from actors import ActorError, ActorRef, ActorSystem, Pending
from actors.runtime import lanes
from actors.runtime.client import MAIN
from tests.support.actors_under_test import Clock, Counter, Inbox
from tests.support.gates import Turnstile, wait_until
from tests.support.pool_workers import Hand
from transports import shm

DIRECTORY, HOW = sys.argv[1:]
AWHILE = 0.05  # the actor is busy, so that whoever waits for it sleeps


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def attempt(what: str, use: Callable[[], object]) -> None:
    try:
        say(what, use())
    except ActorError as exc:
        say(what, type(exc).__name__)


def misuse(
    system: ActorSystem, counter: ActorRef[Counter], *pendings: Pending[Any]
) -> NoReturn:
    """Be the child."""
    attempt("ask", lambda: counter.ask(Counter.add, 100))
    attempt("tell", lambda: counter.tell(Counter.add, 100))
    attempt("spawn", lambda: system.spawn(Counter))
    for pending in pendings:
        attempt("result", pending.result)
    attempt("close", system.close)
    sys.exit(7)


def fork() -> int:
    return os.fork()  # noqa: TID251 - what a program may do is what is tested


def has_answer(system: ActorSystem) -> bool:
    """Return whether the parent's lane holds something."""
    lane = system._opened().directory.path / lanes.file_name(MAIN)
    with lane.open("rb") as file:
        return shm.depth(file.fileno()).frames > 0


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_thread() -> None:
    """Fork while a thread waits at the lane, with a message that waits for room and an event that has not come."""
    with ActorSystem("shop", directory=DIRECTORY) as system:
        counter = system.spawn(Counter).result()
        inbox = system.options(mailbox_bytes=4096).spawn(Inbox).result()
        gate = f"{DIRECTORY}/gate"
        os.mkfifo(gate)
        blocked = inbox.within(None).ask(Inbox.wait_for, gate)
        tells = [inbox.within(None).tell(Inbox.keep, n, bytes(900)) for n in range(20)]
        event = system.events().next()
        results: list[str] = []
        threads = [
            threading.Thread(target=lambda: results.append(blocked.result()))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        wait_until(Path(f"{gate}.entered").exists, "an actor at the gate")

        pid = fork()
        if not pid:
            misuse(system, counter, blocked, tells[-1], event)

        status = status_of(pid)
        os.close(os.open(gate, os.O_WRONLY))
        for thread in threads:
            thread.join()
        kept = inbox.ask(Inbox.kept).result()
        say(status, *results, len(kept), counter.ask(Counter.add, 1).result())
        Path(f"{gate}.entered").unlink()
        Path(gate).unlink()


async def in_coroutine() -> None:
    """Fork in a coroutine, whose loop the child closes on its way out."""
    async with ActorSystem("shop", directory=DIRECTORY) as system:
        counter = await system.spawn(Counter)
        clock = await system.spawn(Clock)
        pending = clock.ask(Clock.block_for, AWHILE)
        # So that the child's loop, as it ends, has something to run for.
        other = asyncio.create_task(asyncio.sleep(3600))

        pid = fork()
        if not pid:
            wait_until(lambda: has_answer(system), "the answer to the parent")
            misuse(system, counter, pending)

        say(status_of(pid), "kept" if has_answer(system) else "stolen")
        say(await pending, await clock.ask(Clock.block_for, AWHILE))
        if HOW == "run":  # asyncio's own loop has lost what its threads wake it with
            say(await asyncio.to_thread(lambda: "woken"))
        other.cancel()


def attach_in_child() -> None:
    with ActorSystem.attach("shop", directory=DIRECTORY) as system:
        say(
            "child",
            system.lookup("counter", Counter).result().ask(Counter.add, 1).result(),
        )


async def in_multiprocessing() -> None:
    async with ActorSystem("shop", directory=DIRECTORY) as system:
        counter = await system.options(name="counter").spawn(Counter)
        await counter.ask(Counter.add, 1)
        child = multiprocessing.get_context("fork").Process(target=attach_in_child)
        child.start()
        child.join()
        say(child.exitcode, await counter.ask(Counter.add, 1))


def after_attaching() -> None:
    """Fork a program that has joined a system of its own, as a server that loads its application first does."""
    with ActorSystem("shop", directory=DIRECTORY) as owned:
        counter = owned.options(name="counter").spawn(Counter).result()
        system = ActorSystem.attach("shop", directory=DIRECTORY)
        attached = system.lookup("counter", Counter).result()
        pid = fork()
        if not pid:
            attempt("inherited", lambda: attached.ask(Counter.add, 100))
            again = ActorSystem.attach("shop", directory=DIRECTORY)
            own = again.lookup("counter", Counter).result()
            say("own", own.ask(Counter.add, 1).result())
            sys.exit(7)  # forgets to close
        say(status_of(pid), attached.ask(Counter.add, 1).result())
        system.close()
        say(counter.ask(Counter.add, 1).result())


def with_pool() -> None:
    """Fork while results are on their way that are made of several answers."""
    with ActorSystem("shop", directory=DIRECTORY) as system:
        pool = system.options(size=2).pool(Hand).result()
        turnstile = Turnstile(Path(DIRECTORY, "turnstile"))
        tried = pool.options(retries=1, redeliver=True)
        waiting: list[Pending[Any]] = [
            pool.broadcast(Hand.pass_through, turnstile.path),
            tried.ask(Hand.double, 21),
            pool.drain(),
        ]
        wait_until(lambda: pool.stats().in_hand == 2, "two at the turnstile")
        pid = fork()
        if not pid:
            for pending in waiting:
                attempt("result", pending.result)

            async def wait() -> object:
                return await waiting[0]

            attempt("awaited", lambda: asyncio.run(wait()))
            sys.exit(7)
        say(status_of(pid))
        turnstile.let(2)
        say(*[pending.result() for pending in waiting])
        turnstile.close()
        Path(turnstile.path).unlink()


HOW_TO: dict[str, Callable[[], object]] = {
    "thread": in_thread,
    "asyncio": lambda: asyncio.run(in_coroutine()),
    "run": lambda: actors.run(in_coroutine),
    "multiprocessing": lambda: asyncio.run(in_multiprocessing()),
    "attached": after_attaching,
    "pool": with_pool,
}

if __name__ == "__main__":
    HOW_TO[HOW]()
