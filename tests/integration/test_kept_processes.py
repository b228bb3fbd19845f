"""``kill_scope="process"``: the programs that an actor has executed outlive it, and its supervisors."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from actors import Actor, ActorSystem, OptionError, options
from tests.support.gates import SECONDS, wait_until
from tests.support.lives import is_alive


class Keeper(Actor):
    """Starts programs that are to stay."""

    def start(self, *, in_session: bool) -> int:
        command = ["sleep", "1000"]
        return subprocess.Popen(command, start_new_session=not in_session).pid

    def pids(self) -> tuple[int, int]:
        return os.getpid(), os.getppid()


@pytest.fixture
def started() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), "the programs to end")


def test_programs_of_an_actor_outlive_it_its_supervisor_and_the_system(
    started: list[int],
) -> None:
    with ActorSystem() as system:
        spec = options(id="keeper", kill_scope="process").child(Keeper)
        inner = options(id="inner").supervisor(spec)
        tree = system.supervise(inner).result(SECONDS)
        keeper = tree.ref(spec).within(SECONDS)
        lives = set()
        for which in (0, 1):  # the actor, then its supervisor
            both = keeper.ask(Keeper.pids).result()
            lives.add(both[0])
            started += [
                keeper.ask(Keeper.start, in_session=in_session).result()
                for in_session in (True, False)
            ]
            os.kill(both[which], signal.SIGKILL)
            wait_until(lambda pid=both[0]: not is_alive(pid), "the end of the actor")  # type: ignore[misc]
        lives.add(keeper.ask(Keeper.pids).result()[0])

    assert len(lives) == 3
    assert len(started) == 4
    assert all(map(is_alive, started))


def test_supervisors_have_no_such_setting() -> None:
    with pytest.raises(OptionError, match="actors only"):
        options(id="a", kill_scope="process").supervisor()
