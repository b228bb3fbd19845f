"""The pages that one copy of a process notes, and that others have from the beginning."""

from __future__ import annotations

import mmap
import resource
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from actors.runtime.working_set import WorkingSet
from tests.support.copies import MOST, in_a_copy

PAGE = mmap.PAGESIZE
PAGES = 1000
SCATTERED = tuple(range(0, PAGES, 5))
TOO_MANY = 5000


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


def faults_of(body: Callable[[], None]) -> int:
    """Return for how many pages *body* had to wait."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    body()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def note_after_writing(working_set: WorkingSet, memory: mmap.mmap) -> int:
    def write_and_note() -> int:
        write_to(memory, SCATTERED)
        working_set.note()
        return 0

    return in_a_copy(write_and_note)


def test_nothing_is_known_in_the_beginning(working_set: WorkingSet) -> None:
    assert not working_set.is_known


def test_copy_that_prefaults_does_not_wait_for_pages_that_another_has_noted(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    def write() -> None:
        write_to(memory, SCATTERED)

    def prefault_and_write() -> int:
        working_set.prefault()
        return faults_of(write)

    assert in_a_copy(lambda: faults_of(write)) >= len(SCATTERED)
    assert note_after_writing(working_set, memory) == 0

    assert working_set.is_known
    assert in_a_copy(prefault_and_write) < len(SCATTERED) / 2


def test_copy_has_only_pages_that_were_noted(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    others = tuple(sorted(set(range(PAGES)) - set(SCATTERED)))

    def prefault_and_write_to_others() -> int:
        working_set.prefault()
        return faults_of(lambda: write_to(memory, others))

    note_after_writing(working_set, memory)

    assert in_a_copy(prefault_and_write_to_others) == MOST


def test_content_stays_what_it_was(working_set: WorkingSet, memory: mmap.mmap) -> None:
    def prefault_and_compare() -> int:
        working_set.prefault()
        return int(memory[:] == before)

    note_after_writing(working_set, memory)
    for page in range(PAGES):
        memory[page * PAGE + 7] = page % 256
    before = memory[:]

    assert in_a_copy(prefault_and_compare) == 1


def test_what_is_mapped_no_more_is_passed_over(
    working_set: WorkingSet, memory: mmap.mmap
) -> None:
    def unmap_and_prefault() -> int:
        memory.close()
        working_set.prefault()
        return 0

    note_after_writing(working_set, memory)

    assert in_a_copy(unmap_and_prefault) == 0


def test_too_many_pages_are_not_noted(working_set: WorkingSet) -> None:
    much = private_memory(TOO_MANY)

    def write_and_note() -> int:
        write_to(much, range(TOO_MANY))
        with pytest.raises(OSError, match="No space"):
            working_set.note()
        return 0

    assert in_a_copy(write_and_note) == 0
    assert not working_set.is_known
    much.close()


def test_shared_memory_is_nobodys_own(working_set: WorkingSet, tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.write_bytes(bytes(TOO_MANY * PAGE))

    def write_and_note() -> int:
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            write_to(shared, range(TOO_MANY))
            working_set.note()
        return 0

    assert in_a_copy(write_and_note) == 0
