"""``faster_fifo.Queue``, one in each direction, where it is installed: ``pip install .[bench]``."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import cast

from tests.bench import measuring, simple_queue
from tests.bench.measuring import Cores, Values
from tests.bench.multiprocessing_pipe import acknowledge
from tests.bench.simple_queue import Queue


def make(**options: int) -> Queue:
    return cast("Queue", importlib.import_module("faster_fifo").Queue(**options))


def large(cores: Cores) -> Values:
    """Send buffers through a queue that has room for two of the largest; its default has none for one."""
    values: dict[str, float] = {}
    room = 2 * max(measuring.LARGE_MIB.values()) * 2**20
    roomy = functools.partial(make, max_size_bytes=room)
    with simple_queue.other_end(roomy, acknowledge, cores) as both:
        for row, mib in measuring.LARGE_MIB.items():
            message = measuring.large_message(mib)

            def pass_on(message: bytearray = message) -> None:
                both.there.put(message)
                both.back.get()

            values |= measuring.gigabytes_per_second(row, mib, pass_on)
    return values


IS_INSTALLED = importlib.util.find_spec("faster_fifo") is not None
MEASURES = {**simple_queue.measures(make), "large": large} if IS_INSTALLED else {}
