"""Starting, restarting and ending actors, in every combination."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import (
    ActorNotFoundError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    Event,
    ExitKind,
    ExitReason,
    NameTakenError,
    SpawnError,
)
from actors.options import RestartType
from tests.support.actors_under_test import Blocker, Counter, Inbox, Proxy
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.lives import Brief, Deaf, Trouble, Troubled, notes

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
        system.options(init_timeout=2).spawn(
            Troubled, str(flag), "on_start", "hang"
        ).result()

    reason = failure.value.reason
    assert reason.kind is ExitKind.INIT_TIMEOUT
    assert "pass_through" in (reason.dump or "")
    assert "on_start" in (reason.dump or "")
    text = str(failure.value)
    assert "was not ready within 2 s (init_timeout)" in text
    assert "in on_start" in text
    assert "actors/runtime" not in text


@pytest.mark.slow  # three seconds of grace
def test_a_start_that_ignores_the_abort_ends_all_the_same(
    system: ActorSystem, flag: Path
) -> None:
    flag.touch()

    with pytest.raises(SpawnError) as failure:
        system.options(init_timeout=0.5).spawn(
            Troubled, str(flag), "__init__", "defy"
        ).result()

    assert failure.value.reason.kind is ExitKind.INIT_TIMEOUT
    assert "was not ready within 0.5 s (init_timeout)" in str(failure.value)


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


def test_an_actor_that_ends_its_start_by_stopping_itself_fails_the_spawn_cleanly(
    system: ActorSystem, next_event: NextEvent
) -> None:
    with pytest.raises(SpawnError, match="stopped") as failure:
        system.options(name="brief").spawn(Brief).result()

    assert failure.value.reason.clean
    assert next_event("child_stopped", "brief").reason == failure.value.reason


# Restart, stop and kill, and what they do to each other.


def test_restart_gives_a_fresh_process_with_the_same_queue(
    system: ActorSystem, gate: Gate
) -> None:
    blocker = system.spawn(Blocker).result().within(SECONDS)
    first = blocker.ask(Blocker.pid).result()
    held = blocker.ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    queued = [blocker.ask(Blocker.pid) for _ in range(5)]

    restarting = blocker.restart()
    with pytest.raises(ActorNotFoundError):  # answered once the restart is under way
        system.lookup("nobody", Counter).result()
    gate.open()
    restarting.result(SECONDS)

    assert held.result() == "released"
    (second,) = {ask.result() for ask in queued}
    assert second != first
    blocker.kill().result()


def test_restarts_on_request_are_not_counted_as_crashes(system: ActorSystem) -> None:
    counter = system.options(intensity=0).spawn(Counter).result()
    pids = {counter.ask(Counter.pid).result()}

    for _ in range(5):
        counter.restart().result(SECONDS)
        pids.add(counter.ask(Counter.pid).result())

    assert len(pids) == 6
    counter.kill().result()


def test_restart_of_an_actor_that_has_ended_fails_with_the_reason(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()
    counter.kill().result()

    with pytest.raises(ActorStoppedError, match="killed on request"):
        counter.restart().result(SECONDS)


def test_restart_while_it_restarts_waits_for_the_same_incarnation(
    system: ActorSystem, next_event: NextEvent
) -> None:
    counter = system.spawn(Counter).result()

    first, second = counter.restart(), counter.restart()
    first.result(SECONDS)
    second.result(SECONDS)
    die(counter.ask(Counter.pid).result())

    while next_event("child_ready", counter.name).incarnation < 3:
        pass
    counter.kill().result()


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_stop_comes_after_the_queue_and_is_final(
    system: ActorSystem, restart: RestartType
) -> None:
    counter = system.options(restart=restart).spawn(Counter).result()
    asked = [counter.ask(Counter.add, 1) for _ in range(50)]

    counter.stop().result()
    late = counter.ask(Counter.add, 1)
    reason = counter.ended().result(SECONDS)

    assert [ask.result() for ask in asked] == list(range(1, 51))
    with pytest.raises(ActorStoppedError):
        late.result(SECONDS)
    assert reason.kind is ExitKind.NORMAL
    assert reason.requested


def test_stop_kill_and_ended_of_an_actor_that_has_ended_answer_at_once(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()
    counter.kill().result()

    counter.stop().result(SECONDS)
    counter.kill().result(SECONDS)

    assert counter.ended().result(SECONDS).cause == "api"


def test_stopping_twice_is_stopping_once(
    system: ActorSystem, next_event: NextEvent
) -> None:
    counter = system.options(restart="permanent").spawn(Counter).result()

    stops = [counter.stop(), counter.stop()]
    for stop in stops:
        stop.result(SECONDS)

    assert counter.ended().result(SECONDS).kind is ExitKind.NORMAL
    assert next_event("child_stopped", counter.name).incarnation == 1


def test_a_stop_that_waits_for_room_is_settled_when_the_actor_ends_before(
    system: ActorSystem, gate: Gate
) -> None:
    blocker = system.options(transport="unix").spawn(Blocker).result()
    blocker.tell(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    for _ in range(30):
        blocker.tell(Blocker.hello)
    stop = blocker.stop()

    blocker.kill().result()

    stop.result(SECONDS)


def test_kill_wins_over_a_stop_that_is_under_way(
    system: ActorSystem, flag: Path
) -> None:
    troubled = system.spawn(Troubled, str(flag), "on_stop", "hang").result()
    flag.touch()
    troubled.stop().result()
    wait_until(Path(f"{flag}.entered").exists, "its on_stop")

    troubled.kill().result(SECONDS)

    reason = troubled.ended().result(SECONDS)
    assert (reason.kind, reason.cause) == (ExitKind.KILLED, "api")


def test_kill_wins_over_a_restart_that_is_under_way(
    system: ActorSystem, flag: Path
) -> None:
    troubled = system.spawn(Troubled, str(flag), "on_start", "hang").result()
    flag.touch()
    restarting = troubled.restart()
    wait_until(lambda: notes(f"{flag}.entered"), "the next incarnation")

    troubled.kill().result(SECONDS)

    with pytest.raises(ActorStoppedError):
        restarting.result(SECONDS)
    assert troubled.ended().result(SECONDS).cause == "api"


def test_stop_wins_over_a_restart_that_is_asked_for_later(
    system: ActorSystem, flag: Path
) -> None:
    troubled = system.spawn(Troubled, str(flag), "on_stop", "hang").result()
    flag.touch()
    troubled.stop().result()
    wait_until(lambda: notes(f"{flag}.entered"), "its on_stop")

    restarting = troubled.restart()
    die(notes(f"{flag}.entered")[0][0])

    with pytest.raises(ActorStoppedError):
        restarting.result(SECONDS)


def test_a_stop_queued_while_the_actor_restarts_is_carried_out_afterwards(
    system: ActorSystem, flag: Path
) -> None:
    troubled = system.spawn(Troubled, str(flag), "on_start", "raise").result()
    flag.touch()
    die(troubled.ask(Troubled.pid).result())
    wait_until(lambda: notes(f"{flag}.entered"), "the next incarnation")

    troubled.stop().result(SECONDS)
    flag.unlink()

    assert troubled.ended().result(SECONDS).kind is ExitKind.NORMAL


def test_stop_of_itself_is_carried_out_after_the_message_in_hand(
    system: ActorSystem, gate: Gate
) -> None:
    troubled = system.spawn(Troubled, "/nonexistent", "nowhere", "raise").result()
    answered = troubled.ask(Troubled.quit)
    unanswered = troubled.ask(Troubled.pid)

    assert answered.result() is None
    with pytest.raises(ActorStoppedError, match="is gone: stopped"):
        unanswered.result(SECONDS)
    assert troubled.ended().result(SECONDS).kind is ExitKind.NORMAL


def test_a_worker_that_gets_sigterm_from_outside_says_so(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()

    os.kill(counter.ask(Counter.pid).result(), signal.SIGTERM)

    reason = counter.ended().result(SECONDS)
    assert reason.kind is ExitKind.SHUTDOWN
    assert not reason.requested
    assert str(reason) == "stopped by SIGTERM that nobody in the tree had sent"


# Actors that do not want to stop; each needs a system to close.


def reason_of_closing(start: Callable[[ActorSystem], ActorRef[Any]]) -> ExitReason:
    """Return how an actor ends when its system is closed."""
    with ActorSystem(drain=0) as own:
        ended = start(own).ended()
    return ended.result()


def test_an_actor_that_ignores_sigterm_is_killed_at_its_time_limit() -> None:
    def start(own: ActorSystem) -> ActorRef[Any]:
        return own.options(shutdown=0.2).spawn(Deaf).result()

    reason = reason_of_closing(start)

    assert (reason.kind, reason.cause) == (ExitKind.KILLED, "shutdown_timeout")
    assert (reason.uptime or 0) >= 0.2


def test_an_actor_that_hangs_in_on_stop_is_killed_at_its_time_limit(flag: Path) -> None:
    def start(own: ActorSystem) -> ActorRef[Any]:
        spawner = own.options(shutdown=0.2)
        troubled = spawner.spawn(Troubled, str(flag), "on_stop", "hang").result()
        flag.touch()
        return troubled

    reason = reason_of_closing(start)

    assert (reason.kind, reason.cause) == (ExitKind.KILLED, "shutdown_timeout")


def test_a_stopped_process_is_continued_and_stops_in_order() -> None:
    def start(own: ActorSystem) -> ActorRef[Any]:
        counter = own.options(shutdown=60).spawn(Counter).result()
        os.kill(counter.ask(Counter.pid).result(), signal.SIGSTOP)
        return counter

    reason = reason_of_closing(start)

    assert reason.kind is ExitKind.SHUTDOWN
    assert reason.requested


def test_a_stopped_process_can_be_killed_and_restarted(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()
    os.kill(counter.ask(Counter.pid).result(), signal.SIGSTOP)

    counter.restart().result(SECONDS)
    second = counter.ask(Counter.pid).result()
    os.kill(second, signal.SIGSTOP)
    counter.kill().result(SECONDS)

    assert not Path(f"/proc/{second}").exists()


def test_a_system_that_closes_while_an_actor_starts_does_not_wait_for_it(
    flag: Path,
) -> None:
    flag.touch()
    with ActorSystem(drain=0) as own:
        spawning = own.options(shutdown=60).spawn(
            Troubled, str(flag), "on_start", "hang"
        )
        wait_until(lambda: notes(f"{flag}.entered"), "its on_start")

    with pytest.raises(SpawnError):
        spawning.result()


# Names.


def test_a_name_stays_bound_while_its_actor_restarts_and_is_free_at_its_end(
    system: ActorSystem, flag: Path
) -> None:
    spawner = system.options(name="bound")
    troubled = spawner.spawn(Troubled, str(flag), "on_start", "hang").result()
    flag.touch()
    die(troubled.ask(Troubled.pid).result())
    wait_until(lambda: notes(f"{flag}.entered"), "the next incarnation")

    found = system.lookup("bound", Troubled).result(SECONDS)
    with pytest.raises(NameTakenError, match="'bound'"):
        spawner.spawn(Counter).result(SECONDS)

    assert found == troubled
    troubled.kill().result(SECONDS)
    with pytest.raises(ActorNotFoundError, match="'bound'"):
        system.lookup("bound", Troubled).result(SECONDS)


def test_lookup_finds_an_actor_by_a_base_of_its_class_and_by_no_other(
    system: ActorSystem,
) -> None:
    inbox = system.options(name="inbox").spawn(Inbox).result()

    assert system.lookup("inbox", Inbox).result() == inbox
    assert system.lookup("inbox", Blocker).result() == inbox
    with pytest.raises(ActorNotFoundError, match=r"is a .*\.Inbox, not a .*\.Counter$"):
        system.lookup("inbox", Counter).result()
    inbox.kill().result()


def test_lookup_of_an_unknown_name_says_which(system: ActorSystem) -> None:
    with pytest.raises(ActorNotFoundError, match="'nobody': no actor of this name"):
        system.lookup("nobody", Counter).result()


def test_an_actor_looks_others_up_while_they_restart(
    system: ActorSystem,
) -> None:
    counter = system.options(name="counted").spawn(Counter, 5).result()
    proxy = system.spawn(Proxy, counter).result().within(SECONDS)

    die(counter.ask(Counter.pid).result())

    assert proxy.ask(Proxy.look_up, "counted").result() == 5
    counter.kill().result()
    with pytest.raises(ActorNotFoundError):
        proxy.ask(Proxy.look_up, "counted").result()
    proxy.kill().result()
