"""What handlers may do wrong, and what the asker, the actor and the log get to know of it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors import (
    Actor,
    ActorCrashedError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    Event,
    ExitKind,
    NotSerializableError,
    RemoteError,
    SpawnError,
    UnhandledMessageError,
    handler,
)
from actors.errors import OptionError
from tests.support.actors_under_test import (
    Blocker,
    Counter,
    Forgiving,
    Inbox,
    Strict,
    Trouble,
)
from tests.support.gates import SECONDS, Gate


class Unready(Actor):
    """Does not start."""

    def on_start(self) -> None:
        raise ValueError("not today")


Raised = tuple[type[BaseException], str]
NextEvent = Callable[[str, str], Event]


def spawn(system: ActorSystem, cls: type[Trouble] = Trouble) -> ActorRef[Trouble]:
    return system.spawn(cls).result().within(SECONDS)


def without_class(system: ActorSystem, ref: ActorRef[Any]) -> ActorRef[Any]:
    """Return the ref as it arrives in a message: it does not know the actor's class any more."""
    echo = system.spawn(Inbox).result()
    returned: ActorRef[Any] = echo.ask(Inbox.echo, ref).result()
    return returned


# Asks: somebody is told, and the actor goes on.

GOES_ON: dict[str, tuple[Callable[..., Any], tuple[Any, ...], type[Exception], str]] = {
    "exception": (Trouble.divide, (0,), ZeroDivisionError, "division by zero"),
    "exception in a coroutine": (Trouble.divide_later, (0,), ZeroDivisionError, "zero"),
    "TypeError of the handler itself": (Trouble.divide, ("x",), TypeError, "operand"),
    "unpicklable result": (Trouble.unpicklable, (), NotSerializableError, "lock"),
    "too deep result": (Trouble.deep_result, (), NotSerializableError, "deep"),
    "endless recursion": (Trouble.recurse, (), RecursionError, "recursion"),
    "exception that does not unpickle": (
        Trouble.raise_needy,
        (),
        RemoteError,
        "NeedyError: 1 and 2",
    ),
    "exception that does not pickle": (
        Trouble.raise_unreducible,
        (),
        RemoteError,
        "UnreducibleError",
    ),
    "exception without text": (Trouble.raise_mute, (), Exception, ""),
    "exception that unpickles as something else": (
        Trouble.raise_impostor,
        (),
        RemoteError,
        "ImpostorError",
    ),
    "CancelledError": (Trouble.cancel_itself, (), RemoteError, "CancelledError"),
    "handler marked to continue": (Trouble.fail_softly, (), ValueError, "soft"),
}


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (Trouble.raise_needy, "cannot be rebuilt here: .*missing 1 required"),
        (Trouble.raise_unreducible, "cannot be pickled"),
        (Trouble.raise_impostor, "would be a .* here"),
    ],
    ids=["needy", "unreducible", "impostor"],
)
def test_an_error_in_the_place_of_another_says_why_that_is_not_raised(
    system: ActorSystem, method: Callable[..., Any], why: str
) -> None:
    with pytest.raises(RemoteError) as caught:
        spawn(system).ask(method).result()

    (note,) = caught.value.__notes__
    assert re.search(rf"\w+Error itself is not raised: it {why}", note)


@pytest.mark.parametrize(
    ("method", "args", "error", "text"), GOES_ON.values(), ids=GOES_ON
)
def test_the_asker_gets_the_error_and_the_actor_goes_on(
    system: ActorSystem,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    error: type[Exception],
    text: str,
) -> None:
    trouble = spawn(system)
    pid = trouble.ask(Trouble.pid).result()

    with pytest.raises(error) as caught:
        trouble.ask(method, *args).result()

    assert text == "" or text in str(caught.value)
    assert trouble.ask(Trouble.pid).result() == pid


def test_a_failed_start_shows_the_traceback_from_the_actors_own_code_on(
    system: ActorSystem,
) -> None:
    with pytest.raises(SpawnError) as caught:
        system.spawn(Unready).result()

    text = str(caught.value)
    assert "actors/runtime" not in text
    assert "in on_start" in text
    assert text.count("ValueError: not today") == 2  # the line, and the traceback


def test_what_is_on_its_way_says_what_it_is_and_of_whom(
    system: ActorSystem, gate: Gate
) -> None:
    spawned = system.options(name="told").spawn(Blocker)
    blocker = spawned.result()
    waiting = blocker.ask(Blocker.wait_for, gate.path)

    assert repr(spawned) == "<Pending spawn of told: done: <ActorRef told>>"
    assert repr(waiting) == "<Pending Blocker.wait_for of told: waiting>"
    assert repr(blocker.ended()) == "<Pending ended of told: waiting>"
    gate.open()
    waiting.result(SECONDS)
    assert repr(blocker.tell(Blocker.hello)) == "<Pending done: None>"


