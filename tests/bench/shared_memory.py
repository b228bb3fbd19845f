"""Memory that is shared with another process and copied into, as ``multiprocessing.shared_memory`` gives it, and a ``Pipe`` that says so.

The other process only looks at the last byte: a copy out would cost as much again.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

from tests.bench import measuring
from tests.bench.measuring import Cores, Values
from tests.bench.multiprocessing_pipe import other_end


def large(cores: Cores) -> Values:
    values: dict[str, float] = {}
    for row, mib in measuring.LARGE_MIB.items():
        message = measuring.large_message(mib)
        with mmap.mmap(-1, len(message)) as memory:  # a child that is forked shares it

            def serve(
                receive: Callable[[], object],
                send: Callable[[object], object],
                memory: mmap.mmap = memory,
            ) -> None:
                while True:
                    receive()
                    send(memory[-1])

            with other_end(serve, cores) as pipe:

                def pass_on(
                    message: bytearray = message, memory: mmap.mmap = memory
                ) -> None:
                    memory[:] = message
                    pipe.send(None)
                    pipe.recv()

                values |= measuring.gigabytes_per_second(row, mib, pass_on)
    return values


MEASURES = {"large": large}
