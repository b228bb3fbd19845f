"""Events of a system, and what its log says: in order, complete, and in nobody's way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    AskTimeoutError,
    Event,
    Events,
    ExitKind,
    SystemClosedError,
    SystemFailedError,
)
from tests.support.actors_under_test import Counter, Inbox, Trouble
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.lives import Troubled
from tests.support.programs import outcome_of
from tests.support.roots import kill_root
from transports.mailbox import Outlet, Put

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@pytest.fixture
def events(system: ActorSystem) -> Iterator[Events]:
    listening = system.events()
    yield listening
    listening.close()


def about(events: Events, name: str, last: str) -> list[Event]:
    """Return the events of an actor up to the first of kind *last*."""
    seen: list[Event] = []
    while not seen or seen[-1].kind != last:
        event = events.next().result(SECONDS)
        if event.actor == name:
            seen.append(event)
    return seen


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def test_a_life_with_a_crash_and_a_stop_is_told_in_order(
    system: ActorSystem, events: Events
) -> None:
    trouble = system.options(name="told").spawn(Trouble).result()

    trouble.tell(Trouble.divide, 0)
    pid = trouble.ask(Trouble.pid).result()
    trouble.stop().result()
    told = about(events, "told", "child_stopped")

    assert kinds(told) == [
        "child_starting",
        "child_ready",
        "dead_letter",
        "child_exit",
        "child_restarting",
        "child_starting",
        "child_ready",
        "child_exit",
        "child_stopped",
    ]
    assert [event.incarnation for event in told] == [1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert {event.pid for event in told[5:]} == {pid}
    assert len({event.pid for event in told[:5]} | {pid, os.getpid()}) == 3
    assert sorted(event.facts["monotonic"] for event in told) == [
        event.facts["monotonic"] for event in told
    ]


class Listener(Actor):
    """Listens to the events of its system."""

    def on_start(self) -> None:
        self.seen: list[str | None] = []
        self.start_task(self._listen())

    async def _listen(self) -> None:
        async for event in self.system.events():
            self.seen.append(event.actor)

    def pid(self) -> int:
        return os.getpid()

    def has_seen(self, name: str) -> bool:
        return name in self.seen

    def die_deaf(self, gate: str) -> None:
        with open(gate, "rb"):  # noqa: PTH123 - a FIFO: until the test opens it
            os.kill(os.getpid(), signal.SIGKILL)


def test_an_actor_that_died_with_events_unread_is_told_the_next_ones(
    system: ActorSystem, gate: Gate
) -> None:
    """What the dead had not acknowledged kept its successor's window shut for ever."""
    listener = system.spawn(Listener).result()
    listener.tell(Listener.die_deaf, gate.path)
    for _ in range(6):  # more than may be on the way
        system.spawn(Counter).result().kill().result()
    gate.open()

    listener.ask(Listener.pid).result()
    system.options(name="later").spawn(Counter).result().kill().result()

    wait_until(
        lambda: listener.ask(Listener.has_seen, "later").result(), "the next events"
    )
    listener.kill().result()


def test_an_exit_event_carries_the_reason_and_a_restarting_event_the_attempt(
    system: ActorSystem, events: Events
) -> None:
    trouble = system.spawn(Trouble).result()

    trouble.tell(Trouble.divide, 0)
    trouble.ask(Trouble.pid).result()
    trouble.kill().result()
    told = about(events, trouble.name, "child_stopped")

    exits = [event for event in told if event.kind == "child_exit"]
    assert exits[0].reason is not None
    assert exits[0].reason.exc_type == "ZeroDivisionError"
    assert "in divide" in (exits[0].reason.traceback or "")
    assert exits[0].facts["text"] == (
        "raised ZeroDivisionError: division by zero while running Trouble.divide"
    )
    assert exits[1].reason is not None
    assert exits[1].reason.kind is ExitKind.KILLED
    assert told[-1].reason == exits[1].reason
    (restarting,) = (event for event in told if event.kind == "child_restarting")
    assert restarting.facts["attempt"] == 2


