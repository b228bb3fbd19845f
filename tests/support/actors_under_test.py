"""Actors that the tests use; here, so that actor processes can import them."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TypeVar

from actors import Actor, ActorRef, ActorSystem, ExitReason, handler

T = TypeVar("T")


class Counter(Actor):
    """The counter of the documentation."""

    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    def _subtract(self, amount: int) -> None:
        self.value -= amount

    async def add_later(self, amount: int) -> int:
        await asyncio.sleep(0)
        return self.add(amount)

    def pid(self) -> int:
        return os.getpid()

    def quit(self) -> None:
        self.stop()


class Recorder(Actor):
    """Writes what it handles to a file, so that its crashes lose nothing."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def record(self, number: int) -> None:
        os.write(self.fd, b"%d\n" % number)

    def pid(self) -> int:
        return os.getpid()


class Blocker(Actor):
    """Stays in a handler until somebody opens its gate, a FIFO or the existence of a file."""

    def wait_for(self, gate: str) -> str:
        Path(gate + ".entered").touch()
        with Path(gate).open("rb") as fifo:
            fifo.read()
        return "released"

    async def wait_async(self, gate: str) -> str:
        return await asyncio.to_thread(self.wait_for, gate)

    def hello(self) -> str:
        return "hello"

    def pid(self) -> int:
        return os.getpid()


class SlowSecondStart(Blocker):
    """Is held up at a gate whenever it starts again."""

    def __init__(self, gate: str) -> None:
        mark = Path(gate + ".started")
        if mark.exists():
            self.wait_for(gate)
        mark.touch()


class Inbox(Blocker):
    """Keeps what it is told, and can be held up meanwhile."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def keep(self, number: int, padding: bytes = b"") -> None:
        del padding  # only there to fill mailboxes
        self.numbers.append(number)

    def kept(self) -> list[int]:
        return self.numbers

    def make(self, size: int) -> bytes:
        return bytes(size)

    def echo(self, value: T) -> T:
        return value


class Trouble(Actor):
    """Does everything a handler should not do."""

    def ok(self) -> str:
        return "ok"

    def pid(self) -> int:
        return os.getpid()

    def divide(self, by: int) -> float:
        return 1 / by

    def unpicklable(self) -> object:
        return threading.Lock()

    def raise_needy(self) -> None:
        raise NeedyError(1, 2)

    def raise_unreducible(self) -> None:
        raise UnreducibleError

    def recurse(self) -> None:
        self.recurse()

    def deep_result(self) -> list[object]:
        nested: list[object] = []
        for _ in range(100_000):
            nested = [nested]
        return nested

    def use_ref(self, pickled: bytes) -> None:
        pickle.loads(pickled).tell(Counter.add, 1)  # noqa: TID251 - a ref that came some other way

    def leave(self, code: int | str | None = None) -> None:
        sys.exit(code)

    def vanish(self, code: int) -> None:
        os._exit(code)

    def segfault(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def exhaust(self) -> None:
        raise MemoryError

    def interrupt(self) -> None:
        raise KeyboardInterrupt

    async def divide_later(self, by: int) -> float:
        await asyncio.sleep(0)
        return self.divide(by)

    def raise_mute(self) -> None:
        raise MuteError

    def raise_impostor(self) -> None:
        raise ImpostorError

    def raise_stop_iteration(self) -> None:
        raise StopIteration

    async def cancel_itself(self) -> None:
        raise asyncio.CancelledError

    @handler(on_error="continue")
    def fail_softly(self) -> None:
        raise ValueError("soft")

    @handler(on_error="crash")
    def fail_hard(self) -> None:
        raise ValueError("hard")


class Forgiving(Trouble):
    """Goes on whatever its handlers raise."""

    on_error = "continue"


class Strict(Trouble):
    """Crashes whenever a handler raises."""

    on_error = "crash"


class MuteError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("not me")


class ImpostorError(Exception):
    """Unpickles as something else, which is no exception."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("3",)


