"""A failed ask that nobody awaited is logged once: where it was forgotten, and at the end of the program."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from actors import ActorRef, ActorSystem, Pending
from actors.errors import ActorStoppedError
from tests.support.actors_under_test import Counter, Inbox, Trouble
from tests.support.gates import SECONDS, Gate
from tests.support.lives import Troubled

Logs = list[dict[str, object]]


@pytest.fixture
def logs() -> Iterator[Logs]:
    gc.collect()
    with structlog.testing.capture_logs() as captured:
        yield captured  # type: ignore[misc]  # pyright: ignore[reportReturnType]


@pytest.fixture
def trouble(system: ActorSystem) -> ActorRef[Trouble]:
    return system.spawn(Trouble).result()


def until_failed(pending: Pending[object]) -> None:
    source = pending._source
    assert source is not None
    source.block(pending, SECONDS)
    assert pending.done()


def test_what_nobody_looked_at_is_logged_with_actor_method_and_error(
    trouble: ActorRef[Trouble], logs: Logs
) -> None:
    pending = trouble.ask(Trouble.divide, 0)
    until_failed(pending)
    assert logs == []

    del pending
    gc.collect()

    assert logs == [
        {
            "event": "ask_failed_unseen",
            "log_level": "error",
            "actor": trouble.name,
            "method": "Trouble.divide",
            "error": "ZeroDivisionError: division by zero",
        }
    ]


def test_an_ask_that_was_only_sent_is_logged_when_its_answer_comes(
    trouble: ActorRef[Trouble], logs: Logs
) -> None:
    trouble.ask(Trouble.divide, 0)

    trouble.ask(Trouble.ok).result()
    gc.collect()

    assert [log["method"] for log in logs] == ["Trouble.divide"]


def test_an_ask_to_one_who_has_ended_is_logged(system: ActorSystem, logs: Logs) -> None:
    counter = system.spawn(Counter).result()
    counter.kill().result()

    counter.ask(Counter.add, 1)
    with pytest.raises(ActorStoppedError):
        counter.ask(Counter.add, 2).result()
    gc.collect()

    assert [log["method"] for log in logs] == ["Counter.add"]


def test_what_was_looked_at_is_not_logged(
    trouble: ActorRef[Trouble], logs: Logs
) -> None:
    pending = trouble.ask(Trouble.divide, 0)
    with pytest.raises(ZeroDivisionError):
        pending.result()

    del pending
    gc.collect()

    assert logs == []


async def test_what_was_awaited_is_not_logged(
    trouble: ActorRef[Trouble], logs: Logs
) -> None:
    pendings = [trouble.ask(Trouble.divide, 0) for _ in range(10)]
    await asyncio.gather(*pendings, return_exceptions=True)

    pendings.clear()
    gc.collect()

    assert logs == []


async def test_what_was_withdrawn_is_not_logged(
    system: ActorSystem, gate: Gate, logs: Logs
) -> None:
    inbox = await system.spawn(Inbox)
    inbox.tell(Inbox.wait_for, gate.path)
    await asyncio.to_thread(gate.wait_until_entered)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.ask(Inbox.keep, 1), 0.01)
    await asyncio.to_thread(gate.open)
    await inbox.ask(Inbox.kept)
    gc.collect()

    assert logs == []


def test_an_actor_logs_what_its_handlers_did_not_look_at(
    system: ActorSystem, trouble: ActorRef[Trouble], tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from actors import Actor, ActorRef, ActorSystem\n"
        "class Bad(Actor):\n"
        "    def fail(self) -> None: raise ValueError('no')\n"
        "class Careless(Actor):\n"
        "    def ask(self, bad) -> None:\n"
        "        self.kept = bad.ask(Bad.fail)\n"
        "        self.kept._source.block(self.kept, 20)\n"
        "if __name__ == '__main__':\n"
        "    with ActorSystem() as system:\n"
        "        bad = system.options(name='bad').spawn(Bad).result()\n"
        "        system.spawn(Careless).result().ask(Careless.ask, bad).result()\n"
        "        kept = bad.ask(Bad.fail)\n"
    )

    done = subprocess.run(
        [sys.executable, program],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    # One of the actor, at its end; one of the program, at its own.
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "ask_failed_unseen" in line]
    assert len(lines) == 2
    assert all("Bad.fail" in line and "ValueError: no" in line for line in lines)


FORMAT = re.compile(
    r"\d\d:\d\d:\d\d \[(warning|error|info) {2,5}\] \w+ +[a-z_]+='?[^ ]"
)


def test_the_program_logs_in_the_form_in_which_its_supervisors_do(
    tmp_path: Path,
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from actors import Actor, ActorSystem\n"
        "class Bad(Actor):\n"
        "    def fail(self) -> None: raise ValueError('no')\n"
        "with ActorSystem() as system:\n"
        "    bad = system.options(name='bad').spawn(Bad).result()\n"
        "    bad.tell(Bad.fail)\n"
        "    bad.ask(Bad.fail)\n"
        "    try: bad.ask(Bad.fail).result()\n"
        "    except ValueError: pass\n"
    )

    done = subprocess.run(
        [sys.executable, program],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    lines = [line for line in done.stderr.splitlines() if line[:1].isdigit()]
    events = {line[20:].split()[0]: line for line in lines}
    assert set(events) == {"actor_died", "actor_restarted", "ask_failed_unseen"}
    assert [line for line in lines if not FORMAT.match(line)] == []
    assert events["ask_failed_unseen"].endswith(
        "] ask_failed_unseen              actor=bad method=Bad.fail error='ValueError: no'"
    )
    assert events["actor_died"].index("actor=") == events["ask_failed_unseen"].index(
        "actor="
    )


def test_a_spawn_that_failed_unseen_is_logged_in_one_line(
    system: ActorSystem, logs: Logs, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    spawning = system.spawn(Troubled, str(flag), "__init__", "raise")
    until_failed(spawning)

    del spawning
    gc.collect()

    (log,) = logs
    assert log["event"] == "spawn_failed_unseen"
    assert str(log["error"]).startswith("SpawnError: Troubled-")
    assert "\n" not in str(log["error"])