def test_a_start_that_fails_is_told_as_well(
    system: ActorSystem, events: Events, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    system.options(name="unborn").spawn(Troubled, str(flag), "__init__", "raise")

    told = about(events, "unborn", "child_stopped")

    assert kinds(told) == ["child_starting", "child_exit", "child_stopped"]
    assert told[-1].reason is not None
    assert told[-1].reason.kind is ExitKind.FAILED_TO_START


# Dead letters.


def letter_of(events: Events, name: str) -> Event:
    return about(events, name, "dead_letter")[-1]


def test_a_message_without_a_handler_is_a_dead_letter_and_harms_nobody(
    system: ActorSystem, events: Events
) -> None:
    trouble = system.spawn(Trouble).result()
    pid = trouble.ask(Trouble.pid).result()

    trouble.tell(Trouble.divide, by=1, beside=2)  # type: ignore[call-arg]
    letter = letter_of(events, trouble.name)

    assert letter.facts["cause"] == "unhandled"
    assert letter.facts["method"] == "Trouble.divide"
    assert "beside" in letter.facts["text"]
    assert trouble.ask(Trouble.pid).result() == pid


def test_a_tell_that_finds_no_room_in_time_is_a_dead_letter(
    system: ActorSystem, events: Events, gate: Gate
) -> None:
    inbox = system.options(transport="unix").spawn(Inbox).result()
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    sent = 1
    alone = 1 << 65_536  # too large to go at once with others
    while (tell := inbox.within(0.05).tell(Inbox.keep, alone)).done():
        sent += 1
    with pytest.raises(AskTimeoutError):
        tell.result()

    gate.open()
    letter = letter_of(events, inbox.name)

    assert letter.facts["cause"] == "expired"
    assert letter.facts["method"] == "Inbox.keep"
    assert "no room" in letter.facts["text"]
    assert len(inbox.ask(Inbox.kept).result()) == sent - 1


def test_what_a_process_says_just_before_it_ends_is_not_lost(
    system: ActorSystem, events: Events
) -> None:
    """The death was processed first, and a letter of an actor that no longer existed was dropped."""
    for _ in range(30):
        trouble = system.options(restart="temporary").spawn(Trouble).result()

        trouble.tell(Trouble.divide, 1, 2)  # type: ignore[call-arg]
        trouble.tell(Trouble.leave)

        assert kinds(about(events, trouble.name, "child_stopped")) == [
            "child_starting",
            "child_ready",
            "dead_letter",
            "child_exit",
            "child_stopped",
        ]


def test_an_exception_that_the_actor_survives_is_told(
    system: ActorSystem, events: Events
) -> None:
    trouble = system.spawn(Trouble).result()

    trouble.tell(Trouble.fail_softly)
    failed = about(events, trouble.name, "handler_failed")[-1]

    assert failed.facts["method"] == "Trouble.fail_softly"
    assert (failed.facts["type"], failed.facts["text"]) == ("ValueError", "soft")
    assert trouble.ask(Trouble.ok).result() == "ok"


# Listening.


async def test_events_come_in_an_async_for(system: ActorSystem) -> None:
    events = system.events()
    counter = await system.spawn(Counter)
    await counter.stop()

    seen = []
    async for event in events:
        if event.actor == counter.name:
            seen.append(event.kind)
        if event.kind == "child_stopped" and event.actor == counter.name:
            break
    events.close()

    assert seen == ["child_starting", "child_ready", "child_exit", "child_stopped"]


async def test_a_wait_for_the_next_event_that_ends_without_one_loses_none(
    system: ActorSystem,
) -> None:
    events = system.events()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 0.001)
    counter = await system.spawn(Counter)

    seen = [await asyncio.wait_for(anext(events), SECONDS) for _ in range(2)]
    await counter.kill()
    events.close()

    assert kinds(seen) == ["child_starting", "child_ready"]


