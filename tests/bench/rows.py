"""What is measured, and in which systems: the one list of both."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from tests.bench import (
    faster_fifo_queue,
    fork,
    forkserver,
    multiprocessing_pipe,
    ours,
    pools,
    process_pool,
    shared_memory,
    simple_queue,
    supervision,
)
from tests.bench.measuring import Measure


@attrs.frozen
class Row:
    """One figure.

    Attributes:
        name: With its unit.
        measure: What to run for it, by its name in a system's ``MEASURES``.
        is_rate: More is better.
        meaning: For the reader of the table.
    """

    name: str
    measure: str
    meaning: str
    is_rate: bool = False


ROWS = (
    Row("ask_us_p50", "ask", "ask, one at a time, median, µs"),
    Row("ask_us_p99", "ask", "ask, one at a time, 99th percentile, µs"),
    Row("asks_per_s_100", "asks", "asks per second, 100 outstanding", is_rate=True),
    Row("tell_per_s_1to1", "tell", "tells per second, one sender", is_rate=True),
    Row(
        "tell_per_s_4to1",
        "tell_from_many",
        "tells per second, four senders",
        is_rate=True,
    ),
    Row(
        "main_class_ratio",
        "tell_objects",
        "CPU time to send a __main__ class, to an imported one",
    ),
    Row("gb_per_s_1MiB", "large", "1 MiB buffers one way, GB/s", is_rate=True),
    Row("gb_per_s_64MiB", "large", "64 MiB buffers one way, GB/s", is_rate=True),
    Row("spawn_ms", "spawn", "spawn to first reply, ms"),
    Row("pss_mib", "memory", "memory of an idle process (PSS), MiB"),
    Row("mailbox_mib", "memory", "shared memory of an idle actor, MiB"),
    Row("pool_start_ms", "pool_start", "four workers up and answering, ms"),
    Row(
        "pool_calls_per_s",
        "pool_calls",
        "tasks that do nothing, one by one, four workers",
        is_rate=True,
    ),
    Row(
        "pool_items_per_s",
        "pool_items",
        "items that take nothing, by map, four workers",
        is_rate=True,
    ),
    Row("pool_work_s", "pool_work", "400 tasks of 5 ms, four workers, s"),
    Row("recover_ms", "recover", "SIGKILL to first reply of the next, ms"),
    Row("recover_ms_p50_50", "recover_among", "the same of one among 50 siblings, ms"),
    Row("recover_ms_p99_50", "recover_among", "the same, 99th percentile, ms"),
    Row("storm_s_200", "storm", "SIGKILL of 200 children to replies of all next, s"),
)

SYSTEMS: Mapping[str, Mapping[str, Measure]] = {
    "ours": {**ours.MEASURES, **supervision.MEASURES, **pools.OURS},
    **{f"ours_{scheme}": ours.over(scheme) for scheme in ("unix", "pipe", "mq")},
    "multiprocessing_pipe": multiprocessing_pipe.MEASURES,
    "shared_memory": shared_memory.MEASURES,
    "simple_queue": simple_queue.MEASURES,
    "faster_fifo": faster_fifo_queue.MEASURES,
    "fork": {**fork.MEASURES, **pools.BARE},
    "forkserver": forkserver.MEASURES,
    "process_pool": {**process_pool.MEASURES, **pools.STANDARD},
}
