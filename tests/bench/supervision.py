"""Supervisors with many children: one that dies among its siblings, and all at once."""

from __future__ import annotations

import os
import random
import signal
import statistics
import time

from actors import ActorRef, ActorSystem, SupervisorRef, options
from tests.bench import measuring, ours
from tests.bench.echo import Echo
from tests.bench.measuring import Cores, Values, laps

NO_LIMIT = 10**6  # restarts within a moment


async def recover_among(system: ActorSystem, _: Cores) -> Values:
    """Measure from the SIGKILL of one of many children to the first answer of its successor."""
    tree, echoes = await _tree(system, measuring.SIBLINGS)
    seconds = []
    for _lap in laps(measuring.KILLS):
        echo = random.choice(echoes)
        pid = await echo.ask(Echo.pid)
        begin = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        await ours.answered_by_another(echo, pid)
        seconds.append(time.perf_counter() - begin)
    await tree.stop()
    ranked = statistics.quantiles(seconds * 2, n=100, method="inclusive")
    return {
        "recover_ms_p50_50": ranked[49] * 1e3,
        "recover_ms_p99_50": ranked[98] * 1e3,
    }


async def storm(system: ActorSystem, _: Cores) -> Values:
    """Measure from the SIGKILL of all children to an answer of each successor."""
    tree, echoes = await _tree(system, measuring.STORM)
    pids = [await echo.ask(Echo.pid) for echo in echoes]
    begin = time.perf_counter()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for echo, pid in zip(echoes, pids, strict=True):
        await ours.answered_by_another(echo, pid)
    seconds = time.perf_counter() - begin
    await tree.stop()
    return {"storm_s_200": seconds}


async def _tree(
    system: ActorSystem, count: int
) -> tuple[SupervisorRef, list[ActorRef[Echo]]]:
    specs = [options(id=str(number)).child(Echo) for number in range(count)]
    tree = await system.options(intensity=NO_LIMIT).supervise(*specs)
    return tree, [tree.ref(spec).within(measuring.MEASURE_SECONDS) for spec in specs]


MEASURES = {
    "recover_among": ours.in_a_system(recover_among),
    "storm": ours.in_a_system(storm),
}