def test_events_come_in_a_for(system: ActorSystem, events: Events) -> None:
    counter = system.spawn(Counter).result()
    counter.stop().result()

    for event in events:
        if (event.kind, event.actor) == ("child_stopped", counter.name):
            break
    else:
        pytest.fail("the events came to an end")


def test_two_listeners_get_the_same(system: ActorSystem, events: Events) -> None:
    other = system.events()
    counter = system.spawn(Counter).result()
    counter.kill().result()

    first = about(events, counter.name, "child_stopped")
    second = about(other, counter.name, "child_stopped")
    other.close()

    assert first == second


def test_a_listener_that_is_closed_gets_nothing_more(system: ActorSystem) -> None:
    events = system.events()
    events.close()
    system.spawn(Counter).result().kill().result()

    assert list(events) == []
    with pytest.raises(SystemClosedError, match="these events were closed"):
        events.next().result(SECONDS)


def test_waiting_for_an_event_ends_when_its_listener_is_closed(
    system: ActorSystem,
) -> None:
    events = system.events()
    waiting = events.next()

    events.close()

    with pytest.raises(SystemClosedError, match="these events were closed"):
        waiting.result(SECONDS)


def test_what_came_before_the_end_can_be_taken_in_a_for_which_then_ends() -> None:
    with ActorSystem() as own:
        events = own.events()
        own.spawn(Counter).result()

    seen = [event.kind for event in events]

    assert seen == ["child_starting", "child_ready", "child_exit", "child_stopped"]


async def test_an_async_for_over_events_ends_with_the_system() -> None:
    async with ActorSystem() as own:
        events = own.events()
        listening = asyncio.ensure_future(kinds_of(events))
        await own.spawn(Counter)

    seen = await listening

    assert seen == ["child_starting", "child_ready", "child_exit", "child_stopped"]


async def kinds_of(events: Events) -> list[str]:
    return [event.kind async for event in events]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_iteration_over_events_raises_when_the_system_has_failed(
    *, is_async: bool
) -> None:
    own = ActorSystem().start()
    events = own.events()
    kill_root(own)

    with pytest.raises(SystemFailedError):
        asyncio.run(kinds_of(events)) if is_async else list(events)

    with pytest.raises(SystemFailedError):
        own.close()


def test_a_listener_that_never_takes_blocks_nobody_and_is_told_what_it_missed() -> None:
    with ActorSystem() as own:
        events = own.events()
        trouble = own.spawn(Trouble).result()

        for _ in range(10_050):
            trouble.tell(Trouble.fail_softly)
        assert trouble.within(SECONDS).ask(Trouble.ok).result() == "ok"
        trouble.stop()
        trouble.ended().result(SECONDS)  # and all of it has been published
        counts = count_to(10_050, events)

    ends = sum(counts.values()) - 10_050
    assert 0 <= ends <= 2  # of Trouble
    assert counts["events_dropped"] > 0


def count_to(enough: int, events: Events) -> dict[str, int]:
    """Return how many failures of handlers came, and how many events did not, when they are *enough*."""
    counts = {"handler_failed": 0, "events_dropped": 0}
    while sum(counts.values()) < enough:
        event = events.next().result(SECONDS)
        if event.kind in counts:
            counts[event.kind] += event.facts.get("count", 1)
    return counts


def test_waiting_for_an_event_ends_with_the_system() -> None:
    with ActorSystem() as own:
        events = own.events()
        waiting = events.next()

    with pytest.raises(SystemClosedError):
        waiting.result(SECONDS)
    with pytest.raises(SystemClosedError):
        events.next().result(SECONDS)


# The log.

CRASHING = """
from actors import ActorSystem
from tests.support.actors_under_test import Counter, Trouble

with ActorSystem() as system:
    trouble = system.options(name="troubled").spawn(Trouble).result()
    for call in {calls}:
        getattr(trouble, call[0])(getattr(Trouble, call[1]), *call[2:])
    try:
        print(trouble.ask(Trouble.ok).result())
    except Exception as error:
        print(type(error).__name__)
"""


