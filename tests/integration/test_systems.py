"""Systems as values of a program: opening, closing, several at once, copies in forked processes, and refused options."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors import (
    Actor,
    ActorError,
    ActorNotFoundError,
    ActorRef,
    ActorSystem,
    ExitKind,
    NameTakenError,
    OptionError,
    Pending,
    SystemClosedError,
    SystemFailedError,
)
from tests.support.actors_under_test import Blocker, Counter, Proxy, Trouble
from tests.support.gates import SECONDS, Gate
from tests.support.roots import kill_root

USES: dict[str, Callable[[ActorSystem, ActorRef[Counter]], object]] = {
    "ask": lambda _, counter: counter.ask(Counter.add, 1).result(SECONDS),
    "tell": lambda _, counter: counter.tell(Counter.add, 1).result(SECONDS),
    "ended": lambda _, counter: counter.ended().result(SECONDS),
    "stop": lambda _, counter: counter.stop().result(SECONDS),
    "kill": lambda _, counter: counter.kill().result(SECONDS),
    "restart": lambda _, counter: counter.restart().result(SECONDS),
    "spawn": lambda system, _: system.spawn(Counter).result(SECONDS),
    "lookup": lambda system, _: system.lookup("name", Counter).result(SECONDS),
    "events": lambda system, _: system.events().next().result(SECONDS),
}


# Opening and closing.


@pytest.fixture(scope="module")
def closed() -> tuple[ActorSystem, ActorRef[Counter]]:
    """A system that was closed, and a ref of it."""
    with ActorSystem() as system:
        counter = system.spawn(Counter).result()
        counter.ask(Counter.add, 1).result()
    return system, counter


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_closed_system_says_so(
    closed: tuple[ActorSystem, ActorRef[Counter]],
    use: Callable[[ActorSystem, ActorRef[Counter]], object],
) -> None:
    with pytest.raises(SystemClosedError, match="closed"):
        use(*closed)


def test_what_was_waited_for_when_the_system_was_closed_fails() -> None:
    with ActorSystem(drain=0) as system:
        counter = system.spawn(Counter).result()
        ended, event = counter.ended(), system.events().next()

    assert ended.result().kind == "shutdown"
    with contextlib.suppress(SystemClosedError):
        assert event.result().actor == counter.name
    with pytest.raises(SystemClosedError):
        system.events()


@pytest.fixture(scope="module")
def lost() -> Iterator[tuple[ActorSystem, ActorRef[Counter]]]:
    """A system whose root supervisor has died, and a ref of it."""
    system = ActorSystem().start()
    counter = system.spawn(Counter).result()
    kill_root(system)
    with pytest.raises(SystemFailedError):
        counter.ended().result()
    yield system, counter
    with pytest.raises(SystemFailedError):
        system.close()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_system_that_has_lost_its_root_says_so(
    lost: tuple[ActorSystem, ActorRef[Counter]],
    use: Callable[[ActorSystem, ActorRef[Counter]], object],
) -> None:
    with pytest.raises(SystemFailedError, match="root supervisor died") as caught:
        use(*lost)

    assert caught.value.reason.kind is ExitKind.SUPERVISOR_DIED


def frames_of(caught: pytest.ExceptionInfo[BaseException]) -> list[str]:
    return [entry.name for entry in caught.traceback]


def wait_here(pending: Pending[object]) -> None:
    pending.result(SECONDS)


def test_a_root_that_dies_during_an_ask_is_told_where_the_program_waited() -> None:
    """Closing raised the same exception again, and the traceback showed the end of the block instead."""

    def lose_root() -> None:
        with ActorSystem() as system:
            ended = system.spawn(Counter).result().ended()
            kill_root(system)
            wait_here(ended)

    with pytest.raises(SystemFailedError) as caught:
        lose_root()

    assert "wait_here" in frames_of(caught)
    assert caught.value.__context__ is None


async def test_a_root_that_dies_during_an_await_is_told_where_the_program_waited() -> (
    None
):
    async def wait_there(pending: Pending[object]) -> None:
        await pending

    async def lose_root() -> None:
        async with ActorSystem() as system:
            ended = (await system.spawn(Counter)).ended()
            kill_root(system)
            await wait_there(ended)

    with pytest.raises(SystemFailedError) as caught:
        await lose_root()

    assert "wait_there" in frames_of(caught)


def test_each_who_waited_for_a_system_that_ended_gets_an_error_of_its_own() -> None:
    system = ActorSystem().start()
    counter = system.spawn(Counter).result()
    waiting = [counter.ended() for _ in range(2)]
    kill_root(system)

    errors = []
    for pending in waiting:
        with pytest.raises(SystemFailedError) as caught:
            wait_here(pending)
        errors.append(caught.value)
    with pytest.raises(SystemFailedError):
        system.close()

    assert errors[0] is not errors[1]
    assert errors[0].reason == errors[1].reason


def test_a_block_left_by_another_error_says_that_the_system_has_failed_as_well() -> (
    None
):
    def fail() -> None:
        with ActorSystem() as system:
            kill_root(system)
            raise ValueError("mine")

    with pytest.raises(SystemFailedError) as caught:
        fail()

    assert isinstance(caught.value.__context__, ValueError)


@pytest.mark.parametrize("name", ["ended", "spawn", "lookup", "events"])
def test_the_first_use_after_the_root_died_does_not_hang(name: str) -> None:
    system = ActorSystem().start()
    counter = system.spawn(Counter).result()
    kill_root(system)

    with pytest.raises(SystemFailedError):
        USES[name](system, counter)

    with pytest.raises(SystemFailedError):
        system.close()


@pytest.mark.parametrize("name", ["spawn", "lookup", "events"])
def test_a_system_that_was_not_started_says_how_to(name: str) -> None:
    system = ActorSystem()

    with pytest.raises(SystemClosedError, match="not running: use 'async with"):
        USES[name](system, None)  # type: ignore[arg-type]  # needs no ref before its error


def test_a_system_is_started_once() -> None:
    with (
        ActorSystem() as system,
        pytest.raises(SystemClosedError, match="started before"),
    ):
        system.start()

    with pytest.raises(SystemClosedError, match="started before"):
        system.start()


async def test_a_system_is_started_once_in_a_coroutine() -> None:
    async with ActorSystem() as system:
        with pytest.raises(SystemClosedError, match="started before"):
            await system.__aenter__()
        assert await (await system.spawn(Counter)).ask(Counter.add, 1) == 1


def test_closing_again_does_nothing() -> None:
    system = ActorSystem().start()

    system.close()
    system.close()

    assert repr(system) == "<ActorSystem system closed>"


def test_closing_what_was_never_started_does_nothing() -> None:
    ActorSystem().close()


def test_a_system_opened_in_a_script_may_be_used_and_closed_in_a_coroutine() -> None:
    system = ActorSystem().start()

    async def main() -> int:
        total = await (await system.spawn(Counter)).ask(Counter.add, 1)
        await system.__aexit__(None, None, None)
        return total

    assert asyncio.run(main()) == 1


def test_a_name_is_free_again_once_its_actor_has_ended(system: ActorSystem) -> None:
    named = system.options(name="only")
    first = named.spawn(Counter).result()

    with pytest.raises(NameTakenError, match="name='only'"):
        named.spawn(Counter).result()
    first.kill().result()

    assert named.spawn(Counter).result() != first


def test_lookup_checks_the_class(system: ActorSystem) -> None:
    counter = system.options(name="typed").spawn(Counter, 5).result()

    found = system.lookup("typed", Counter).result()

    assert found == counter
    assert found.ask(Counter.add, 0).result() == 5
    with pytest.raises(
        ActorNotFoundError,
        match=r"is a tests\.support\.actors_under_test\.Counter, not a tests\.support\.actors_under_test\.Trouble$",
    ):
        system.lookup("typed", Trouble).result()
    with pytest.raises(ActorNotFoundError, match="no actor of this name"):
        system.lookup("nobody", Counter).result()


# Several.


def test_two_systems_in_one_process_share_nothing(system: ActorSystem) -> None:
    with ActorSystem("system") as other:
        ours = system.options(name="same").spawn(Counter, 10).result()
        theirs = other.options(name="same").spawn(Counter, 20).result()

        assert ours != theirs
        assert system.lookup("same", Counter).result() == ours
        assert theirs.ask(Counter.add, 1).result() == 21

    with pytest.raises(SystemClosedError):
        theirs.ask(Counter.add, 1)
    assert ours.ask(Counter.add, 1).result() == 11


async def test_one_coroutine_uses_two_systems(system: ActorSystem) -> None:
    async with ActorSystem("other") as other:
        refs = await asyncio.gather(system.spawn(Counter), other.spawn(Counter))
        totals = await asyncio.gather(*(ref.ask(Counter.add, 1) for ref in refs))

    assert totals == [1, 1]


def test_a_ref_means_nothing_to_an_actor_of_another_system(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()
    with ActorSystem("other") as other:
        proxy = other.spawn(Proxy, counter).result()

        with pytest.raises(ActorError, match=r"not part of the actor's system"):
            proxy.ask(Proxy.add, 1).result()


def test_a_system_cannot_be_sent(system: ActorSystem) -> None:
    with pytest.raises(TypeError, match=r"an actor has its own: self\.system"):
        pickle.dumps(system)


# Forks.


def run_in_fork(report: Callable[[], str]) -> str:
    """Return what *report* returns in a child forked from this process."""
    receiver, sender = os.pipe()
    pid = os.fork()  # noqa: TID251 - what a program may do is what is tested
    if not pid:
        try:
            os.write(sender, report().encode())
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_handle_used_after_a_fork_says_to_open_the_system_there(
    system: ActorSystem, use: Callable[[ActorSystem, ActorRef[Counter]], object]
) -> None:
    counter = system.spawn(Counter).result()

    def report() -> str:
        try:
            return repr(use(system, counter))
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test is to see it
            return f"{type(exc).__name__}: {exc}"

    text = run_in_fork(report)

    assert text.startswith("ForkedHandleError: ")
    assert "after the fork" in text
    assert counter.ask(Counter.add, 1).result() == 1


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_that_ends_or_closes_leaves_the_system_to_its_parent(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()

    def report() -> str:
        system.close()
        with ActorSystem("forked") as own:
            return str(own.spawn(Counter, 4).result().ask(Counter.add, 1).result())

    assert run_in_fork(report) == "5"
    assert counter.ask(Counter.add, 1).result() == 1


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_wakes_nobody_who_waits_in_the_parent(
    system: ActorSystem, gate: Gate
) -> None:
    blocker = system.spawn(Blocker).result()
    pending = blocker.ask(Blocker.wait_for, gate.path)
    woken: list[str] = []
    pending.wakers = [lambda: woken.append("a loop or a thread of the parent")]

    text = run_in_fork(lambda: f"{type(pending.value).__name__} {woken}")

    assert text == "ForkedHandleError []"
    gate.open()
    assert pending.result() == "released"


# Where a loop runs.


async def test_a_with_in_a_coroutine_is_refused_before_anything_starts() -> None:
    system = ActorSystem()

    with (
        pytest.raises(
            RuntimeError,
            match=r"^'with' would block the running event loop: use 'async with'$",
        ),
        system,
    ):
        pytest.fail("it was entered")

    assert "not started" in repr(system)


async def test_a_for_over_events_in_a_coroutine_is_refused_while_there_are_none(
    system: ActorSystem,
) -> None:
    events = system.events()

    with pytest.raises(RuntimeError, match="use 'async for'"):
        next(events)

    events.close()


class Host(Actor):
    """Has a system of its own, for as long as a message takes."""

    def count(self, amount: int) -> int:
        with ActorSystem("inner", drain=0) as system:
            counter = system.spawn(Counter, 1).result()
            return counter.ask(Counter.add, amount).result()

    async def count_later(self, amount: int) -> int:
        async with ActorSystem("inner", drain=0) as system:
            counter = await system.spawn(Counter, 1)
            return await counter.ask(Counter.add, amount)


@pytest.mark.parametrize("count", [Host.count, Host.count_later], ids=["with", "async"])
def test_an_actor_may_have_a_system_of_its_own(
    system: ActorSystem, count: Callable[[Host, int], Any]
) -> None:
    host = system.spawn(Host).result()

    assert host.within(SECONDS).ask(count, 2).result() == 3
    host.stop().result()
    host.ended().result(SECONDS)


# Options.

SYSTEM_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"name": "Big"}, r"name='Big': 1 to 32 characters out of a-z"),
    ({"name": ""}, r"name='': 1 to 32 characters"),
    ({"name": "x" * 33}, r"1 to 32 characters"),
    ({"name": "../x"}, r"1 to 32 characters"),
    ({"name": 3}, r"name=3: 1 to 32 characters"),
    ({"transport": "pigeon"}, r"transport='pigeon': one of 'mq', 'pipe', 'shm', 'u"),
    ({"transport": "memory"}, r"transport='memory': one of 'mq', 'pipe', 'shm', 'u"),
    ({"transport": 3}, r"transport=3: one of 'mq', 'pipe', 'shm', 'unix'"),
    ({"directory": 3}, r"directory=3: a path"),
    ({"colour": 1}, r"colour=1: no such option; there are directory, drain, max_me"),
    ({"drain": -1}, r"drain=-1: a number of seconds, 0 or more"),
    ({"drain": math.nan}, r"drain=nan: a number of seconds"),
    ({"drain": "5"}, r"drain='5': a number of seconds"),
    ({"max_message_bytes": 2**20 - 1}, r"=1048575: a whole number, 1048576 or more"),
    ({"max_message_bytes": 2**63}, r"a whole number, 1048576 or more"),
    ({"max_message_bytes": 1e9}, r"=1000000000\.0: a whole number, 1048576"),
]


@pytest.mark.parametrize(("options", "text"), SYSTEM_OPTIONS)
def test_a_bad_option_of_a_system_is_refused_with_what_is_accepted(
    options: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        ActorSystem(**options)


ACTOR_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, r"name='': 1 to 200 printable characters"),
    ({"name": "a/b"}, r"without '/'"),
    ({"name": " "}, r"name=' ': 1 to 200 printable characters"),
    ({"name": "a\u202eb"}, r"1 to 200 printable characters"),
    ({"name": "x" * 201}, r"1 to 200 printable characters"),
    ({"transport": "memory"}, r"transport='memory': one of 'mq', 'pipe', 'shm', 'u"),
    ({"transport": "pigeon"}, r"transport='pigeon': one of 'mq', 'pipe', 'shm', 'u"),
    ({"transport": 3}, r"transport=3: the scheme of a transport"),
    ({"restart": "always"}, r"restart='always': one of 'permanent', 'transient', "),
    ({"intensity": -1}, r"intensity=-1: a whole number of restarts, 0 or more"),
    ({"intensity": 1.5}, r"intensity=1\.5: a whole number"),
    ({"intensity": True}, r"intensity=True: a whole number"),
    ({"period": 0}, r"period=0: a number of seconds above 0"),
    ({"shutdown": -1}, r"shutdown=-1: a number of seconds, 0 or more, or math\.inf"),
    ({"init_timeout": None}, r"init_timeout=None: a number of seconds"),
    ({"init_timeout": 0}, r"init_timeout=0: a number of seconds above 0, or math"),
    (
        {"mailbox_bytes": 4095},
        r"=4095: a whole number of bytes from 4096 to 1073741824",
    ),
    ({"mailbox_bytes": 2**30 + 1}, r"a whole number of bytes from 4096 to 1073741824"),
    ({"mailbox_bytes": 8192.0}, r"=8192\.0: a whole number of bytes from 4096"),
    ({"mailbox_payload_bytes": 4095}, r"=4095: a whole number .* to 1099511627776"),
    ({"mailbox_payload_bytes": None}, r"=None: a whole number of bytes from 4096"),
    ({"concurrency": 3}, r"concurrency=3: no option, but an attribute of the actor's"),
    ({"colour": "red"}, r"colour='red': no such option; there are .*name, .*size, "),
    ({"size": 2, "colour": "red"}, r"colour='red': no such option; there are "),
]


@pytest.mark.parametrize(("options", "text"), ACTOR_OPTIONS)
def test_a_bad_option_of_an_actor_is_refused_with_what_is_accepted(
    system: ActorSystem, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        system.options(**options)


class Busy(Actor):
    """Its handlers block each other."""

    concurrency = 2

    def work(self) -> None:
        """Keeps the process."""


def test_a_warning_about_a_class_points_at_the_line_that_spawns_it(
    system: ActorSystem,
) -> None:
    with pytest.warns(RuntimeWarning, match="Busy") as caught:
        system.spawn(Busy).result()
    with pytest.warns(RuntimeWarning, match="Busy") as caught_with_options:
        system.options(name="busy").spawn(Busy).result()

    assert caught[0].filename == caught_with_options[0].filename == __file__


def test_a_mailbox_may_be_as_small_as_it_is_allowed_to_be(system: ActorSystem) -> None:
    counter = system.options(mailbox_bytes=4096).spawn(Counter).result()

    assert counter.ask(Counter.add, 1).result() == 1


@pytest.mark.parametrize(
    "cls", [int, lambda: None, "Counter"], ids=["int", "a lambda", "a string"]
)
def test_what_is_no_actor_class_is_refused(
    system: ActorSystem, cls: type[Counter]
) -> None:
    with pytest.raises(TypeError, match=r"a subclass of actors\.Actor"):
        system.spawn(cls)


def test_a_name_to_look_up_that_is_no_string_is_refused(system: ActorSystem) -> None:
    with pytest.raises(OptionError, match=r"name=3: the name that was given"):
        system.lookup(3, Counter)  # type: ignore[arg-type]  # the mistake


def test_a_request_that_the_root_cannot_do_fails_and_does_no_other_harm(
    system: ActorSystem,
) -> None:
    """The root ended with a traceback, and all actors with it."""
    no_name = {"name": ["not", "a", "name"], "class": "Counter"}

    with pytest.raises(ActorError, match="lookup: the root supervisor could not"):
        system._opened().request("lookup", no_name).result()

    system.spawn(Counter).result().kill().result()


def test_a_time_longer_than_the_kernel_waits_may_be_given(system: ActorSystem) -> None:
    """The root asked epoll to sleep for a month, which it refuses."""
    month = 30 * 86_400.0

    counter = system.options(init_timeout=month, shutdown=month).spawn(Counter).result()

    assert counter.within(month).ask(Counter.add, 1).result(month) == 1
    counter.kill().result()


def test_a_log_that_nobody_reads_any_more_does_no_harm() -> None:
    """Of a program run as ``program 2>&1 | head`` the root died with the first line it wrote after that."""
    code = (
        "import os\n"
        "from actors import ActorSystem\n"
        "from tests.support.actors_under_test import Trouble\n"
        "with ActorSystem() as system:\n"
        "    trouble = system.spawn(Trouble).result()\n"
        "    input()\n"
        "    trouble.tell(Trouble.vanish, 3)\n"
        "    print(trouble.ask(Trouble.ok).result())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stderr is not None
        program.stderr.close()

        out, _ = program.communicate("\n", timeout=SECONDS)

    assert out == "ok\n"
