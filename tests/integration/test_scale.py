"""Many actors at once, and what happens where the machine allows no more."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import pytest

from actors import ActorNotFoundError, ActorRef, ActorSystem, SpawnError
from tests.bench.echo import Echo
from tests.support.actors_under_test import Counter
from tests.support.gates import SECONDS
from tests.support.inside import root_pid

MANY = 1_000
AT_ONCE = 50  # whose starting overlaps
REQUESTS = 500
TRIES = 5  # the first after a fork copies memory, and others use the machine


def cpu_ns(pid: int) -> int:
    """Return the time that a process has been running."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def cost_of_requests(system: ActorSystem) -> int:
    """Return the nanoseconds of the root supervisor's time that requests take, when nothing disturbs them."""
    return min(_cost_once(system) for _ in range(TRIES))


def _cost_once(system: ActorSystem) -> int:
    before = cpu_ns(root_pid(system))
    for _ in range(REQUESTS):
        with pytest.raises(ActorNotFoundError):
            system.lookup("nobody", Counter).result()
    return cpu_ns(root_pid(system)) - before


def memory_of(pid: int) -> dict[str, int]:
    """Return what memory a process has, in KiB, by kind."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {kind.rstrip(":"): int(size) for kind, size, _ in fields}


def spawn_many(system: ActorSystem) -> list[ActorRef[Counter]]:
    """Return ``MANY`` actors that are ready."""
    counters: list[ActorRef[Counter]] = []
    while len(counters) < MANY:
        starting = [system.spawn(Counter, 1) for _ in range(AT_ONCE)]
        counters += [pending.result() for pending in starting]
    return counters


def test_spawn_without_descriptors_names_the_limit_and_harms_nobody() -> None:
    with ActorSystem() as system:
        first = system.spawn(Counter).result()
        root = root_pid(system)
        limits = resource.prlimit(root, resource.RLIMIT_NOFILE)
        used = {int(fd.name) for fd in Path(f"/proc/{root}/fd").iterdir()}
        # One more is free; some of those in use have numbers far above.
        files = min(set(range(len(used) + 1)) - used) + 1
        resource.prlimit(root, resource.RLIMIT_NOFILE, (files, limits[1]))

        with pytest.raises(SpawnError, match=rf"RLIMIT_NOFILE is {files} open files"):
            system.spawn(Counter).result()

        resource.prlimit(root, resource.RLIMIT_NOFILE, limits)
        second = system.spawn(Counter).result()
        assert first.ask(Counter.add, 1).result() == 1
        assert second.ask(Counter.add, 2).result() == 2


def test_a_spawn_that_lacks_any_of_its_descriptors_fails_and_nothing_of_it_stays() -> (
    None
):
    """One that lacked the last of them was settled halfway: its system never ended, not even with its program."""
    with ActorSystem(drain=0) as system:
        system.spawn(Counter).result()
        root = root_pid(system)
        limits = resource.prlimit(root, resource.RLIMIT_NOFILE)
        for free in range(1, 9):
            used = {int(fd.name) for fd in Path(f"/proc/{root}/fd").iterdir()}
            files = sorted(set(range(len(used) + free)) - used)[free - 1] + 1
            resource.prlimit(root, resource.RLIMIT_NOFILE, (files, limits[1]))

            with contextlib.suppress(SpawnError):
                system.spawn(Counter).result(SECONDS).kill().result(SECONDS)

            resource.prlimit(root, resource.RLIMIT_NOFILE, limits)
        files_left = Path(system._opened().directory.path).iterdir()
        numbers = {file.name.partition(".")[0] for file in files_left}

    assert {number for number in numbers if number.isdecimal()} == {"0", "1", "2"}


@pytest.mark.skipif(
    not (3, 12) <= sys.version_info < (3, 14),
    reason="this interpreter writes to all that it looks at",
)
def test_an_actor_shares_most_of_its_memory_with_the_root() -> None:
    with ActorSystem() as system:
        echo = system.spawn(Echo).result()  # whose module imports nothing else

        memory = memory_of(echo.ask(Echo.pid).result())

    assert memory["Private_Dirty"] < memory["Rss"] / 6


@pytest.mark.slow
def test_a_thousand_actors_answer_and_do_not_slow_the_root_down() -> None:
    with ActorSystem() as system:
        alone = cost_of_requests(system)

        counters = spawn_many(system)

        answers = [counter.ask(Counter.pid) for counter in counters]
        assert len({answer.result() for answer in answers}) == MANY
        assert cost_of_requests(system) < 2 * alone