def log_of(*calls: tuple[object, ...]) -> list[str]:
    """Return the log lines of a program that sends these messages to an actor."""
    script = CRASHING.format(calls=list(calls))
    done = outcome_of("-c", script)
    assert done.stdout == "ok\n"
    return done.stderr.splitlines()


def test_the_log_tells_a_crash_in_a_line_with_the_traceback_below() -> None:
    lines = log_of(("tell", "divide", 0))

    died, restarted = (line for line in lines if re.match(r"\d\d:\d\d:\d\d \[", line))
    assert re.match(
        r"\d\d:\d\d:\d\d \[warning  \] actor_died +actor=troubled incarnation=1 "
        r"reason='raised ZeroDivisionError: division by zero while running Trouble\.divide' "
        r"uptime='\d+\.\d+ s' cpu='\d+\.\d+ s' max_rss='\d+ MiB' next=restarting dead_letters=1$",
        died,
    )
    assert re.match(
        r"\d\d:\d\d:\d\d \[info     \] actor_restarted +actor=troubled incarnation=2 "
        r"ready_in='\d+\.\d ms'$",
        restarted,
    )
    text = "\n".join(lines)
    assert text.count("Traceback (most recent call last)") == 1
    assert text.count(", in divide") == 1
    assert "ZeroDivisionError: division by zero" in lines
    assert lines[0] == died
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == restarted


def test_the_log_tells_a_signal_in_a_line_with_the_stacks_below() -> None:
    died, *dump, restarted = log_of(("tell", "segfault"))

    assert "reason='killed by SIGSEGV while running Trouble.segfault'" in died
    assert died.endswith("next=restarting dead_letters=1")
    assert any("in segfault" in line for line in dump)
    assert "actor_restarted" in restarted


def test_the_log_tells_everything_that_was_in_hand() -> None:
    script = """
import os, signal, sys
from actors import ActorCrashedError, ActorSystem
from tests.support.actors_under_test import Gate

with ActorSystem() as system:
    gate = system.spawn(Gate).result()
    pid = gate.ask(Gate.pid).result()
    staying = gate.ask(Gate.enter)
    for name in ("one", "two"):
        path = sys.argv[1] + name
        gate.tell(Gate.stay, path)
        while not os.path.exists(path):
            os.sched_yield()
    os.kill(pid, signal.SIGKILL)
    try:
        staying.result()
    except ActorCrashedError:
        print("ok")
"""
    with tempfile.TemporaryDirectory() as folder:
        done = outcome_of("-c", script, f"{folder}/")

    assert done.stdout == "ok\n"
    (died,) = (line for line in done.stderr.splitlines() if "actor_died" in line)
    assert "in_hand='Gate.stay (2), Gate.enter' dead_letters=2" in died


def test_an_expected_stop_is_silent() -> None:
    assert log_of() == []


class SlowOutlet:
    """An outlet whose sender is held up between its put and the look whether the receiver has ended."""

    def __init__(self, outlet: Outlet, meanwhile: Callable[[], None]) -> None:
        self._outlet = outlet
        self._meanwhile = meanwhile

    def put(self, *parts: ReadableBuffer) -> Put:
        result = self._outlet.put(*parts)
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        return result

    def fileno(self) -> int | None:
        return self._outlet.fileno()

    def close(self) -> None:
        self._outlet.close()


def test_a_tell_that_is_accepted_while_its_actor_ends_is_one_dead_letter(
    system: ActorSystem, events: Events, gate: Gate
) -> None:
    """The cleaner found it, and its sender, who saw the mailbox closed, told of it again."""
    inbox = system.spawn(Inbox).result()
    holding = inbox.ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    route = system._opened().outgoing.route(inbox._number)
    assert route._outlet is not None
    route._connect(SlowOutlet(route._outlet, lambda: inbox.kill().result()))

    told = inbox.tell(Inbox.keep, 1)

    with pytest.raises(ActorStoppedError):
        told.result()
    with pytest.raises(ActorError):
        holding.result()
    methods = dead_letters_until_kept(inbox, events)
    assert methods == ["Inbox.wait_for", "Inbox.keep", "Inbox.kept"]


