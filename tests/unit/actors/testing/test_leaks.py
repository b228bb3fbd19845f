from __future__ import annotations

import gc
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest

import _actors_pytestplugin
from actors import ActorSystem
from actors.runtime import status, systems
from actors.testing import leaks, queues
from actors.testing.leaks import Leak
from tests.support.actors_under_test import Counter
from tests.support.gates import wait_until

ORPHAN = """
import subprocess
print(subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL).pid)
"""


class Descriptor:
    """Closes a descriptor in the end; part of a cycle."""

    other: Descriptor

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __del__(self) -> None:
        os.close(self._fd)


@pytest.fixture
def named_object() -> Iterator[Path]:
    path = leaks.NAMED_OBJECTS / f"leaks-{leaks.RUN}"
    path.touch()
    yield path
    path.unlink(missing_ok=True)


def test_a_running_child_is_a_leak_until_it_has_been_waited_for() -> None:
    before = leaks.look()
    child = subprocess.Popen(["sleep", "60"])

    running = leaks.left_since(before)
    child.kill()
    child.wait()

    assert [str(leak).partition(":")[0] for leak in running] == [f"process {child.pid}"]
    assert leaks.left_since(before) == []


def test_a_process_whose_parent_has_died_is_a_leak() -> None:
    before = leaks.look()
    result = subprocess.run(
        [sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, check=True
    )
    orphan = int(result.stdout)

    left = leaks.left_since(before)
    os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: not leaks.left_since(before), "the end of the orphan")

    assert [str(leak).partition(":")[0] for leak in left] == [f"process {orphan}"]


