"""Starting, restarting and ending actors, in every combination."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import (
    ActorSystem,
    Event,
    ExitKind,
    SpawnError,
)
from actors.options import RestartType
from tests.support.gates import SECONDS, wait_until
from tests.support.lives import Trouble, Troubled

NextEvent = Callable[[str, str], Event]


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """A file that makes ``Troubled`` get into trouble while it exists."""
    return tmp_path / "flag"


def die(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


# The first start.


@pytest.mark.parametrize("place", ["__init__", "on_start"])
def test_an_exception_at_the_first_start_reaches_the_spawner_with_its_traceback(
    system: ActorSystem, flag: Path, place: str
) -> None:
    flag.touch()

    with pytest.raises(SpawnError) as failure:
        system.spawn(Troubled, str(flag), place, "raise").result()

    reason = failure.value.reason
    assert reason.kind is ExitKind.FAILED_TO_START
    assert reason.inner is not None
    assert reason.inner.exc_type == "ValueError"
    assert f"trouble in {place}" in str(failure.value)
    assert "pass_through" in (reason.inner.traceback or "")
    assert "pass_through" in str(failure.value)


@pytest.mark.parametrize(
    ("trouble", "text"), [("exit", r"SystemExit\(3\)"), ("die", "code 4")]
)
def test_a_process_that_ends_before_it_is_ready_fails_the_spawn(
    system: ActorSystem, flag: Path, trouble: Trouble, text: str
) -> None:
    flag.touch()

    with pytest.raises(SpawnError, match=text):
        system.spawn(Troubled, str(flag), "__init__", trouble).result()


def test_a_process_that_is_killed_before_it_is_ready_fails_the_spawn(
    system: ActorSystem, flag: Path
) -> None:
    flag.touch()
    spawning = system.spawn(Troubled, str(flag), "__init__", "hang")
    entered = Path(f"{flag}.entered")
    wait_until(lambda: entered.exists() and entered.read_text(), "its __init__")

    die(int(entered.read_text().split()[0]))

    with pytest.raises(SpawnError, match="killed by SIGKILL"):
        spawning.result()


def test_a_start_that_hangs_ends_at_its_time_limit_with_a_stack_dump(
    system: ActorSystem, flag: Path
) -> None:
    flag.touch()

    with pytest.raises(SpawnError) as failure:
        system.options(init_timeout=0.3).spawn(
            Troubled, str(flag), "on_start", "hang"
        ).result()

    reason = failure.value.reason
    assert reason.kind is ExitKind.INIT_TIMEOUT
    assert "pass_through" in (reason.dump or "")
    assert "on_start" in (reason.dump or "")


def test_a_name_is_free_again_after_a_start_that_failed(
    system: ActorSystem, flag: Path
) -> None:
    flag.touch()
    spawner = system.options(name="failing")
    with pytest.raises(SpawnError):
        spawner.spawn(Troubled, str(flag), "__init__", "raise").result()
    flag.unlink()

    ref = spawner.spawn(Troubled, str(flag), "__init__", "raise").result()

    assert ref.name == "failing"
    ref.kill().result()


# Ends.


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("way", ["quit", "crash", "SIGTERM", "SIGKILL"])
def test_the_restart_type_decides_what_follows_an_end(
    system: ActorSystem,
    flag: Path,
    next_event: NextEvent,
    restart: RestartType,
    way: str,
) -> None:
    ref = (
        system.options(restart=restart)
        .spawn(Troubled, str(flag), "nowhere", "raise")
        .result()
    )
    first = ref.ask(Troubled.pid).result()

    if way == "quit":
        ref.tell(Troubled.quit)
    elif way == "crash":
        ref.tell(Troubled.crash)
    else:
        os.kill(first, getattr(signal, way))

    is_clean = way in {"quit", "SIGTERM"}
    if restart == "permanent" or (restart == "transient" and not is_clean):
        assert next_event("child_restarting", ref.name).facts["attempt"] == 2
        assert ref.ask(Troubled.pid).result() != first
        ref.kill().result()
    else:
        reason = ref.ended().result(SECONDS)
        assert reason.clean is is_clean


@pytest.mark.parametrize("restart", ["permanent", "transient"])
@pytest.mark.parametrize("trouble", ["raise", "die"])
def test_a_stop_is_final_even_if_the_actor_crashes_on_its_way_out(
    system: ActorSystem, flag: Path, restart: RestartType, trouble: Trouble
) -> None:
    """The message that asked for the stop was gone before the hook ran, so the actor came back to life."""
    ref = (
        system.options(restart=restart)
        .spawn(Troubled, str(flag), "on_stop", trouble)
        .result()
    )
    flag.touch()

    ref.stop().result()
    reason = ref.ended().result(SECONDS)

    assert not reason.clean
    assert reason.incarnation == 1