def test_a_tell_that_its_actor_dies_of_before_the_sender_looks_is_one_dead_letter(
    system: ActorSystem, events: Events, gate: Gate
) -> None:
    inbox = system.spawn(Inbox).result()
    route = system._opened().outgoing.route(inbox._number)
    assert route._outlet is not None

    def kill() -> None:
        gate.wait_until_entered()
        inbox.kill().result()

    route._connect(SlowOutlet(route._outlet, kill))

    told = inbox.tell(Inbox.wait_for, gate.path)

    with pytest.raises(ActorStoppedError):
        told.result()
    assert dead_letters_until_kept(inbox, events) == ["Inbox.wait_for", "Inbox.kept"]


def dead_letters_until_kept(inbox: ActorRef[Inbox], events: Events) -> list[str]:
    """Return the methods of the dead letters of *inbox*, which has ended, up to one that is told now."""
    again = inbox.tell(Inbox.kept)
    with pytest.raises(ActorStoppedError):
        again.result()
    methods: list[str] = []
    while "Inbox.kept" not in methods:
        event = events.next().result(SECONDS)
        if (event.kind, event.facts.get("number")) == ("dead_letter", inbox._number):
            methods.append(event.facts["method"])
    return methods


def test_the_log_tells_a_message_to_an_actor_that_has_ended() -> None:
    script = """
from actors import ActorSystem
from tests.support.actors_under_test import Counter

with ActorSystem() as system:
    counter = system.options(name="gone").spawn(Counter).result()
    counter.kill().result()
    counter.tell(Counter.add, 1)
"""
    done = outcome_of("-c", script)

    (line,) = done.stderr.splitlines()
    assert re.match(
        r"\d\d:\d\d:\d\d \[warning  \] dead_letter +actor=gone method=Counter\.add "
        r"cause=stopped text='the actor has ended'$",
        line,
    )


LEAVING = """
import os, sys
from actors import ActorSystem
from tests.support.controlled import Attentive
from tests.support.lives import Parent

with ActorSystem(drain=0) as system:
    {}
"""


def log_of_leaving(tmp_path: Path, *steps: str) -> list[str]:
    """Return the log lines of a program that takes these *steps* in the block of a system."""
    script = LEAVING.format("\n    ".join(steps))
    done = outcome_of("-c", script, str(tmp_path / "mark"))
    return done.stderr.splitlines()


def test_the_log_tells_which_process_an_actor_has_left_behind(tmp_path: Path) -> None:
    (line,) = log_of_leaving(
        tmp_path,
        "parent = system.options(name='parent').spawn(Parent, sys.argv[1]).result()",
        "print(parent.ask(Parent.start, 'session').result())",
        "parent.kill().result()",
    )

    assert re.match(
        r"\d\d:\d\d:\d\d \[info     \] stray +actor=parent incarnation=1 pid=\d+ name=[\w.]+$",
        line,
    )


def test_the_log_tells_what_an_end_that_had_to_be_forced_has_cost(
    tmp_path: Path,
) -> None:
    (line,) = log_of_leaving(
        tmp_path,
        "hung = system.options(name='hung', shutdown=0.05).spawn(Attentive).result()",
        "hung.tell(Attentive.spin, sys.argv[1])",
        "while not os.path.exists(sys.argv[1]): os.sched_yield()",
    )

    assert re.match(
        r"\d\d:\d\d:\d\d \[warning  \] shutdown_error +actor=hung incarnation=1 "
        r"reason='killed because it did not stop in time while running Attentive.spin' "
        r"dead_letters=1$",
        line,
    )
