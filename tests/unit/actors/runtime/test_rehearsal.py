"""The stage on which a process rehearses the start of an actor."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import context
from actors.errors import AskTimeoutError
from actors.runtime import _working_set, private, process, rehearsal, status
from actors.runtime.cell import Cell
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.rehearsal import Stage
from tests.support.copies import in_a_copy

MANY = 200  # pages, of the hundreds that a start writes to
TOO_MANY = 10**6


@pytest.fixture
def stage(directory: RuntimeDirectory) -> Iterator[Stage]:
    yield Stage(directory)
    asyncio.set_event_loop(None)


def place_of(directory: RuntimeDirectory) -> Path:
    return directory.path / rehearsal.FOLDER / str(os.getpid())


def answers_given(directory: RuntimeDirectory) -> int:
    fd = private.open_directory(place_of(directory))
    page = status.StatusPage.open(fd, rehearsal.NUMBER)
    handled: int = page.words[status.HANDLED]
    page.close()
    os.close(fd)
    return handled


def never() -> bool:
    return False


def from_question(first: int) -> Callable[[], bool]:
    """Say that the process is called from the question *first* on."""
    asked = iter(range(1, 100))
    return lambda: next(asked) >= first


def test_rehearsal_ends_with_an_answer(
    directory: RuntimeDirectory, stage: Stage
) -> None:
    stage.rehearse(never)

    assert answers_given(directory) == 1


@pytest.mark.parametrize("question", [1, 2])
def test_rehearsal_stops_when_the_process_is_called(
    directory: RuntimeDirectory, stage: Stage, question: int
) -> None:
    stage.rehearse(from_question(question))

    assert answers_given(directory) == 0


def test_rehearsal_without_an_answer_comes_to_an_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "REHEARSAL_SECONDS", 0.01)
    monkeypatch.setattr(Cell, "open", lambda *_: None)  # it takes no message

    with pytest.raises(AskTimeoutError):
        stage.rehearse(never)

    monkeypatch.undo()
    stage.rehearse(never)


def test_nothing_is_left_in_a_process_that_has_rehearsed(
    directory: RuntimeDirectory, stage: Stage
) -> None:
    stage.rehearse(never)  # opens what a process opens once
    before = len([*Path("/proc/self/fd").iterdir()])

    stage.rehearse(never)

    assert len([*Path("/proc/self/fd").iterdir()]) == before
    assert str(place_of(directory)) not in Path("/proc/self/maps").read_text()
    assert rehearsal.MODULE not in sys.modules
    with pytest.raises(RuntimeError):
        context.context()


def test_stage_can_be_used_after_a_rehearsal_that_failed(
    directory: RuntimeDirectory, stage: Stage
) -> None:
    asked = iter([False])

    with pytest.raises(StopIteration):
        stage.rehearse(lambda: next(asked))
    stage.rehearse(never)

    assert answers_given(directory) == 1


def test_two_do_not_rehearse_at_once(directory: RuntimeDirectory, stage: Stage) -> None:
    other = private.open_directory(place_of(directory))
    fcntl.flock(other, fcntl.LOCK_EX)

    with pytest.raises(BlockingIOError):
        stage.rehearse(never)

    os.close(other)
    assert answers_given(directory) == 0


def test_stages_of_processes_that_have_ended_are_removed(
    directory: RuntimeDirectory, stage: Stage
) -> None:
    left = place_of(directory).with_name("999999999")
    left.mkdir(0o700)
    stage.remove()

    Stage(directory)

    assert list(left.parent.iterdir()) == [place_of(directory)]


def test_stage_on_which_a_copy_of_an_ended_process_rehearses_stays(
    directory: RuntimeDirectory, stage: Stage
) -> None:
    left = place_of(directory).with_name("999999999")
    left.mkdir(0o700)
    rehearses = private.open_directory(left)
    fcntl.flock(rehearses, fcntl.LOCK_EX)
    stage.remove()

    Stage(directory).remove()
    stayed = left.exists()
    os.close(rehearses)
    Stage(directory)

    assert stayed
    assert not left.exists()


def test_copy_of_a_process_that_has_rehearsed_opens_nothing_in_its_place(
    stage: Stage,
) -> None:
    stage.rehearse(never)  # whose loop, closed, is the last that was set
    before = len([*Path("/proc/self/fd").iterdir()])

    assert in_a_copy(lambda: len([*Path("/proc/self/fd").iterdir()]) - before) == 0


# Copies of the process whose stage it is.


@pytest.fixture
def prepared(stage: Stage) -> Callable[[Callable[[], bool]], int]:
    """Have a copy of this process prepare itself, and return how many pages of its own it has got by that."""

    def prepare(is_called: Callable[[], bool]) -> int:
        gc.freeze()  # else a collection writes to all that pytest has
        before = len(_working_set.own_pages(TOO_MANY))
        stage.prepare(is_called)
        return len(_working_set.own_pages(TOO_MANY)) - before

    stage.rehearse(never)  # writes once to what has run for the first time
    return lambda is_called: in_a_copy(lambda: prepare(is_called))


def test_copies_have_at_once_what_the_first_has_rehearsed(
    directory: RuntimeDirectory, prepared: Callable[[Callable[[], bool]], int]
) -> None:
    before = answers_given(directory)

    assert [prepared(never) >= MANY for _ in range(3)] == [True] * 3
    assert answers_given(directory) == before + 1


@pytest.mark.parametrize("question", [1, 2, 3, 4])
def test_copy_that_is_called_leaves_the_rehearsal_to_the_next(
    directory: RuntimeDirectory,
    prepared: Callable[[Callable[[], bool]], int],
    question: int,
) -> None:
    prepared(from_question(question))
    before = answers_given(directory)

    assert [prepared(never) >= MANY for _ in range(2)] == [True] * 2
    assert answers_given(directory) == before + 1


def test_copies_rehearse_where_the_kernel_does_not_show_what_they_have_copied(
    directory: RuntimeDirectory, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> list[int]:
        raise PermissionError

    def prepare() -> int:
        stage.prepare(never)
        return str(place_of(directory)) in Path("/proc/self/maps").read_text()

    monkeypatch.setattr(_working_set, "own_pages", refuse)

    assert [in_a_copy(prepare) for _ in range(2)] == [0, 0]
    assert answers_given(directory) == 2
