"""The pages that one copy of a process notes, and that others have before they write to them."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from actors.runtime import _working_set
from actors.runtime.working_set import MAX_PAGES, WorkingSet
from tests.support.copies import FAILED, MOST, in_a_copy
from transports._mapping import address_of

PAGE = mmap.PAGESIZE
PAGES = 1000
SCATTERED = range(0, PAGES, 5)
OTHERS = [page for page in range(PAGES) if page not in SCATTERED]
FEW = 100  # less than the pages of any range here, more than what the test itself writes to
LARGE_BYTES = 300 * 2**20  # too much to be looked through


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    """Memory of this process, all of it written to, which copies have in common with it."""
    with private_memory(PAGES) as found:
        yield found


@pytest.fixture
def working_set() -> Iterator[WorkingSet]:
    found = WorkingSet()
    yield found
    found.close()


def private_memory(pages: int) -> mmap.mmap:
    memory = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    write_to(memory, range(pages))
    return memory


def write_to(memory: mmap.mmap, pages: Iterable[int]) -> None:
    for page in pages:
        memory[page * PAGE] = 1


def never() -> bool:
    return False


def faults_of(body: Callable[[], None]) -> int:
    """Return for how many pages *body* had to wait."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    body()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def note(working_set: WorkingSet, what: Callable[[], object]) -> None:
    """Have a copy of this process note what it writes to as it does *what*."""

    def do_and_note() -> int:
        working_set.begin()
        what()
        working_set.note()
        return 0

    assert in_a_copy(do_and_note) == 0


def note_pages(
    working_set: WorkingSet, memory: mmap.mmap, pages: Iterable[int]
) -> None:
    note(working_set, lambda: write_to(memory, pages))


def faults_after_prefaulting(
    working_set: WorkingSet,
    memory: mmap.mmap,
    pages: Iterable[int],
    is_called: Callable[[], bool] = never,
) -> int:
    """Return for how many of *pages* another copy has to wait, at most ``MOST``."""

    def prefault_and_write() -> int:
        working_set.prefault(is_called)
        return faults_of(lambda: write_to(memory, pages))

    return in_a_copy(prefault_and_write)


def test_nothing_is_known_in_the_beginning(working_set: WorkingSet) -> None:
    assert not working_set.is_known


def test_copy_that_prefaults_does_not_wait_for_pages_that_another_has_noted(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    before = faults_after_prefaulting(working_set, memory, SCATTERED)
    note_pages(working_set, memory, SCATTERED)

    assert working_set.is_known
    assert before >= len(SCATTERED)
    assert faults_after_prefaulting(working_set, memory, SCATTERED) < FEW


def test_copy_has_only_pages_that_were_noted(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    note_pages(working_set, memory, SCATTERED)

    assert faults_after_prefaulting(working_set, memory, OTHERS) == MOST


def test_pages_that_a_copy_had_before_it_began_are_not_noted(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    def write_begin_and_note() -> int:
        write_to(memory, SCATTERED)
        working_set.begin()
        working_set.note()
        return 0

    assert in_a_copy(write_begin_and_note) == 0

    faults = faults_after_prefaulting(working_set, memory, SCATTERED)
    assert working_set.is_known
    assert faults >= len(SCATTERED)


def test_copy_that_is_called_leaves_the_rest(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    asked = iter([False, True])
    note_pages(working_set, memory, SCATTERED)

    faults = faults_after_prefaulting(
        working_set, memory, SCATTERED, lambda: next(asked)
    )

    assert FEW < faults < len(SCATTERED)


def test_content_stays_what_it_was(working_set: WorkingSet, memory: mmap.mmap) -> None:
    def prefault_and_compare() -> int:
        working_set.prefault(never)
        return int(memory[:] == before)

    note_pages(working_set, memory, SCATTERED)
    for page in range(PAGES):
        memory[page * PAGE + 7] = page % 256
    before = memory[:]

    assert in_a_copy(prefault_and_compare) == 1


def test_what_is_mapped_no_more_is_passed_over_and_what_is_behind_it_is_not(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    unmap = ctypes.CDLL(None).munmap
    unmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    first = address_of(memory)

    def unmap_and_prefault() -> int:
        assert unmap(first, PAGE) == 0
        working_set.prefault(never)
        return faults_of(lambda: write_to(memory, range(1, PAGES)))

    note_pages(working_set, memory, range(PAGES))

    assert in_a_copy(unmap_and_prefault) < FEW


# What is not noted.


def test_too_many_pages_are_not_noted_and_nobody_tries_again(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    with private_memory(MAX_PAGES + 1) as much:
        note_pages(working_set, much, range(MAX_PAGES + 1))
    note_pages(working_set, memory, SCATTERED)

    assert not working_set.is_known
    assert not working_set.is_unknown


@pytest.mark.parametrize(
    ("function", "code"),
    [("own_pages", errno.EACCES), ("prefault", errno.EINVAL)],
    ids=["the kernel does not show", "the kernel could not copy in advance"],
)
def test_nothing_is_noted_where(
    working_set: WorkingSet,
    memory: mmap.mmap,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    code: int,
) -> None:
    def refuse(_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(_working_set, function, refuse)
        note_pages(working_set, memory, SCATTERED)

    assert not working_set.is_known
    assert not working_set.is_unknown


def test_shared_memory_is_nobodys_own(working_set: WorkingSet, tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.write_bytes(bytes((MAX_PAGES + 1) * PAGE))

    def write() -> None:
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            write_to(shared, range(MAX_PAGES + 1))

    note(working_set, write)

    assert working_set.is_known


def test_pages_of_a_file_that_were_only_read_are_nobodys_own(
    working_set: WorkingSet, tmp_path: Path
) -> None:
    path = tmp_path / "private"
    path.write_bytes(bytes((MAX_PAGES + 1) * PAGE))

    def read() -> None:
        file = path.open("rb")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        assert not any(mapped[page * PAGE] for page in range(MAX_PAGES + 1))
        working_set.note()

    note(working_set, read)

    assert working_set.is_known


def test_memory_that_is_mapped_by_the_gigabyte_is_not_looked_through(
    working_set: WorkingSet,
) -> None:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, LARGE_BYTES, flags=flags) as large:
        write_to(large, range(PAGES))
        note_pages(working_set, large, SCATTERED)

        assert working_set.is_known
        faults = faults_after_prefaulting(working_set, large, SCATTERED)

    assert faults >= len(SCATTERED)


class LastWords:
    """The memory of a set, whose process dies when all is noted but that it is."""

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared

    def __getitem__(self, place: slice) -> bytes:
        return self._shared[place]

    def __setitem__(self, place: slice, value: bytes) -> None:
        if place.start is None:
            os._exit(FAILED)
        self._shared[place] = value


def test_copy_that_is_killed_while_it_notes_has_noted_nothing(
    working_set: WorkingSet, memory: mmap.mmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = working_set._shared

    def note_and_die() -> int:
        monkeypatch.setattr(working_set, "_shared", LastWords(shared))
        working_set.begin()
        write_to(memory, SCATTERED)
        working_set.note()
        return 0

    assert in_a_copy(note_and_die) == FAILED
    assert any(shared[:])  # it came that far
    assert working_set.is_unknown
    note_pages(working_set, memory, SCATTERED)
    assert working_set.is_known
