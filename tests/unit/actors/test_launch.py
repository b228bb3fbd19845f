"""A start that fails leaves nothing behind; that no descriptor and no process is left is checked after every test."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path

import pytest

from actors.launch import _module_path, launch
from actors.settings import Settings


def settings(tmp_path: Path, name: str) -> Settings:
    return Settings(
        name=name,
        transport="shm",
        directory=tmp_path / "base",
        drain=0,
        max_message_bytes=2**20,
        preload=(),
        output="labelled",
    )


@pytest.mark.parametrize("failing", [1, 2], ids=["before", "behind"])
def test_descriptors_that_run_out_around_the_start_of_the_root_leave_nothing(
    failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root went on, on a directory that had been removed."""
    pidfd_open, calls = os.pidfd_open, []

    def fail(pid: int) -> int:
        calls.append(pid)
        if len(calls) == failing:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return pidfd_open(pid)

    monkeypatch.setattr(os, "pidfd_open", fail)

    with pytest.raises(OSError, match="Too many open files"):
        launch(settings(tmp_path, "unlucky"))

    assert list((tmp_path / "base").iterdir()) == []


def test_without_a_working_directory_a_relative_entry_of_the_path_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that came from standard input could not start a system there."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "path", ["", "lib", "/usr/lib"])

    assert _module_path() == ["/usr/lib"]


async def test_the_loop_runs_on_while_the_root_takes_its_time_to_exit(
    tmp_path: Path,
) -> None:
    """It stood still for up to five seconds."""
    root = launch(settings(tmp_path, "slow"))
    try:
        task = asyncio.create_task(root.exited())
        for _ in range(10):
            await asyncio.sleep(0)
        was_waiting = not task.done()
        root.process.kill()
        await task
    finally:
        root.end(at_once=True)

    assert was_waiting
