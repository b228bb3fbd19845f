"""Run mode: a program's main coroutine on our own loop, with the signals and the exit status a service needs.

SIGINT, SIGTERM and SIGHUP (unless ignored, as under ``nohup``) end the main coroutine, which stops its systems in order.
A second signal cuts every remaining timeout short, a third ends the program at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from actors.errors import SystemFailedError
from actors.runtime import clients, offspring
from actors.runtime.loop import RingLoop
from actors.runtime.loopside import running_loop

T = TypeVar("T")

EXIT_SYSTEM_FAILED = 70  # EX_SOFTWARE of sysexits.h
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Signals:
    """What has been asked of the program by signals."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]
    ) -> None:
        self.first: int | None = None
        self._count = 0
        self._task = task
        for signum in _SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN:
                loop.add_signal_handler(signum, self._on_signal, signum)
                offspring.caught.add(signum)

    def _on_signal(self, signum: int) -> None:
        self._count += 1
        if self._count == 1:
            self.first = signum
            self._task.cancel()
        elif self._count == 2:
            for client in list(clients.by_system.values()):
                client.notify_root("hurry", {})
        else:
            _die_of(signum)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``main()`` to its end and return its result.

    Args:
        main: A coroutine function without arguments; it opens its systems with ``async with``.

    Raises:
        KeyboardInterrupt: SIGINT ended it; all systems are closed.
        RuntimeError: Called from a running event loop.
        TypeError: *main* cannot be called, or is no coroutine function.

    A SIGTERM or SIGHUP ends the process by that signal, after all systems are closed.
    An uncaught ``SystemFailedError`` ends it with status 70.
    """
    _check_main(main)
    with asyncio.Runner(loop_factory=RingLoop) as runner:
        loop = runner.get_loop()
        task = loop.create_task(_called(main))
        signals = _Signals(loop, task)
        try:
            result = loop.run_until_complete(task)
        except asyncio.CancelledError:
            if signals.first is None:
                raise
        except SystemFailedError:
            traceback.print_exc()
            sys.exit(EXIT_SYSTEM_FAILED)
        else:
            if signals.first is None:
                return result
        finally:
            offspring.caught.clear()
    if signals.first == signal.SIGINT:
        raise KeyboardInterrupt
    _die_of(signals.first)
    raise AssertionError  # a blocked signal: there is no way on from here


def _check_main(main: object) -> None:
    if running_loop() is not None:
        msg = "actors.run() cannot be called from a running event loop: await the coroutine instead"
        raise RuntimeError(msg)
    if not callable(main):
        msg = f"main={main!r}: a coroutine function without arguments, such as 'async def main()', not its call"
        raise TypeError(msg)


def _called(main: Callable[[], Coroutine[Any, Any, T]]) -> Coroutine[Any, Any, T]:
    coro: object = main()
    if not asyncio.iscoroutine(coro):
        msg = f"main={main!r}: it has returned {coro!r}; a coroutine function is needed, as 'async def' makes it"
        raise TypeError(msg)
    return coro


def _die_of(signum: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
    os.kill(os.getpid(), signum)