async def test_a_stop_iteration_of_a_handler_does_not_end_the_awaiting_coroutine(
    system: ActorSystem,
) -> None:
    trouble = await system.spawn(Trouble)

    with pytest.raises(RuntimeError, match="StopIteration"):
        await trouble.ask(Trouble.raise_stop_iteration)


def test_the_original_exception_is_chained_to_the_traceback_of_the_actor(
    system: ActorSystem,
) -> None:
    trouble = spawn(system)

    with pytest.raises(ZeroDivisionError) as caught:
        trouble.ask(Trouble.divide, 0).result()

    cause = caught.value.__cause__
    assert isinstance(cause, RemoteError)
    assert cause.exc_type == "ZeroDivisionError"
    first, second, *_ = cause.traceback.splitlines()
    assert first == "Traceback (most recent call last):"
    assert "actors_under_test.py" in second  # and no frame of the runtime before it
    assert "in divide\n    return 1 / by" in cause.traceback


def test_an_unpicklable_result_says_whose_it_is(system: ActorSystem) -> None:
    trouble = spawn(system)

    with pytest.raises(NotSerializableError) as caught:
        trouble.ask(Trouble.unpicklable).result()

    assert str(caught.value).startswith("result of Trouble.unpicklable: ")


# Asks: the asker is told, and the actor crashes.

CRASHES: dict[str, tuple[type[Trouble], Callable[..., Any], tuple[Any, ...], type[Exception], str]] = {
    "MemoryError": (Trouble, Trouble.exhaust, (), MemoryError, ""),
    "MemoryError, told to continue": (Forgiving, Trouble.exhaust, (), MemoryError, ""),
    "KeyboardInterrupt": (Trouble, Trouble.interrupt, (), RemoteError, "KeyboardInterrupt"),
    "sys.exit(3)": (Trouble, Trouble.leave, (3,), RemoteError, "SystemExit: 3"),
    "sys.exit(text)": (Trouble, Trouble.leave, ("why",), RemoteError, "SystemExit: why"),
    "os._exit(0)": (Trouble, Trouble.vanish, (0,), ActorCrashedError, "exited with code 0"),
    "os._exit(3)": (Trouble, Trouble.vanish, (3,), ActorCrashedError, "exited with code 3"),
    "SIGSEGV": (Trouble, Trouble.segfault, (), ActorCrashedError, "killed by SIGSEGV"),
    "handler marked to crash": (Trouble, Trouble.fail_hard, (), ValueError, "hard"),
    "mark over the class": (Forgiving, Trouble.fail_hard, (), ValueError, "hard"),
    "class that crashes": (Strict, Trouble.divide, (0,), ZeroDivisionError, "zero"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "method", "args", "error", "text"), CRASHES.values(), ids=CRASHES
)
def test_the_asker_gets_the_error_and_the_actor_is_restarted(
    system: ActorSystem,
    cls: type[Trouble],
    method: Callable[..., Any],
    args: tuple[Any, ...],
    error: type[Exception],
    text: str,
) -> None:
    trouble = spawn(system, cls)
    pid = trouble.ask(Trouble.pid).result()

    with pytest.raises(error) as caught:
        trouble.ask(method, *args).result()

    assert text in str(caught.value)
    assert trouble.ask(Trouble.pid).result() != pid


def test_a_crash_says_which_message_it_was_and_how_the_process_ended(
    system: ActorSystem,
) -> None:
    trouble = spawn(system)

    with pytest.raises(ActorCrashedError) as caught:
        trouble.ask(Trouble.segfault).result()

    assert caught.value.name == trouble.name
    assert caught.value.method == "Trouble.segfault"
    assert caught.value.attempt == 1
    assert caught.value.reason.kind is ExitKind.SIGNAL
    assert caught.value.reason.signal == "SIGSEGV"
    assert "in segfault" in (caught.value.reason.dump or "")


def test_sys_exit_ends_the_actor_for_good_and_the_asker_is_told(
    system: ActorSystem,
) -> None:
    trouble = spawn(system)

    with pytest.raises(RemoteError, match="SystemExit"):
        trouble.ask(Trouble.leave).result()

    assert trouble.ended().result(SECONDS).kind is ExitKind.NORMAL
    with pytest.raises(ActorStoppedError, match="is gone: stopped"):
        trouble.ask(Trouble.ok).result()