class NeedyError(Exception):
    """Pickles, and does not unpickle."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class UnreducibleError(Exception):
    """Does not pickle."""

    def __reduce__(self) -> str:
        raise RuntimeError("not me")


class Hooked(Actor):
    """Writes down when its hooks run."""

    def __init__(self, log: str, *, fail: str = "") -> None:
        self.path = log
        self.fail = fail
        self.note("init")

    def note(self, text: str) -> None:
        with Path(self.path).open("a") as file:
            file.write(f"{text} {os.getpid()}\n")
        if self.fail == text.split(maxsplit=1)[0]:
            raise ValueError(text)

    def on_start(self) -> None:
        self.note("start")

    def on_stop(self, reason: ExitReason) -> None:
        self.note(f"stop {reason.kind}")

    def work(self) -> int:
        self.note("work")
        return os.getpid()

    def crash(self) -> None:
        raise ValueError("crash")


class AsyncHooked(Hooked):
    """The same with ``async`` hooks."""

    async def on_start(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.note("start")

    async def on_stop(self, reason: ExitReason) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.note(f"stop {reason.kind}")


class Clock(Actor):
    """Uses timers, signals and background tasks."""

    def __init__(self) -> None:
        self.ticks: list[str] = []

    def tick(self, name: str) -> None:
        self.ticks.append(name)

    def seen(self) -> list[str]:
        return self.ticks

    def once(self, delay: float, name: str) -> None:
        self.after(delay, Clock.tick, name)

    def often(self, period: float, name: str) -> None:
        self.timer = self.every(period, Clock.tick, name)

    def cancel(self) -> None:
        self.timer.cancel()

    def once_and_cancel(self, name: str) -> None:
        self.after(0, Clock.tick, name).cancel()

    def block_for(self, seconds: float) -> int:
        before = len(self.ticks)
        threading.Event().wait(seconds)
        return len(self.ticks) - before

    def _fail(self) -> None:
        raise ValueError("tick")

    def fail_after(self, delay: float) -> None:
        self.after(delay, Clock._fail)

    def stop_after(self, delay: float) -> None:
        self.after(delay, Clock.stop)

    def listen_for(self, signum: int) -> None:
        self.on_signal(signum, Clock._on_usr1)

    def listen(self) -> int:
        self.on_signal(signal.SIGUSR1, Clock._on_usr1)
        return os.getpid()

    def _on_usr1(self) -> None:
        self.ticks.append("SIGUSR1")

    def work_in_background(self, *, fail: bool = False) -> None:
        self.start_task(self._background(fail=fail))

    async def _background(self, *, fail: bool) -> None:
        await asyncio.sleep(0)
        if fail:
            raise ValueError("background")
        self.ticks.append("background")

    def pid(self) -> int:
        return os.getpid()


class Gate(Actor):
    """Handles several messages at once."""

    concurrency = 3

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.inside = 0

    async def enter(self) -> int:
        self.inside += 1
        if self.inside == self.concurrency:
            self.opened.set()
        await self.opened.wait()
        return self.inside

    async def stay(self, path: str) -> None:
        Path(path).touch()  # noqa: ASYNC240 - takes no time
        await asyncio.Event().wait()

    def pid(self) -> int:
        return os.getpid()


class Proxy(Actor):
    """Asks another actor, from plain and from ``async`` handlers."""

    def __init__(self, target: ActorRef[Counter]) -> None:
        self.target = target

    def add(self, amount: int) -> int:
        return self.target.ask(Counter.add, amount).result()

    async def add_async(self, amount: int) -> int:
        return await self.target.ask(Counter.add, amount)

    async def block_in_coroutine(self) -> int:
        return self.target.ask(Counter.add, 1).result()

    def tell_me(self) -> ActorRef[Proxy]:
        return self.ref

    def pass_on(self, target: ActorRef[Counter]) -> bool:
        same = target == self.target
        self.target = target
        return same

    async def look_up(self, name: str) -> int:
        counter = await self.system.lookup(name, Counter)
        return await counter.ask(Counter.add, 0)

    async def spawn_one(self) -> ActorRef[Counter]:
        return await self.system.spawn(Counter, 7)


class Opener(Actor):
    """Opens a system of its own in a plain handler."""

    def count_in_another_system(self) -> int:
        with ActorSystem("opened", drain=0) as system:
            return system.spawn(Counter).result().ask(Counter.add, 1).result()
