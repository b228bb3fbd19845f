"""``multiprocessing.Pipe`` between two processes."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from tests.bench import measuring
from tests.bench.measuring import Cores, Values

CONTEXT = multiprocessing.get_context("fork")

Pipe: TypeAlias = "Connection[Any, Any]"
Serve = Callable[[Callable[[], object], Callable[[object], object]], None]


def run(serve: Serve, near: Pipe, far: Pipe, core: int | None) -> None:
    near.close()
    measuring.run_on(core)
    with contextlib.suppress(EOFError):
        serve(far.recv, far.send)


def acknowledge(
    receive: Callable[[], object], send: Callable[[object], object]
) -> None:
    """Be the other end of large messages."""
    while True:
        receive()
        send(None)


@contextlib.contextmanager
def other_end(serve: Serve, cores: Cores) -> Iterator[Pipe]:
    near, far = CONTEXT.Pipe()
    process = CONTEXT.Process(
        target=run, args=(serve, near, far, cores.far), daemon=True
    )
    process.start()
    far.close()
    try:
        with measuring.running_on(cores.near), near:
            yield near
    finally:
        process.kill()
        process.join()


def ask(cores: Cores) -> Values:
    with other_end(measuring.serve_echo, cores) as pipe:

        def echo(number: int) -> None:
            pipe.send(number)
            pipe.recv()

        return measuring.ask_one_at_a_time(echo)


def asks(cores: Cores) -> Values:
    with other_end(measuring.serve_echo, cores) as pipe:
        return measuring.ask_many_at_a_time(pipe.send, lambda _: pipe.recv())


def tell(cores: Cores) -> Values:
    serve = functools.partial(measuring.serve_count, senders=1)
    with other_end(serve, cores) as pipe:
        return measuring.counted_per_second(
            "tell_per_s_1to1",
            lambda: measuring.send_batches(pipe.send, measuring.TELLS),
            pipe.recv,
        )


def large(cores: Cores) -> Values:
    values: dict[str, float] = {}
    with other_end(acknowledge, cores) as pipe:
        for row, mib in measuring.LARGE_MIB.items():
            message = measuring.large_message(mib)

            def pass_on(message: bytearray = message) -> None:
                pipe.send(message)
                pipe.recv()

            values |= measuring.gigabytes_per_second(row, mib, pass_on)
    return values


MEASURES = {"ask": ask, "asks": asks, "tell": tell, "large": large}