def test_asks_queued_behind_a_crash_are_answered_by_the_next_incarnation(
    system: ActorSystem,
) -> None:
    trouble = spawn(system)

    crashing = trouble.ask(Trouble.vanish, 1)
    queued = [trouble.ask(Trouble.ok) for _ in range(20)]

    with pytest.raises(ActorCrashedError):
        crashing.result()
    assert [pending.result() for pending in queued] == ["ok"] * 20


# Tells: nobody is told, so the actor crashes unless it says otherwise.

TELL_CRASHES: dict[str, tuple[type[Trouble], Callable[..., Any], tuple[Any, ...], str]] = {
    "exception": (Trouble, Trouble.divide, (0,), "ZeroDivisionError"),
    "exception in a coroutine": (Trouble, Trouble.divide_later, (0,), "ZeroDivisionError"),
    "endless recursion": (Trouble, Trouble.recurse, (), "RecursionError"),
    "exception that does not pickle": (Trouble, Trouble.raise_unreducible, (), "UnreducibleError"),
    "exception without text": (Trouble, Trouble.raise_mute, (), "MuteError"),
    "MemoryError, told to continue": (Forgiving, Trouble.exhaust, (), "MemoryError"),
    "KeyboardInterrupt, told to continue": (Forgiving, Trouble.interrupt, (), "KeyboardInterrupt"),
    "sys.exit(3)": (Trouble, Trouble.leave, (3,), "SystemExit(3)"),
    "os._exit(0)": (Trouble, Trouble.vanish, (0,), "without saying goodbye"),
    "mark over the class": (Forgiving, Trouble.fail_hard, (), "ValueError: hard"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "method", "args", "text"), TELL_CRASHES.values(), ids=TELL_CRASHES
)
def test_a_tell_whose_handler_fails_crashes_the_actor(
    system: ActorSystem,
    next_event: NextEvent,
    cls: type[Trouble],
    method: Callable[..., Any],
    args: tuple[Any, ...],
    text: str,
) -> None:
    trouble = spawn(system, cls)
    pid = trouble.ask(Trouble.pid).result()

    trouble.tell(method, *args)

    exited = next_event("child_exit", trouble.name)
    assert exited.pid == pid
    assert text in str(exited.reason)
    assert exited.reason is not None
    assert exited.reason.during == f"{cls.__name__}.{method.__name__}"
    assert trouble.ask(Trouble.pid).result() != pid


def test_the_tell_that_crashed_the_actor_is_a_dead_letter(
    system: ActorSystem, next_event: NextEvent
) -> None:
    trouble = spawn(system)

    trouble.tell(Trouble.divide, 0)

    letter = next_event("dead_letter", trouble.name)
    assert letter.facts["cause"] == "crashed"
    assert letter.facts["method"] == "Trouble.divide"
    assert letter.facts["is_question"] is False


TELL_GOES_ON: dict[str, tuple[type[Trouble], Callable[..., Any], tuple[Any, ...]]] = {
    "handler marked to continue": (Trouble, Trouble.fail_softly, ()),
    "class told to continue": (Forgiving, Trouble.divide, (0,)),
    "coroutine, class told to continue": (Forgiving, Trouble.divide_later, (0,)),
    "mark over the class": (Strict, Trouble.fail_softly, ()),
}


