"""``multiprocessing.SimpleQueue``, or another queue between processes, one in each direction."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import attrs

from tests.bench import measuring
from tests.bench.measuring import Cores, Measure, Values

CONTEXT = multiprocessing.get_context("fork")


class Queue(Protocol):
    """What is measured."""

    def put(self, obj: Any, /) -> None: ...  # noqa: ANN401 - whatever pickles
    def get(self) -> Any: ...  # noqa: ANN401 - likewise
    def close(self) -> None: ...


Make = Callable[[], Queue]


@attrs.frozen
class Queues:
    """There and back."""

    there: Queue
    back: Queue


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
def queues(make: Make) -> Iterator[Queues]:
    both = Queues(make(), make())
    try:
        yield both
    finally:
        both.there.close()
        both.back.close()


@contextlib.contextmanager
def other_end(
    make: Make, serve: Callable[..., None], cores: Cores, *args: object
) -> Iterator[Queues]:
    with (
        queues(make) as both,
        running(cores.far, serve, both.there.get, both.back.put, *args),
        measuring.running_on(cores.near),
    ):
        yield both


def ask(make: Make, cores: Cores) -> Values:
    with other_end(make, measuring.serve_echo, cores) as both:

        def echo(number: int) -> None:
            both.there.put(number)
            both.back.get()

        return measuring.ask_one_at_a_time(echo)


def asks(make: Make, cores: Cores) -> Values:
    with other_end(make, measuring.serve_echo, cores) as both:
        return measuring.ask_many_at_a_time(both.there.put, lambda _: both.back.get())


def tell(make: Make, cores: Cores) -> Values:
    with other_end(make, measuring.serve_count, cores, 1) as both:
        return measuring.counted_per_second(
            "tell_per_s_1to1",
            lambda: measuring.send_batches(both.there.put, measuring.TELLS),
            both.back.get,
        )


def tell_from_many(make: Make, cores: Cores) -> Values:
    senders = measuring.SENDERS
    with contextlib.ExitStack() as stack:
        both = stack.enter_context(
            other_end(make, measuring.serve_count, Cores(far=cores.far), senders)
        )
        gate = stack.enter_context(queues(make)).there
        for _ in range(senders):
            stack.enter_context(running(cores.near, send_when_told, gate, both.there))

        def start() -> None:
            for _ in range(senders):
                gate.put(None)

        return measuring.counted_per_second("tell_per_s_4to1", start, both.back.get)


def send_when_told(gate: Queue, there: Queue) -> None:
    gate.get()
    measuring.send_batches(there.put, measuring.TELLS // measuring.SENDERS)


def measures(make: Make) -> dict[str, Measure]:
    """Return what can be measured with queues that *make* makes."""
    found = {"ask": ask, "asks": asks, "tell": tell, "tell_from_many": tell_from_many}
    return {name: functools.partial(each, make) for name, each in found.items()}


MEASURES = measures(CONTEXT.SimpleQueue)
