"""The root supervisor is killed at lines all over what it does after a death: nobody waits for ever."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
from pathlib import Path
from typing import Literal

import pytest

from actors import ActorCrashedError, ActorStoppedError, ActorSystem, SystemFailedError
from tests.support.gates import SECONDS, Gate
from tests.support.lives import Ledger

Restart = Literal["temporary", "permanent"]
SCRIPTS = Path(__file__).parents[1] / "support" / "scripts"
STRIDE = 41  # lines; of those between, each run with --run-slow takes others
RUNS = 8


@pytest.mark.parametrize("restart", ["temporary", "permanent"])
@pytest.mark.parametrize(
    "run", [0, *(pytest.param(run, marks=pytest.mark.slow) for run in range(1, RUNS))]
)
def test_no_asker_waits_for_ever_when_the_cleaner_is_killed_at_any_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restart: Restart, run: int
) -> None:
    first = run and random.randrange(1, STRIDE)
    print(f"from line {first}")  # noqa: T201 - shown with a failure
    through = tmp_path / "through"
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    monkeypatch.setenv("ROOT_GOT_THROUGH", str(through))
    lines = 0

    for line in itertools.count(first, STRIDE):
        monkeypatch.setenv("ROOT_DIES_AT", str(line))
        (tmp_path / str(line)).mkdir()
        die_with_questions(tmp_path / str(line), restart)
        if through.exists():
            break
        lines += 1

    assert lines * STRIDE > 100  # it did die, again and again


def die_with_questions(folder: Path, restart: Restart) -> None:
    """Kill an actor that has one question in hand and others queued, and see that each of them is answered or fails."""
    gate = Gate(folder / "gate")
    system = ActorSystem(drain=0).start()
    events = system.events()
    spawning = system.options(restart=restart).spawn(Ledger, str(folder / "ledger"))
    ledger = spawning.result().within(None)
    pid = ledger.ask(Ledger.pid).result()
    holding = ledger.ask(Ledger.hold, gate.path)
    gate.wait_until_entered()
    asked = [ledger.ask(Ledger.record, number) for number in range(3)]

    os.kill(pid, signal.SIGKILL)

    with pytest.raises((ActorCrashedError, SystemFailedError)):
        holding.result(SECONDS)
    for number, pending in enumerate(asked):
        with contextlib.suppress(ActorStoppedError, SystemFailedError):
            assert pending.result(SECONDS) == number  # by the next incarnation
    events.close()
    with contextlib.suppress(SystemFailedError):
        system.close()
