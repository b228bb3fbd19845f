"""Programs that fork while they use a system: the child is told, and the parent is not disturbed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import actors
from actors import ActorRef, ActorSystem
from tests.support.forkers import Forker, status_of_child_that_gets
from tests.support.gates import SECONDS
from tests.support.programs import SCRIPTS, Program

REFUSED = [f"{use} ForkedHandleError" for use in ("ask", "tell", "spawn")]
NO_RESULT = "result ForkedHandleError"
CLOSED = "close None"

OUTPUTS = {
    "thread": [
        *REFUSED,
        *[NO_RESULT] * 3,
        CLOSED,
        "7 released released released 20 1",
    ],
    "asyncio": [*REFUSED, NO_RESULT, CLOSED, "7 kept", "0 0"],
    "run": [*REFUSED, NO_RESULT, CLOSED, "7 kept", "0 0", "woken"],
    "multiprocessing": ["child 2", "0 3"],
    "pool": [*[NO_RESULT] * 3, "awaited ForkedHandleError", "7", "[0, 1] 42 None"],
    "attached": ["inherited ForkedHandleError", "own 1", "7 2", "3"],
}


@pytest.mark.parametrize(("how", "expected"), OUTPUTS.items(), ids=OUTPUTS)
def test_a_fork_gives_the_child_nothing_and_takes_nothing_from_the_parent(
    base: Path, how: str, expected: list[str]
) -> None:
    # Newer versions of Python warn of forks with threads: here, they are meant.
    program = Program("-Wignore", str(SCRIPTS / "forks.py"), str(base), how)
    try:
        status, output, errors = program.wait()

        assert (output.splitlines(), errors, status) == (expected, "", 0)
        program.wait_until_all_is_gone(SECONDS)
        assert list(base.iterdir()) == []
    finally:
        program.kill()


@pytest.fixture(scope="module")
def forker(system: ActorSystem) -> ActorRef[Forker]:
    return system.spawn(Forker).result()


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (Forker.come_back, 0),
        (Forker.come_back_in_coroutine, 0),
        (Forker.wait_in_child, 0),
        (Forker.run_nothing, 1),
        (Forker.exit, 3),
    ],
)
def test_a_child_that_comes_back_from_a_handler_ends_there(
    forker: ActorRef[Forker], message: Callable[[Forker], int], status: int
) -> None:
    """It answered in the place of the actor, emptied its slot, and took the messages that came next."""
    pid = forker.ask(Forker.pid).result()

    assert forker.ask(message).result() == status

    assert forker.ask(Forker.pid).result() == pid


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_the_actor_catches_ends_a_child_that_it_has_forked(
    forker: ActorRef[Forker], signum: signal.Signals
) -> None:
    """``multiprocessing`` ends its processes by SIGTERM, and waited for ever."""
    assert forker.ask(Forker.signal_child, signum).result() == -signum


def test_a_signal_to_a_child_is_none_to_a_program_under_run() -> None:
    """The child was spared, and the program ended in its place."""

    async def main() -> int | None:
        return status_of_child_that_gets(signal.SIGTERM)

    assert actors.run(main) == -signal.SIGTERM