@pytest.mark.parametrize(
    ("cls", "method", "args"), TELL_GOES_ON.values(), ids=TELL_GOES_ON
)
def test_a_tell_that_may_fail_is_published_and_the_actor_goes_on(
    system: ActorSystem,
    next_event: NextEvent,
    cls: type[Trouble],
    method: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    trouble = spawn(system, cls)
    pid = trouble.ask(Trouble.pid).result()

    trouble.tell(method, *args)

    failed = next_event("handler_failed", trouble.name)
    assert failed.facts["method"] == f"{cls.__name__}.{method.__name__}"
    assert trouble.ask(Trouble.pid).result() == pid


def test_the_result_of_a_tell_is_dropped_even_if_it_could_not_travel(
    system: ActorSystem,
) -> None:
    trouble = spawn(system)
    pid = trouble.ask(Trouble.pid).result()

    trouble.tell(Trouble.unpicklable)

    assert trouble.ask(Trouble.pid).result() == pid


def test_a_told_sys_exit_ends_the_actor_for_good(system: ActorSystem) -> None:
    trouble = spawn(system)

    trouble.tell(Trouble.leave)

    assert trouble.ended().result(SECONDS).kind is ExitKind.NORMAL


# Messages that do not fit: no user code runs, and the actor goes on.


def test_asking_for_a_method_the_actor_lacks_names_those_it_has(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()
    stranger = without_class(system, counter)
    pid = counter.ask(Counter.pid).result()

    with pytest.raises(
        UnhandledMessageError, match=r"Counter has no handler 'hello'; it has: add,"
    ):
        stranger.ask(Blocker.hello).result()

    assert counter.ask(Counter.pid).result() == pid


@pytest.mark.parametrize("name", ["stop", "after", "on_start", "on_stop", "ref"])
def test_what_the_runtime_gave_the_actor_is_no_message(
    system: ActorSystem, name: str
) -> None:
    counter = system.spawn(Counter).result()
    stranger = without_class(system, counter)

    def impostor(self: object) -> None:
        """Travels under the name of something the actor inherits."""

    impostor.__name__ = name

    with pytest.raises(UnhandledMessageError, match=f"no handler '{name}'"):
        stranger.ask(impostor).result()


def test_a_private_method_is_no_message_whoever_sends_it(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()
    client = counter._join()

    with pytest.raises(TypeError, match=r"_subtract is private, and no message"):
        counter.ask(Counter._subtract, 1)
    with pytest.raises(
        UnhandledMessageError, match=r"Counter has no handler '_subtract'; it has: add,"
    ):
        client.ask(
            counter._number, "counter", b"_subtract", "_subtract", ((1,), {}), SECONDS
        ).result()


def test_a_deadline_that_is_passed_as_argument_is_told_where_it_belongs(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()

    with pytest.raises(
        UnhandledMessageError, match=r"'timeout'; a deadline is set by ref\.within"
    ):
        counter.ask(Counter.add, 1, timeout=3).result()  # type: ignore[arg-type, call-arg]  # the mistake


@pytest.mark.parametrize("args", [(), (1, 2), ([], {}, 3)], ids=repr)
@pytest.mark.parametrize("method", [Trouble.divide, Trouble.divide_later])
def test_asking_with_arguments_that_do_not_fit_says_which(
    system: ActorSystem, method: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    trouble = spawn(system, Strict)
    pid = trouble.ask(Trouble.pid).result()

    with pytest.raises(UnhandledMessageError, match=r"divide.* argument"):
        trouble.ask(method, *args).result()

    assert trouble.ask(Trouble.pid).result() == pid


def test_telling_what_does_not_fit_is_a_dead_letter_and_the_actor_goes_on(
    system: ActorSystem, next_event: NextEvent
) -> None:
    counter = system.spawn(Counter).result()
    stranger = without_class(system, counter)
    pid = counter.ask(Counter.pid).result()

    stranger.tell(Blocker.hello)
    unknown = next_event("dead_letter", counter.name)
    stranger.tell(Counter.add)  # type: ignore[call-arg]  # the mistake
    unfit = next_event("dead_letter", counter.name)

    assert unknown.facts["cause"] == unfit.facts["cause"] == "unhandled"
    assert (unknown.facts["method"], unfit.facts["method"]) == (
        "Counter.hello",
        "Counter.add",
    )
    assert counter.ask(Counter.pid).result() == pid


# What is refused before it is sent.


@pytest.mark.parametrize("send", ["ask", "tell"])
def test_an_unpicklable_argument_is_refused_at_the_call_with_the_path_to_it(
    system: ActorSystem, send: str
) -> None:
    inbox = system.spawn(Inbox).result()
    value = {"jobs": [1, threading.Lock()]}

    with pytest.raises(NotSerializableError, match=r"\['jobs'\]\[1\]"):
        getattr(inbox, send)(Inbox.echo, value)

    assert inbox.ask(Inbox.kept).result() == []


def test_an_unpicklable_argument_of_a_constructor_is_refused_at_the_call(
    system: ActorSystem,
) -> None:
    with pytest.raises(NotSerializableError, match="lock"):
        system.spawn(Counter, threading.Lock())  # type: ignore[arg-type]  # the mistake


def test_a_class_that_hides_a_method_of_the_runtime_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Broken\.stop would hide Actor\.stop"):
        type("Broken", (Actor,), {"stop": lambda _: None})


@pytest.mark.parametrize("value", ["ignore", 1], ids=repr)
def test_an_unknown_on_error_is_refused_with_the_accepted_values(value: object) -> None:
    with pytest.raises(OptionError, match="'crash', 'continue'"):
        handler(on_error=value)  # type: ignore[arg-type]  # the mistake


def test_a_class_whose_setting_makes_no_sense_is_refused() -> None:
    with pytest.raises(OptionError, match=r"Odd\.writable_buffers=1: True or False"):
        type("Odd", (Actor,), {"writable_buffers": 1})
