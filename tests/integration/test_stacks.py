"""Stacks by ref: what a process executes, whatever keeps it from answering."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from actors import (
    ActorCrashedError,
    ActorError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
)
from actors.supervision import stacks
from tests.support.controlled import Attentive
from tests.support.gates import Gate, wait_until
from tests.support.procfs import parent_of


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def test_stack_of_an_idle_actor_shows_that_it_sleeps(
    attentive: ActorRef[Attentive],
) -> None:
    wait_until(lambda: "in select\n" in attentive.stack().result(), "its sleep")


def test_stack_can_be_awaited(attentive: ActorRef[Attentive]) -> None:
    async def look() -> str:
        return await attentive.stack()

    assert ", the main one):\n  File" in asyncio.run(look())


@pytest.mark.parametrize("name", ["spin", "hang", "hang_in_c"])
def test_stack_shows_the_handler_of_an_actor_that_answers_nothing(
    attentive: ActorRef[Attentive], mark: Path, name: str
) -> None:
    attentive.tell(getattr(Attentive, name), str(mark))
    wait_until(mark.exists, "the handler")

    text = attentive.stack().result()

    assert f"in {name}\n" in text


def test_stack_does_not_disturb_a_handler_that_is_held_up(
    attentive: ActorRef[Attentive], gate: Gate
) -> None:
    pid = attentive.ask(Attentive.pid).result()
    asking = attentive.ask(Attentive.wait_for, gate.path)
    gate.wait_until_entered()

    texts = [attentive.stack().result() for _ in range(20)]
    gate.open()

    assert all(text.count("in wait_for\n") == 1 for text in texts)
    assert asking.result() == "released"
    assert attentive.ask(Attentive.pid).result() == pid


def test_stack_shows_all_threads_and_harms_none_that_runs(
    attentive: ActorRef[Attentive], mark: Path
) -> None:
    """Reading the frames of a thread that runs ended the process with SIGSEGV, once in a hundred times."""
    pid = attentive.ask(Attentive.start_thread, str(mark)).result()
    wait_until(mark.exists, "the thread")

    texts = [attentive.stack().result() for _ in range(50)]

    for text in texts:
        assert text.startswith(f"Thread {pid} (")
        assert text.count("the main one") == 1
        assert text.count("in spin\n") == 1
    mark.unlink()
    assert attentive.ask(Attentive.pid).result() == pid


def test_thread_whose_stack_made_no_sense_is_asked_again(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.ask(Attentive.stumble, 3).result()

    text = attentive.stack().result()

    assert text.count(", the main one):\n") == 1
    assert '  File "x.py", line 1 in x\n' in text
    assert stacks.CHANGED not in text


def test_thread_whose_stack_never_makes_sense_is_not_asked_for_ever(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.ask(Attentive.stumble, 10**6).result()

    text = attentive.stack().result()

    assert text.count(stacks.CHANGED) == 1


def test_those_who_ask_at_once_get_the_same_stack(
    attentive: ActorRef[Attentive], mark: Path
) -> None:
    attentive.tell(Attentive.hang, str(mark))
    wait_until(mark.exists, "the handler")

    asked = [attentive.stack() for _ in range(5)]

    assert all(each.result().count("in hang\n") == 1 for each in asked)


def test_stack_of_an_actor_that_hangs_in_its_start_is_shown(
    system: ActorSystem, gate: Gate
) -> None:
    ref = system.spawn(Attentive, gate.path).result()
    ref.signal(signal.SIGKILL).result()
    gate.wait_until_entered()

    text = ref.stack().result()

    assert "in __init__\n" in text
    gate.open()
    ref.kill().result()


def test_stack_of_a_process_that_has_just_died_is_that_of_the_next(
    attentive: ActorRef[Attentive],
) -> None:
    pid = attentive.ask(Attentive.pid).result()
    root = parent_of(pid)
    os.kill(root, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    asked = attentive.stack()

    os.kill(root, signal.SIGCONT)

    assert ", the main one):\n  File" in asked.result()


def test_dump_of_a_crash_does_not_begin_with_what_was_shown_before(
    attentive: ActorRef[Attentive],
) -> None:
    shown = attentive.stack().result()

    with pytest.raises(ActorCrashedError) as crashed:
        attentive.ask(Attentive.segfault).result()

    dump = crashed.value.reason.dump
    assert dump is not None
    assert ", the main one):\n  File" in shown
    assert dump.startswith("Fatal Python error: Segmentation fault")


@pytest.mark.slow
def test_buffer_of_the_stacks_does_not_grow_without_end(
    attentive: ActorRef[Attentive],
) -> None:
    size = len(attentive.stack().result())
    times = stacks.KEPT_BYTES // size + 10
    texts = {attentive.stack().result() for _ in range(times)}

    assert all(len(text) < 10 * size for text in texts)
    with pytest.raises(ActorCrashedError) as crashed:
        attentive.ask(Attentive.segfault).result()
    assert (crashed.value.reason.dump or "").startswith("Fatal Python error")


def test_frozen_actor_shows_no_stack_and_says_so(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.freeze().result()

    with pytest.raises(ActorError, match="is stopped; thaw it first"):
        attentive.stack().result()

    attentive.thaw().result()
    assert ", the main one):\n  File" in attentive.stack().result()


def test_actor_that_takes_the_signal_itself_is_told_of(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.ask(Attentive.write_over).result()

    assert "it handles the signal for its stacks itself" in attentive.stack().result()


def test_actor_that_blocks_the_signal_is_told_of(
    attentive: ActorRef[Attentive],
) -> None:
    attentive.ask(Attentive.block_signals).result()

    assert "it blocks the signal" in attentive.stack().result()


def test_actor_that_has_ended_has_no_stack(system: ActorSystem) -> None:
    ref = system.spawn(Attentive).result()
    ref.kill().result()

    with pytest.raises(ActorStoppedError, match="killed on request"):
        ref.stack().result()
