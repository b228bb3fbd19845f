"""What the kernel allows the process of an actor: from its start, and changed while it runs."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorCrashedError,
    ActorError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    OptionError,
    SpawnError,
)
from tests.support.controlled import Limited
from tests.support.gates import wait_until

MEMORY = 2**31
CPU = min(os.sched_getaffinity(0))
ALL: dict[str, Any] = {
    "max_memory_bytes": MEMORY,
    "max_cpu_seconds": 50,
    "max_open_files": 100,
    "nice": 7,
    "cpus": {CPU},
}
SEEN = {
    "max_memory_bytes": MEMORY,
    "max_cpu_seconds": 50,
    "max_open_files": 100,
    "nice": [7, 7],
    "cpus": [[CPU], [CPU]],
}


@pytest.fixture
def limited(system: ActorSystem) -> Iterator[ActorRef[Limited]]:
    ref = system.spawn(Limited).result()
    yield ref
    ref.kill().result()


def test_options_limit_the_process_before_its_constructor_runs(
    system: ActorSystem,
) -> None:
    ref = system.options(**ALL).spawn(Limited).result()

    assert ref.ask(Limited.at_birth).result() == SEEN
    ref.kill().result()


def test_limits_hold_for_the_next_incarnation(system: ActorSystem) -> None:
    ref = system.options(**ALL).spawn(Limited).result()

    ref.restart().result()

    assert ref.ask(Limited.at_birth).result() == SEEN
    ref.kill().result()


def test_limits_of_a_running_process_can_be_changed(
    limited: ActorRef[Limited],
) -> None:
    limited.limit(**ALL).result()

    assert limited.ask(Limited.now).result() == SEEN


def test_changed_limits_hold_for_the_next_incarnation(
    limited: ActorRef[Limited],
) -> None:
    limited.limit(nice=5).result()
    limited.limit(max_open_files=90).result()

    limited.restart().result()

    born = limited.ask(Limited.at_birth).result()
    assert (born["nice"], born["max_open_files"]) == ([5, 5], 90)


def test_limit_can_be_lifted(limited: ActorRef[Limited]) -> None:
    before = limited.ask(Limited.now).result()
    limited.limit(max_memory_bytes=MEMORY).result()
    limited.limit(max_memory_bytes=None).result()

    assert limited.ask(Limited.now).result() == before


def test_memory_beyond_the_limit_is_a_memory_error(
    limited: ActorRef[Limited],
) -> None:
    limited.limit(max_memory_bytes=2**30).result()

    with pytest.raises(MemoryError):
        limited.ask(Limited.fill, 2000).result()


def test_processor_time_beyond_the_limit_ends_the_process_and_shows_where(
    system: ActorSystem, tmp_path: Path
) -> None:
    ref = system.options(max_cpu_seconds=1).spawn(Limited).result()

    with pytest.raises(ActorCrashedError) as crashed:
        ref.within(None).ask(Limited.spin, str(tmp_path / "mark")).result()

    assert crashed.value.reason.signal == "SIGXCPU"
    assert "in spin\n" in (crashed.value.reason.dump or "")
    assert ref.ask(Limited.hello).result() == "hello"
    ref.kill().result()


def test_limit_that_the_system_does_not_allow_fails_the_start(
    system: ActorSystem,
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this system has no hard limit for open files")
    options = system.options(max_open_files=hard + 1)

    with pytest.raises(SpawnError, match=f"max_open_files={hard + 1}: at most {hard}"):
        options.spawn(Limited).result()


def test_limit_that_the_system_does_not_allow_is_refused_on_a_running_process(
    limited: ActorRef[Limited],
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this system has no hard limit for open files")

    with pytest.raises(ActorError, match=f"max_open_files={hard + 1}: at most {hard}"):
        limited.limit(max_open_files=hard + 1).result()

    assert limited.ask(Limited.now).result()["max_open_files"] <= hard


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"max_memory_bytes": 1000}, "max_memory_bytes=1000: a whole number of bytes"),
        ({"max_memory_bytes": "1G"}, "max_memory_bytes='1G': a whole number"),
        ({"max_cpu_seconds": 0}, "max_cpu_seconds=0: a whole number of seconds"),
        ({"max_cpu_seconds": 1.5}, r"max_cpu_seconds=1\.5: a whole number"),
        ({"max_open_files": 3}, "max_open_files=3: a whole number of descriptors"),
        ({"nice": 20}, "nice=20: a whole number from -20 to 19"),
        ({"nice": True}, "nice=True: a whole number"),
        ({"cpus": set()}, r"cpus=\(\): a set of CPU numbers"),
        ({"cpus": {100_000}}, r"cpus=\(100000,\): a set of CPU numbers"),
        ({"cpus": 0}, "cpus=0: a set of CPU numbers"),
        ({"cpus": {"0"}}, "cpus=.*: a set of CPU numbers"),
    ],
    ids=str,
)
def test_limits_that_are_none_are_refused_at_the_call(
    system: ActorSystem, limited: ActorRef[Limited], limits: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        system.options(**limits)
    with pytest.raises(OptionError, match=text):
        limited.limit(**limits)


def test_limit_must_name_one_that_there_is(limited: ActorRef[Limited]) -> None:
    with pytest.raises(OptionError, match=r"limit=.*some of max_memory_bytes, "):
        limited.limit()
    with pytest.raises(OptionError, match=r"limit=.*some of max_memory_bytes, "):
        limited.limit(memory=1)  # type: ignore[call-arg]


def test_actor_that_has_ended_cannot_be_limited(system: ActorSystem) -> None:
    ref = system.spawn(Limited).result()
    ref.kill().result()

    with pytest.raises(ActorStoppedError, match="killed on request"):
        ref.limit(nice=1).result()


def test_limits_during_a_restart_wait_for_the_next_process(
    limited: ActorRef[Limited],
) -> None:
    limited.signal(signal.SIGKILL).result()

    limited.limit(nice=3).result()

    wait_until(lambda: limited.ask(Limited.now).result()["nice"] == [3, 3], "the limit")
