"""What an exit reason tells of the end: memory, processor time, and whether memory had run out."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from actors import ActorCrashedError, ActorRef, ExitKind, ExitReason
from tests.support.controlled import Attentive
from tests.support.gates import wait_until
from tests.support.programs import outcome_of

PROGRAM = """
import os, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
from actors import ActorCrashedError, ActorSystem
from tests.support.controlled import Attentive
with ActorSystem("hungry", drain=0) as system:
    ref = system.options(restart="temporary").spawn(Attentive).result()
    try:
        ref.ask(Attentive.fill, 500).result()
    except ActorCrashedError as error:
        print(error.reason.kind, error.reason.oom, error.reason, sep="; ")
"""


def reason_of(ref: ActorRef[Attentive]) -> ExitReason:
    with pytest.raises(ActorCrashedError) as crashed:
        ref.ask(Attentive.segfault).result()
    return crashed.value.reason


def test_reason_tells_how_much_memory_and_time_the_process_has_used(
    attentive: ActorRef[Attentive],
) -> None:
    before = reason_of(attentive)
    attentive.ask(Attentive.fill, 100).result()

    after = reason_of(attentive)

    assert (after.max_rss_bytes or 0) - (before.max_rss_bytes or 0) > 90 * 2**20
    assert (after.cpu_seconds or 0) > (before.cpu_seconds or 0) > 0


def test_reason_of_a_kill_by_somebody_says_that_memory_was_not_short(
    attentive: ActorRef[Attentive], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    hanging = attentive.ask(Attentive.hang, str(mark))
    wait_until(mark.exists, "the handler")
    attentive.signal(signal.SIGKILL).result()

    with pytest.raises(ActorCrashedError) as crashed:
        hanging.result()

    assert crashed.value.reason.kind is ExitKind.SIGNAL
    assert crashed.value.reason.oom in {"no", "unknown"}


def test_reason_of_a_kill_by_the_kernel_says_that_memory_was_short(
    small_group: Path,
) -> None:
    done = outcome_of("-c", PROGRAM, str(small_group))

    line = "oom_kill; yes; killed by the kernel because memory ran out while running Attentive.fill"
    assert done.stdout.splitlines() == [line]