def test_a_child_of_a_process_that_ran_before_is_no_leak() -> None:
    shell = subprocess.Popen(
        ["sh", "-c", "read line; sleep 60 & echo $!; wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert shell.stdin
    assert shell.stdout
    before = leaks.look()

    with shell:
        shell.stdin.write(b"go\n")
        shell.stdin.flush()
        grandchild = int(shell.stdout.readline())
        left = leaks.left_since(before)
        os.kill(grandchild, signal.SIGKILL)

    assert left == []


def test_a_descriptor_left_open_is_a_leak() -> None:
    before = leaks.look()
    read, write = os.pipe()

    left = leaks.left_since(before)
    os.close(read)
    os.close(write)

    assert len(left) == 2
    assert str(left[0]).startswith(f"descriptor {read} pipe:")


def test_a_named_object_that_nobody_holds_is_a_leak(named_object: Path) -> None:
    named_object.unlink()
    before = leaks.look()

    named_object.touch()

    assert leaks.left_since(before) == [Leak("file", str(named_object))]


KEEP = {
    "open": "sleep 60 > '{path}' & echo $!",
    "mapped": f"""{sys.executable} -c '
import ctypes, os, signal
path = "{{path}}.new"
fd = os.open(path, os.O_RDWR | os.O_CREAT)
ctypes.CDLL(None).mmap(None, 4096, 1, 1, fd, 0)  # the module would keep a descriptor
os.close(fd)
os.rename(path, "{{path}}")
signal.pause()
' > /dev/null & echo $!""",
}


def test_a_named_object_that_goes_while_it_is_looked_at_is_no_leak(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Strangers that made a directory after the other had one there at any time, and none that stayed."""
    monkeypatch.setattr(leaks, "NAMED_OBJECTS", tmp_path)
    before = leaks.look()
    passing, staying = tmp_path / "passing", tmp_path / "staying"
    passing.touch()
    staying.touch()

    def look_at_others(*_: object) -> set[str]:
        passing.unlink()
        return set()

    monkeypatch.setattr(leaks, "_of_others", look_at_others)

    assert leaks.left_since(before) == [Leak("file", str(staying))]


def test_names_that_come_and_go_are_no_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers that make directories all the time have one there at each look, and none that stays."""
    looks = itertools.count()
    find = leaks.watch()
    monkeypatch.setattr(leaks, "LEAVING_SECONDS", 0.05)
    monkeypatch.setattr(leaks, "_names", lambda: ["staying", f"{next(looks) // 2}"])
    monkeypatch.setattr(leaks, "_of_others", lambda *_: set())

    assert find() == [Leak("file", "staying")]


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Let nothing be collected that is not asked for."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_a_descriptor_in_what_becomes_garbage_at_the_end_is_no_leak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = leaks.watch()
    read, write = map(Descriptor, os.pipe())
    read.other, write.other = write, read
    held = [read, write]
    del read, write
    monkeypatch.setattr(time, "sleep", lambda _: held.clear())

    assert find() == []


@pytest.mark.parametrize("way", KEEP)
def test_a_named_object_that_a_stranger_holds_is_no_leak(
    named_object: Path, way: str
) -> None:
    named_object.unlink()
    environment = {k: v for k, v in os.environ.items() if k != leaks.MARKER}
    before = leaks.look()
    result = subprocess.run(
        ["sh", "-c", KEEP[way].format(path=named_object)],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    stranger = int(result.stdout)

    wait_until(named_object.exists, "the stranger's file")
    left = leaks.left_since(before)
    os.kill(stranger, signal.SIGKILL)

    assert left == []
    wait_until(
        lambda: leaks.left_since(before) == [Leak("file", str(named_object))],
        "its end to be noticed",
    )


@pytest.fixture
def base() -> Iterator[Path]:
    path = leaks.NAMED_OBJECTS / f"actors-leaks-{leaks.RUN}"
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def queue() -> Iterator[Path]:
    name = f"/actors-{uuid.uuid4().hex}"
    yield queues.FOLDER / name[1:]
    posix_ipc.unlink_message_queue(name)


sees_queues = pytest.mark.skipif(
    not queues.are_seen(), reason="needs /dev/mqueue, or CAP_SYS_ADMIN"
)


def make_queue(path: Path) -> None:
    """Make a queue that nobody has open."""
    name = f"/{path.name}"
    made = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=1)
    made.close()


def make_system(path: Path, pid: int) -> None:
    """Make what stays of a system whose program was killed."""
    path.mkdir()
    with (path / "1.status").open("wb+") as file:
        file.truncate(status.size(0, 0, 0))
        page = status.StatusPage.format(file.fileno(), 0, 0, "")
        page.words[status.PID] = pid
        page.close()


def test_a_system_of_this_process_that_stays_is_a_leak(base: Path) -> None:
    before = leaks.look()

    make_system(base / "system.1", os.getpid())

    assert leaks.left_since(before) == [Leak("file", str(base / "system.1"))]


def test_what_a_killed_stranger_left_of_its_system_is_no_leak(base: Path) -> None:
    stranger = subprocess.Popen(["true"])
    stranger.wait()
    before = leaks.look()

    make_system(base / "system.1", stranger.pid)

    assert leaks.left_since(before) == []


@sees_queues
def test_a_queue_that_nobody_has_open_is_a_leak(queue: Path) -> None:
    before = leaks.look()

    make_queue(queue)

    assert leaks.left_since(before) == [Leak("queue", str(queue))]


@sees_queues
def test_a_queue_of_a_system_that_ran_before_is_no_leak(system: ActorSystem) -> None:
    before = leaks.look()

    counter = system.options(transport="mq").spawn(Counter).result()
    made = set(leaks.look().names - before.names)
    left = leaks.left_since(before)
    counter.kill().result()

    assert queues.FOLDER in {Path(name).parent for name in made}  # others make theirs
    assert left == []


@sees_queues
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_queue_in_a_system_that_a_killed_stranger_left_is_no_leak(
    queue: Path, base: Path, monkeypatch: pytest.MonkeyPatch, *, is_ours: bool
) -> None:
    monkeypatch.setattr(systems, "default_base", lambda: base)
    stranger = subprocess.Popen(["true"])
    stranger.wait()
    before = leaks.look()

    make_system(base / "system.1", os.getpid() if is_ours else stranger.pid)
    (base / "system.1" / "2.mail").write_text(f"/{queue.name}")
    make_queue(queue)

    kinds = {leak.kind for leak in leaks.left_since(before)}
    assert kinds == ({"file", "queue"} if is_ours else set())


def test_who_cannot_mount_queues_sees_none_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(queues, "FOLDER", tmp_path)
    monkeypatch.setattr(queues, "_call", refuse)
    monkeypatch.setattr(queues, "_folder_fd", queues._folder_fd.__wrapped__)

    assert not queues.are_seen()
    assert list(queues.names()) == []


@pytest.mark.parametrize("is_mounted", [True, False])
def test_the_head_of_the_report_says_where_queues_may_go_unseen(
    monkeypatch: pytest.MonkeyPatch, *, is_mounted: bool
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda _: is_mounted)

    said = _actors_pytestplugin.pytest_report_header()

    assert ("CAP_SYS_ADMIN" in (said or "")) is not is_mounted


def test_a_child_imports_test_support_from_any_directory(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import tests.support.gates, transports"],
        cwd=tmp_path,
        check=False,
    )

    assert result.returncode == 0
