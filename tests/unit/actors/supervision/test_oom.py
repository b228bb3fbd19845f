from __future__ import annotations

from pathlib import Path

import pytest

from actors.supervision.oom import Oom, OomWitness, counter


class Kernel:
    """A counter of kills for lack of memory."""

    def __init__(self, file: Path) -> None:
        """Begin at 2: others have been killed before."""
        self.file = file
        self.count = 2
        self.kill(0)

    def kill(self, times: int = 1) -> None:
        self.count += times
        self.file.write_text(f"low 0\noom 7\noom_kill {self.count}\n")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path / "memory.events")


@pytest.fixture
def witness(kernel: Kernel) -> OomWitness:
    return OomWitness(kernel.file)


def test_process_that_died_while_nothing_was_counted_was_not_killed_for_memory(
    witness: OomWitness,
) -> None:
    assert witness.testify(1, 0, set) is Oom.NO


def test_the_only_one_that_died_while_one_was_counted_was_killed_for_memory(
    kernel: Kernel, witness: OomWitness
) -> None:
    kernel.kill()

    assert witness.testify(1, 0, set) is Oom.YES
    assert witness.testify(2, 0, set) is Oom.NO


def test_kill_before_the_process_was_made_was_of_another(
    kernel: Kernel, witness: OomWitness
) -> None:
    kernel.kill()
    at_birth = witness.kills()

    assert witness.testify(1, at_birth, set) is Oom.NO


def test_of_more_deaths_than_kills_each_is_suspected(
    kernel: Kernel, witness: OomWitness
) -> None:
    kernel.kill()

    told = [witness.testify(each, 0, lambda: {1, 2, 3}) for each in (1, 2, 3, 4)]

    assert told == [Oom.SUSPECTED, Oom.SUSPECTED, Oom.SUSPECTED, Oom.NO]


def test_of_as_many_deaths_as_kills_each_was_killed_for_memory(
    kernel: Kernel, witness: OomWitness
) -> None:
    kernel.kill(2)

    told = [witness.testify(each, 0, lambda: {1, 2}) for each in (1, 2, 3)]

    assert told == [Oom.YES, Oom.YES, Oom.NO]


def test_nothing_is_known_where_nobody_counts() -> None:
    witness = OomWitness(None)

    assert witness.kills() == 0
    assert witness.testify(1, 0, set) is Oom.UNKNOWN


def test_counter_of_this_machine_is_one_or_none() -> None:
    file = counter()

    assert file is None or OomWitness(file).kills() >= 0
