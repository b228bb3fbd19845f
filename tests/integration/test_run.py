"""``actors.run``: results, exceptions and exit statuses; its signals are in test_main_program.py."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest

import actors
from actors import ActorSystem, ExitKind, ExitReason, SystemFailedError
from actors.runtime.loop import RingLoop
from tests.support.actors_under_test import Counter
from tests.support.programs import SCRIPTS, Program


def test_run_returns_the_result_of_the_coroutine() -> None:
    async def main() -> int:
        async with ActorSystem() as system:
            counter = await system.spawn(Counter)
            return await counter.ask(Counter.add, 1)

    assert actors.run(main) == 1


def test_run_can_be_called_again_and_on_a_system_of_the_caller(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()

    async def main() -> int:
        return await counter.ask(Counter.add, 1)

    assert [actors.run(main), actors.run(main)] == [1, 2]
    assert counter.ask(Counter.add, 1).result() == 3


def test_run_uses_our_own_loop() -> None:
    async def main() -> type[asyncio.AbstractEventLoop]:
        return type(asyncio.get_running_loop())

    assert actors.run(main) is RingLoop


def test_run_raises_what_the_coroutine_raised() -> None:
    async def main() -> None:
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        actors.run(main)


def test_run_raises_a_cancellation_that_no_signal_asked_for() -> None:
    async def main() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        actors.run(main)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_puts_the_handlers_of_signals_back(signum: int) -> None:
    before = signal.getsignal(signum)

    async def main() -> bool:
        return signal.getsignal(signum) != before

    assert actors.run(main)
    assert signal.getsignal(signum) is before


def test_run_ends_with_status_70_when_the_system_has_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main() -> None:
        raise SystemFailedError(ExitReason(ExitKind.SUPERVISOR_DIED))

    with pytest.raises(SystemExit) as caught:
        actors.run(main)

    assert caught.value.code == 70
    assert "SystemFailedError: the actor system has ended" in capsys.readouterr().err


async def test_run_in_a_running_loop_is_refused() -> None:
    async def main() -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="running event loop"):
        actors.run(main)


async def _never() -> None:
    raise AssertionError


@pytest.mark.parametrize("make", [_never, lambda: 3, lambda: None, lambda: "main"])
def test_run_wants_a_coroutine_function_and_not_its_call(
    make: Callable[[], Any],
) -> None:
    argument = make()

    with pytest.raises(TypeError, match=r"main=.*a coroutine function"):
        actors.run(argument)

    if asyncio.iscoroutine(argument):
        argument.close()


def test_run_refuses_a_plain_function() -> None:
    def main() -> None:
        """Return no coroutine."""

    with pytest.raises(TypeError, match=r"main=<function .*it has returned None"):
        actors.run(main)  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize(
    ("how", "status", "output"),
    [
        ("fine", 0, "1"),
        ("fail", 1, ""),
        ("leave", 3, ""),
        ("lose", 70, ""),
        ("survive", 0, "survived"),
        ("finish", -signal.SIGTERM, ""),
    ],
)
def test_the_program_ends_with_the_status_of_its_coroutine(
    how: str, status: int, output: str
) -> None:
    program = Program(str(SCRIPTS / "run.py"), how)

    code, written, errors = program.wait()

    assert (code, written.strip()) == (status, output)
    assert ("Traceback" in errors) == (status in (1, 70))
    program.wait_until_all_is_gone(5.0)
