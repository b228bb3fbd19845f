"""Closing a system that is not as it was."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Actor,
    ActorError,
    ActorRef,
    ActorSystem,
    SystemClosedError,
    SystemFailedError,
)
from actors.runtime import waiting as waiting_module
from tests.support.actors_under_test import Counter, Inbox
from tests.support.gates import SECONDS, Gate, wait_until


class Sleeper(Actor):
    """Keeps its process busy."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: TID251 - a handler that takes its time

    def sleep_and_add(self, seconds: float, counter: ActorRef[Counter]) -> None:
        self.sleep(seconds)
        counter.tell(Counter.add, 1)


if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


def root_pid() -> int:
    main = Path(f"/proc/self/task/{os.getpid()}/children")
    (child,) = main.read_text().split()
    return int(child)


def test_closing_tells_no_more_than_an_answer_holds() -> None:
    """The counts of what was dropped became a blob, in a directory that was gone: the root ended with a traceback."""
    system = ActorSystem().start()
    names = [f"{number:03}{'x' * 190}" for number in range(8)]
    spawned = [system.options(name=name).spawn(Sleeper) for name in names]
    for sleeper in [pending.result() for pending in spawned]:
        sleeper.tell(Sleeper.sleep, 0.2)
        sleeper.tell(Sleeper.sleep, 0.2)

    system.close(drain=0)


def test_a_thread_that_waits_while_another_closes_learns_that_it_was_closed() -> None:
    """It looked into a lane that had gone, and got ClosedError."""
    system = ActorSystem().start()
    events = system.events()
    failures: list[BaseException] = []
    has_listened = threading.Event()

    def listen() -> None:
        try:
            while True:
                has_listened.set()
                events.next().result()
        except ActorError as exc:
            failures.append(exc)

    thread = threading.Thread(target=listen)
    thread.start()
    has_listened.wait(SECONDS)

    system.close()

    thread.join(SECONDS)
    assert [type(failure) for failure in failures] == [SystemClosedError]


def test_a_message_sent_while_the_system_closes_wakes_its_receiver() -> None:
    """Looking whether everybody was quiet switched the bell off: it was found only when the time was up, and dropped."""
    system = ActorSystem(drain=SECONDS).start()
    counter = system.spawn(Counter).result()
    counter.ask(Counter.add, 1).result()
    sender = system.spawn(Sleeper).result()
    events = system.events()
    sender.tell(Sleeper.sleep_and_add, 0.2, counter)

    system.close()

    seen = []
    with contextlib.suppress(SystemClosedError):
        while True:
            seen.append(events.next().result())
    assert [event for event in seen if event.kind == "dead_letter"] == []


def test_closing_a_system_whose_root_has_died_says_that_it_failed() -> None:
    system = ActorSystem().start()
    os.kill(root_pid(), signal.SIGKILL)

    with pytest.raises(SystemFailedError, match="root supervisor died"):
        system.close()

    system.close()  # nothing is left to close


# From where else.


def test_closing_in_a_thread_leaves_a_running_loop_to_itself() -> None:
    """Its selector was changed by a thread that was not its own."""
    threads = []

    class Loop(asyncio.SelectorEventLoop):
        def remove_reader(self, fd: FileDescriptorLike) -> bool:
            threads.append(threading.current_thread())
            return super().remove_reader(fd)

    async def main() -> None:
        system = ActorSystem(drain=0)
        await system.__aenter__()
        await asyncio.to_thread(system.close)
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())

    assert set(threads) == {threading.current_thread()}


