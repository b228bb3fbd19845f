"""``multiprocessing.SimpleQueue``, one in each direction."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.queues import SimpleQueue
from typing import Any

import attrs

from tests.bench import measuring
from tests.bench.measuring import Cores, Values

CONTEXT = multiprocessing.get_context("fork")


@attrs.frozen
class Queues:
    """There and back."""

    there: SimpleQueue[Any]
    back: SimpleQueue[Any]


@contextlib.contextmanager
def running(
    core: int | None, target: Callable[..., None], *args: object
) -> Iterator[None]:
    """Run *target* in a process on one core, until the block ends."""

    def main() -> None:
        measuring.run_on(core)
        target(*args)

    process = CONTEXT.Process(target=main, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def queues() -> Iterator[Queues]:
    both = Queues(CONTEXT.SimpleQueue(), CONTEXT.SimpleQueue())
    try:
        yield both
    finally:
        both.there.close()
        both.back.close()


@contextlib.contextmanager
def other_end(
    serve: Callable[..., None], cores: Cores, *args: object
) -> Iterator[Queues]:
    with (
        queues() as both,
        running(cores.far, serve, both.there.get, both.back.put, *args),
        measuring.running_on(cores.near),
    ):
        yield both


def ask(cores: Cores) -> Values:
    with other_end(measuring.serve_echo, cores) as both:

        def echo(number: int) -> None:
            both.there.put(number)
            both.back.get()

        return measuring.ask_one_at_a_time(echo)


def asks(cores: Cores) -> Values:
    with other_end(measuring.serve_echo, cores) as both:
        return measuring.ask_many_at_a_time(both.there.put, lambda _: both.back.get())


def tell(cores: Cores) -> Values:
    with other_end(measuring.serve_count, cores, 1) as both:
        return measuring.counted_per_second(
            "tell_per_s_1to1",
            lambda: measuring.send_batches(both.there.put, measuring.TELLS),
            both.back.get,
        )


def tell_from_many(cores: Cores) -> Values:
    senders = measuring.SENDERS
    with contextlib.ExitStack() as stack:
        both = stack.enter_context(
            other_end(measuring.serve_count, Cores(far=cores.far), senders)
        )
        gate = stack.enter_context(queues()).there
        for _ in range(senders):
            stack.enter_context(running(cores.near, send_when_told, gate, both.there))

        def start() -> None:
            for _ in range(senders):
                gate.put(None)

        return measuring.counted_per_second("tell_per_s_4to1", start, both.back.get)


def send_when_told(gate: SimpleQueue[Any], there: SimpleQueue[Any]) -> None:
    gate.get()
    measuring.send_batches(there.put, measuring.TELLS // measuring.SENDERS)


MEASURES = {"ask": ask, "asks": asks, "tell": tell, "tell_from_many": tell_from_many}
