"""Where a system keeps its files: what it accepts, and what it says when there is no room."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, SpawnError
from actors.errors import RuntimeDirectoryError
from tests.support.actors_under_test import Counter, Inbox
from transports.errors import NoSpaceError

NOBODY = 65534

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give files away and mount"
)


@contextlib.contextmanager
def memory(path: Path, size: str) -> Iterator[Path]:
    """Mount a memory file system of this size."""
    path.mkdir(mode=0o700)
    options = f"size={size},mode=700"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True
    )
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_system_keeps_its_files_where_it_is_told_and_removes_them(
    tmp_path: Path,
) -> None:
    base = tmp_path / "base"

    with ActorSystem("shop", directory=base) as system:
        assert system.spawn(Counter, 1).result().ask(Counter.add, 1).result() == 2
        (made,) = (path for path in base.iterdir() if path.is_dir())
        assert made.name.startswith("shop.")
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert stat.S_IMODE(base.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in made.glob("*.*")} == {
            0o600
        }

    assert [path for path in base.iterdir() if path.is_dir()] == []


def test_two_systems_of_the_same_name_live_side_by_side(tmp_path: Path) -> None:
    with (
        ActorSystem("shop", directory=tmp_path / "base") as one,
        ActorSystem("shop", directory=tmp_path / "base") as other,
    ):
        first, second = one.spawn(Counter, 1).result(), other.spawn(Counter, 2).result()

        assert first.ask(Counter.add, 0).result() == 1
        assert second.ask(Counter.add, 0).result() == 2
        assert first != second


# Directories that are not ours.


def refusal(directory: Path) -> str:
    """Return what a system says that must not use *directory*."""
    before = sorted(directory.iterdir())
    with pytest.raises(RuntimeDirectoryError) as failure:
        ActorSystem(directory=directory).start()
    assert sorted(directory.iterdir()) == before
    return str(failure.value)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    base = tmp_path / "base"
    base.mkdir()
    base.chmod(mode)

    text = refusal(base)

    assert str(base) in text
    assert f"{mode:o}" in text


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(real)

    text = refusal(link)

    assert str(link) in text
    assert "symbolic link" in text


@as_root
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir(mode=0o700)
    os.chown(base, NOBODY, NOBODY)

    text = refusal(base)

    assert str(base) in text
    assert str(NOBODY) in text


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base").touch()

    with pytest.raises(RuntimeDirectoryError, match="base"):
        ActorSystem(directory=tmp_path / "base").start()


# No room.


@as_root
def test_a_file_system_too_small_for_a_system_says_how_much_it_needs(
    tmp_path: Path,
) -> None:
    with memory(tmp_path / "small", "64k") as small:
        with pytest.raises(NoSpaceError) as failure:
            ActorSystem(directory=small / "base").start()

        assert "bytes" in str(failure.value)
        assert "--shm-size" in str(failure.value)


@as_root
@pytest.mark.parametrize("transport", ["shm", "unix", "pipe", "mq"])
def test_a_spawn_without_room_fails_with_the_size_and_harms_nobody(
    tmp_path: Path, transport: str
) -> None:
    with (
        memory(tmp_path / "small", "4m") as small,
        ActorSystem(directory=small / "base", transport=transport) as system,
    ):
        counters: list[ActorRef[Counter]] = []
        with pytest.raises(SpawnError) as failure:  # noqa: PT012 - any of them may be the one
            for number in range(200):
                counter = system.spawn(Counter, number).result()
                counters.append(counter)

        text = str(failure.value)
        assert "bytes" in text
        assert "--shm-size" in text
        assert len(counters) > 1
        values = [counter.ask(Counter.add, 0).result() for counter in counters]
        assert values == list(range(len(counters)))
        counters.pop(0).kill().result()
        assert system.spawn(Counter, 5).result().ask(Counter.add, 0).result() == 5


@as_root
def test_a_message_without_room_is_refused_at_the_call_and_the_next_one_is_not(
    tmp_path: Path,
) -> None:
    with (
        memory(tmp_path / "small", "4m") as small,
        ActorSystem(directory=small / "base") as system,
    ):
        inbox = system.spawn(Inbox).result()

        with pytest.raises(NoSpaceError) as failure:
            inbox.ask(Inbox.echo, bytes(8 * 2**20))

        assert "--shm-size" in str(failure.value)
        assert inbox.ask(Inbox.echo, bytes(2**20)).result() == bytes(2**20)
        assert inbox.ask(Inbox.echo, 1).result() == 1


@as_root
def test_a_result_without_room_is_an_error_of_its_ask(tmp_path: Path) -> None:
    with (
        memory(tmp_path / "small", "4m") as small,
        ActorSystem(directory=small / "base") as system,
    ):
        inbox = system.spawn(Inbox).result()

        with pytest.raises(NoSpaceError, match="--shm-size") as failure:
            inbox.ask(Inbox.make, 8 * 2**20).result()

        assert any("Inbox.make" in note for note in failure.value.__notes__)
        assert len(inbox.ask(Inbox.make, 2**20).result()) == 2**20