def test_what_is_asked_while_the_system_ends_ends_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It waited for ever: who ended the system had been through what was open."""
    with ActorSystem(drain=0) as system:
        counter = system.spawn(Counter).result()
        counter.ask(Counter.add, 1).result()
        client = system._opened()
        send = client.outgoing.ask

        def end_and_send(*question: Any) -> bool:  # noqa: ANN401 - passed on
            error = SystemClosedError("the system was closed")
            client.ending.error = error
            client.questions.fail_all(error)
            return send(*question)

        monkeypatch.setattr(client.outgoing, "ask", end_and_send)
        asked = counter.within(None).ask(Counter.add, 1)
        monkeypatch.undo()
        client.ending.error = None

    assert isinstance(asked.value, SystemClosedError)
    assert client.questions.open == {}


def test_a_signal_handler_cannot_wait_in_the_middle_of_a_wait(gate: Gate) -> None:
    """It waited for what the code that it had interrupted had in hand, for ever."""
    with ActorSystem(drain=0) as system:
        inbox = system.spawn(Inbox).result().within(SECONDS)
        held = inbox.ask(Inbox.wait_for, gate.path)
        gate.wait_until_entered()
        errors = []

        def on_signal(*_: object) -> None:
            try:
                inbox.ask(Inbox.kept).result()
            except RuntimeError as exc:
                errors.append(str(exc))
            gate.open()

        before = signal.signal(signal.SIGUSR1, on_signal)
        try:
            waiting = system._opened().waiting

            def interrupt() -> None:
                wait_until(lambda: waiting._pumping, "the wait")
                os.kill(os.getpid(), signal.SIGUSR1)

            sender = threading.Thread(target=interrupt)
            sender.start()
            held.result()
            sender.join()
        finally:
            signal.signal(signal.SIGUSR1, before)

    assert [error[:16] for error in errors] == ["a signal handler"]


def in_thread(ask: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result(SECONDS)


@pytest.mark.parametrize("step", ["_is_pumping_allowed", "_let_go"])
def test_ctrl_c_as_a_wait_begins_or_ends_lets_others_wait(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Nobody could look at the lane any more, and closing the system waited for ever."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with ActorSystem(drain=0) as system:
        counter = system.spawn(Counter).result().within(SECONDS)
        waiting = system._opened().waiting
        asked = counter.ask(Counter.add, 1)
        monkeypatch.setattr(waiting, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            asked.result()
        monkeypatch.undo()

        assert in_thread(lambda: counter.ask(Counter.add, 1).result()) == 2


def test_a_signal_handler_may_wait_before_and_after_every_step_of_a_wait() -> None:
    with ActorSystem(drain=0) as system:
        counter = system.spawn(Counter).result().within(SECONDS)
        refused = []

        def handler() -> None:
            try:
                counter.ask(Counter.add, 0).result()
            except RuntimeError as error:
                refused.append(str(error))

        def trace_from(step: int) -> Callable[..., Any]:
            steps = itertools.count()

            def trace(frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - as sys.settrace has it
                if frame.f_code.co_filename != waiting_module.__file__:
                    return None
                frame.f_trace_opcodes = True
                if event == "opcode" and next(steps) == step:
                    handler()
                return trace

            return trace

        for step in range(600):
            asked = counter.ask(Counter.add, 1)
            before = sys.gettrace()
            sys.settrace(trace_from(step))
            try:
                count = asked.result()
            finally:
                sys.settrace(before)

            assert count == step + 1
            assert in_thread(lambda: counter.ask(Counter.add, 0).result()) == count
        assert {each[:16] for each in refused} == {"a signal handler"}


def test_ctrl_c_as_the_lane_is_locked_leaves_it_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupted:
        """A lock whose owner is interrupted before it knows."""

        def __init__(self, lock: Any) -> None:  # noqa: ANN401 - the lock of a thread has no type of its own
            self._is_owned = lock._is_owned
            self.release = lock.release
            self._lock = lock

        def acquire(self, *, blocking: bool) -> bool:
            assert self._lock.acquire(blocking=blocking)
            raise KeyboardInterrupt

    with ActorSystem(drain=0) as system:
        counter = system.spawn(Counter).result().within(SECONDS)
        waiting = system._opened().waiting
        monkeypatch.setattr(waiting, "_pump", Interrupted(waiting._pump))
        with pytest.raises(KeyboardInterrupt):
            counter.ask(Counter.add, 1).result()
        monkeypatch.undo()

        assert in_thread(lambda: counter.ask(Counter.add, 1).result()) == 2
        assert counter.ask(Counter.add, 1).result() == 3
