"""The directories of systems: making, opening, finding, sweeping and removing them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.errors import OptionError, RuntimeDirectoryError
from actors.runtime import systems
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.systems import Leftover, Swept
from tests.support.queues import has_queue
from transports import registry
from transports.errors import NoSpaceError

NOBODY = 65534

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give files away and mount"
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "base"


@pytest.fixture
def system(base: Path) -> Iterator[RuntimeDirectory]:
    made = systems.create(base, "shop")
    yield made
    made.close()


def python(
    script: str, *args: object, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )


@contextlib.contextmanager
def holder(
    base: Path, name: str = "shop"
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a process that creates a system and holds its lock until its input ends."""
    script = """
import sys
from pathlib import Path
from actors.runtime import systems

made = systems.create(Path(sys.argv[1]), sys.argv[2])
print(made.path, flush=True)
sys.stdin.read()
"""
    with python(script, base, name) as process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().rstrip("\n"))
        finally:
            process.kill()


def stale(base: Path, name: str, manifest: str | None = "actors 1\n") -> Path:
    """Make a directory as it is when its creator has been killed."""
    base.mkdir(0o700, exist_ok=True)
    path = base / name
    path.mkdir(0o700)
    (path / "code").mkdir(0o700)
    (path / "blob").mkdir(0o700)
    (path / "lock").touch(0o600)
    if manifest is not None:
        (path / "manifest").touch(0o600)
        (path / "manifest").write_text(manifest)
    return path


def names_in(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def descriptors() -> int:
    return len(names_in(Path("/proc/self/fd")))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# Creating.


def test_default_base_is_in_shared_memory_and_belongs_to_the_user() -> None:
    assert systems.default_base() == Path(f"/dev/shm/actors-{os.geteuid()}")


def test_created_directory_can_be_entered_by_its_user_alone(
    base: Path, system: RuntimeDirectory
) -> None:
    modes = {path.name: mode(path) for path in system.path.iterdir()}

    assert (mode(base), mode(system.path)) == (0o700, 0o700)
    assert modes == {"lock": 0o600, "manifest": 0o600, "code": 0o700, "blob": 0o700}


def test_created_directory_is_named_after_its_system(system: RuntimeDirectory) -> None:
    name, _, incarnation = system.name.partition(".")

    assert name == "shop"
    assert incarnation.isdecimal()
    assert system.path.name == system.name


def test_descriptors_lead_to_the_parts_of_the_directory(
    system: RuntimeDirectory,
) -> None:
    found = [
        Path(f"/proc/self/fd/{fd}").readlink()
        for fd in (system.fd, system.code_fd, system.blob_fd, system.lock_fd)
    ]

    assert found == [
        system.path,
        *(system.path / name for name in ("code", "blob", "lock")),
    ]


def test_no_descriptor_is_inherited_unless_it_is_passed(
    system: RuntimeDirectory,
) -> None:
    fds = (system.fd, system.code_fd, system.blob_fd, system.lock_fd)

    assert not any(os.get_inheritable(fd) for fd in fds)


def test_path_of_the_longest_name_is_short_for_every_user(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = systems.create(base, "s" * 32)
    made.close()
    monkeypatch.setattr(os, "geteuid", lambda: 2**32 - 2)

    path = systems.default_base() / made.name

    assert len(os.fsencode(path)) < 80


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Shop",
        "a.b",
        "a/b",
        "..",
        "s" * 33,
        "shop\n",
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    ],
)
def test_name_that_is_no_system_name_is_refused_before_anything_is_made(
    base: Path, name: str
) -> None:
    with pytest.raises(OptionError, match=r"^system=.*1 to 32 characters"):
        systems.create(base, name)

    assert not base.exists()


def test_two_systems_may_have_the_same_name(
    base: Path, system: RuntimeDirectory
) -> None:
    other = systems.create(base, "shop")
    other.close()

    assert other.path != system.path


def test_incarnations_grow_even_when_the_clock_was_set_back(base: Path) -> None:
    future = 9_000_000_000_000_000
    stale(base, f"shop.{future}", "actors 99\n")

    first = systems.create(base, "shop")
    second = systems.create(base, "other")
    first.close()
    second.close()

    assert (first.name, second.name) == (f"shop.{future + 1}", f"other.{future + 2}")


def test_relative_base_makes_an_absolute_path(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)

    made = systems.create(Path("base"), "shop")
    made.close()

    assert made.path.parent == base


# Bases that are not ours alone.


def check_refused(base: Path, found: str) -> None:
    before, open_before = base.lstat(), descriptors()
    required = f"required: a real directory of user {os.geteuid()} with mode 0700"

    with pytest.raises(RuntimeDirectoryError) as caught:
        systems.create(base, "shop")
    with pytest.raises(RuntimeDirectoryError):
        systems.find_live(base, "shop")
    with pytest.raises(RuntimeDirectoryError):
        systems.sweep(base)

    assert str(caught.value) == f"{base}: found: {found}; {required}"
    assert descriptors() == open_before
    after = base.lstat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)


@pytest.mark.parametrize("bits", [0o755, 0o710, 0o701, 0o770, 0o500, 0o1777])
def test_base_that_others_can_enter_or_we_cannot_is_refused(
    base: Path, bits: int
) -> None:
    base.mkdir()
    base.chmod(bits)

    check_refused(base, f"a directory of user {os.geteuid()} with mode {bits:04o}")


def test_base_that_is_a_link_is_refused_and_not_followed(
    base: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir(0o700)
    base.symlink_to(target)

    check_refused(base, "a symbolic link")

    assert list(target.iterdir()) == []


def test_base_that_is_a_dangling_link_is_refused(base: Path) -> None:
    base.symlink_to("nowhere")

    check_refused(base, "a symbolic link")


def test_base_that_is_a_file_is_refused(base: Path) -> None:
    base.touch(0o700)

    check_refused(base, "Not a directory")


@as_root
def test_base_of_another_user_is_refused(base: Path) -> None:
    base.mkdir(0o700)
    os.chown(base, NOBODY, NOBODY)

    check_refused(base, f"a directory of user {NOBODY} with mode 0700")


def test_base_whose_parent_is_missing_is_refused_with_the_reason(base: Path) -> None:
    with pytest.raises(RuntimeDirectoryError, match="cannot be made: No such file"):
        systems.create(base / "below", "shop")


def test_umask_that_takes_our_own_rights_is_refused_and_nothing_stays(
    base: Path,
) -> None:
    base.mkdir(0o700)
    before, open_before = os.umask(0o277), descriptors()

    try:
        with pytest.raises(RuntimeDirectoryError, match="with mode 0500"):
            systems.create(base, "shop")
    finally:
        os.umask(before)

    assert list(base.iterdir()) == []
    assert descriptors() == open_before


def test_umask_that_takes_the_rights_of_others_changes_nothing(base: Path) -> None:
    before = os.umask(0o077)

    try:
        made = systems.create(base, "shop")
    finally:
        os.umask(before)
    made.close()

    assert mode(made.path / "lock") == 0o600


# Opening.


def test_other_process_opens_the_directory_by_its_path(
    system: RuntimeDirectory,
) -> None:
    script = """
import os, sys
from pathlib import Path
from actors.runtime.directory import RuntimeDirectory

opened = RuntimeDirectory.open(Path(sys.argv[1]))
os.close(opened.create_file("17.status", 4096))
print(opened.name, opened.lock_fd)
"""

    with python(script, system.path) as process:
        out, _ = process.communicate()

    assert out.split() == [system.name, "-1"]
    assert (system.path / "17.status").stat().st_size == 4096


def test_file_without_our_own_rights_is_refused_and_not_left_behind(
    system: RuntimeDirectory,
) -> None:
    before, open_before = os.umask(0o277), descriptors()

    try:
        with pytest.raises(RuntimeDirectoryError, match="has mode 0400, not 0600"):
            system.create_file("17.mail", 10)
    finally:
        os.umask(before)

    assert not (system.path / "17.mail").exists()
    assert descriptors() == open_before


@pytest.mark.parametrize("name", ["", "code", "blob"])
def test_directory_that_others_can_enter_is_not_opened(
    system: RuntimeDirectory, name: str
) -> None:
    (system.path / name).chmod(0o750)
    before = descriptors()

    with pytest.raises(RuntimeDirectoryError, match="with mode 0750; required"):
        RuntimeDirectory.open(system.path)

    assert descriptors() == before


@pytest.mark.parametrize("name", ["code", "blob"])
def test_directory_with_a_link_in_place_of_a_part_is_not_opened(
    system: RuntimeDirectory, tmp_path: Path, name: str
) -> None:
    (system.path / name).rmdir()
    (system.path / name).symlink_to(tmp_path)

    with pytest.raises(RuntimeDirectoryError, match=f"{name}: found: a symbolic link"):
        RuntimeDirectory.open(system.path)


def test_link_to_a_directory_is_not_opened(
    system: RuntimeDirectory, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(system.path)

    with pytest.raises(RuntimeDirectoryError, match="found: a symbolic link"):
        RuntimeDirectory.open(link)


def test_directory_that_is_gone_is_not_opened(base: Path) -> None:
    with pytest.raises(RuntimeDirectoryError, match="found: No such file"):
        RuntimeDirectory.open(base / "shop.1")


@pytest.mark.parametrize("manifest", ["actors 2\n", "", None], ids=repr)
def test_directory_of_another_version_is_not_opened(
    base: Path, manifest: str | None
) -> None:
    path = stale(base, "shop.1", manifest)

    with pytest.raises(RuntimeDirectoryError, match="found the version"):
        RuntimeDirectory.open(path)


# Files.


def test_file_has_its_size_allocated_and_is_ours_alone(
    system: RuntimeDirectory,
) -> None:
    fd = system.create_file("17.mail", 100_000)

    info = os.fstat(fd)
    inherited = os.get_inheritable(fd)
    os.close(fd)

    assert info.st_size == 100_000
    assert info.st_blocks * 512 >= 100_000
    assert stat.S_IMODE(info.st_mode) == 0o600
    assert not inherited


def test_file_may_be_empty(system: RuntimeDirectory) -> None:
    os.close(system.create_file("empty", 0))

    assert (system.path / "empty").stat().st_size == 0


def test_file_is_refused_when_its_name_is_taken(system: RuntimeDirectory) -> None:
    os.close(system.create_file("17.mail", 10))

    with pytest.raises(FileExistsError):
        system.create_file("17.mail", 10)

    assert (system.path / "17.mail").stat().st_size == 10


def test_file_is_not_created_through_a_link(
    system: RuntimeDirectory, tmp_path: Path
) -> None:
    (system.path / "17.mail").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError):
        system.create_file("17.mail", 10)

    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield path
    # Lazily: a test that leaks a descriptor must not leave the mount as well.
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@as_root
def test_file_on_a_full_tmpfs_is_refused_and_leaves_nothing(small_tmpfs: Path) -> None:
    made = systems.create(small_tmpfs, "shop")
    before = descriptors()

    with pytest.raises(NoSpaceError, match="1000000") as caught:
        made.create_file("17.mail", 1_000_000)
    os.close(made.create_file("18.mail", 4096))
    names = names_in(made.path)
    made.close()

    assert "--shm-size" in str(caught.value)
    assert "17.mail" not in names
    assert "18.mail" in names
    assert descriptors() == before - 4


@as_root
def test_system_on_a_full_tmpfs_is_refused_and_leaves_nothing(
    small_tmpfs: Path,
) -> None:
    with (
        (small_tmpfs / "filler").open("wb", buffering=0) as file,
        contextlib.suppress(OSError),
    ):
        while True:
            file.write(bytes(4096))
    before = descriptors()

    with pytest.raises(NoSpaceError, match="--shm-size"):
        systems.create(small_tmpfs, "shop")

    assert names_in(small_tmpfs) == ["filler"]
    assert descriptors() == before


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, NoSpaceError), (errno.EDQUOT, NoSpaceError), (errno.EIO, OSError)],
)
def test_file_that_cannot_be_allocated_is_not_left_behind(
    system: RuntimeDirectory,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[Exception],
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    before = descriptors()

    with pytest.raises(error):
        system.create_file("17.mail", 4096)

    assert not (system.path / "17.mail").exists()
    assert descriptors() == before


# The lock.


def test_system_is_live_while_its_process_lives(base: Path) -> None:
    with holder(base) as (_, path):
        assert systems.find_live(base, "shop") == [path]
        assert systems.sweep(base) == Swept()
        assert path.exists()


def test_system_is_swept_once_its_process_was_killed(base: Path) -> None:
    with holder(base) as (process, path):
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert systems.find_live(base, "shop") == []
        assert systems.sweep(base) == Swept(removed=(path.name,))
        assert list(base.iterdir()) == []


def test_system_of_a_stopped_process_is_live(base: Path) -> None:
    with holder(base) as (process, path):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)

        assert systems.find_live(base, "shop") == [path]


def test_lock_goes_over_to_the_process_that_inherits_it(base: Path) -> None:
    made = systems.create(base, "shop")
    script = "import sys; print(flush=True); sys.stdin.read()"

    with python(script, pass_fds=(made.lock_fd,)) as heir:
        assert heir.stdout is not None
        heir.stdout.readline()
        made.release_lock()
        made.close()

        assert systems.find_live(base, "shop") == [made.path]

        heir.kill()
        heir.wait()

        assert systems.sweep(base).removed == (made.name,)


def test_inherited_lock_is_held_until_it_is_released(base: Path) -> None:
    made = systems.create(base, "shop")
    copy = os.dup(made.lock_fd)
    os.set_inheritable(copy, True)  # noqa: FBT003 - positional only
    heir = RuntimeDirectory.open(made.path, lock_fd=copy)
    made.close()

    is_passed_on = os.get_inheritable(heir.lock_fd)
    live = systems.find_live(base, "shop")
    heir.release_lock()
    heir.release_lock()
    after = systems.find_live(base, "shop")
    heir.close()

    assert live == [made.path]
    assert after == []
    assert not is_passed_on


def test_live_systems_are_listed_oldest_first(base: Path) -> None:
    made = [systems.create(base, "shop") for _ in range(3)]
    for each, name in zip(made, ("shop.99", "shop.100", "shop.9"), strict=True):
        each.path.rename(base / name)

    found = [path.name for path in systems.find_live(base, "shop")]
    for each in made:
        each.close()

    assert found == ["shop.9", "shop.99", "shop.100"]


def test_only_running_systems_of_that_name_are_listed(base: Path) -> None:
    made = [systems.create(base, name) for name in ("shop", "shop-2", "other")]
    stale(base, "shop.1")
    (base / "shop.2").symlink_to(made[0].path)
    (base / "shop.3").write_text("no directory")

    found = systems.find_live(base, "shop")
    for each in made:
        each.close()

    assert found == [made[0].path]


def test_nothing_is_live_or_stale_where_there_is_no_base(base: Path) -> None:
    assert systems.find_live(base, "shop") == []
    assert systems.sweep(base) == Swept()
    assert not base.exists()


# Sweeping.


def test_creation_sweeps_what_killed_systems_left(base: Path) -> None:
    stale(base, "shop.1")
    stale(base, "other.2")

    made = systems.create(base, "third")
    made.close()

    assert names_in(base) == [made.name]


# Runs an operation in forked children; the first is killed at its first call of the system, the second at its second, and so on
# until one gets to its end. Prints what a sweep leaves each time. Forking saves the imports of a new interpreter for each.
KILLED_AT_EVERY_CALL = """
import fcntl, os, shutil, signal, sys
from pathlib import Path
from actors.runtime import systems

base = Path(sys.argv[1])
left = 0

def deadly(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

def run(operation, prepare):
    global left
    for call in range(1, 1000):
        prepare()
        if not (child := os.fork()):
            for module, names in {os: "mkdir open write fstat unlink rmdir scandir listdir", fcntl: "flock"}.items():
                for name in names.split():
                    setattr(module, name, deadly(getattr(module, name)))
            left = call
            operation()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        swept = systems.sweep(base)
        print(status, len(swept.left), os.listdir(base) if base.exists() else [])
        if status != signal.SIGKILL:
            break
        shutil.rmtree(base, ignore_errors=True)
"""


def killed_at_every_call(base: Path, script: str) -> list[str]:
    with python(KILLED_AT_EVERY_CALL + script, base) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    return out.splitlines()


def test_creator_killed_at_any_call_leaves_nothing_for_ever(base: Path) -> None:
    lines = killed_at_every_call(
        base, 'run(lambda: systems.create(base, "shop"), lambda: None)'
    )

    assert lines[-1] == "0 0 []"
    assert set(lines[:-1]) == {"9 0 []"}
    assert len(lines) > 20


def test_sweeper_killed_at_any_call_leaves_the_rest_to_the_next(base: Path) -> None:
    script = """
def prepare():
    made = systems.create(base, "shop")
    os.close(made.create_file("17.mail", 4096))
    made.close()

run(lambda: systems.sweep(base), prepare)
"""

    lines = killed_at_every_call(base, script)

    assert lines[-1] == "0 0 []"
    assert set(lines[:-1]) == {"9 0 []"}
    assert len(lines) > 20


def test_systems_that_start_at_once_never_sweep_each_other(base: Path) -> None:
    script = """
import sys
from pathlib import Path
from actors.runtime import systems

sys.stdin.read()
for _ in range(30):
    swept = systems.sweep(Path(sys.argv[1]))
    assert swept.left == (), swept
    made = systems.create(Path(sys.argv[1]), "shop")
    assert made.path in systems.find_live(Path(sys.argv[1]), "shop")
    made.create_file("17.mail", 4096)
    if len(sys.argv) > 2:
        made.remove()
    made.close()  # without remove(): the next one of whoever comes first sweeps it
print("done")
"""
    processes = [
        python(script, base),
        python(script, base),
        python(script, base, "tidy"),
    ]

    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    outputs = [process.communicate()[0] for process in processes]
    systems.sweep(base)

    assert outputs == ["done\n"] * 3
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("manifest", [None, "", "actors", "actors 1"], ids=repr)
def test_half_made_directory_is_swept(base: Path, manifest: str | None) -> None:
    stale(base, "shop.1", manifest)

    assert systems.sweep(base) == Swept(removed=("shop.1",))


def test_directory_without_a_lock_is_swept(base: Path) -> None:
    (stale(base, "shop.1") / "lock").unlink()

    assert systems.sweep(base) == Swept(removed=("shop.1",))


def test_directory_of_another_version_is_left_alone_and_reported(base: Path) -> None:
    path = stale(base, "shop.1", "actors 2\nsomething\n")

    swept = systems.sweep(base)

    assert swept == Swept(left=(Leftover("shop.1", "of another version: 'actors 2'"),))
    assert {entry.name for entry in path.iterdir()} == {
        "lock",
        "manifest",
        "code",
        "blob",
    }


@pytest.mark.parametrize("name", ["Shop.1", "shop", "shop.1.2", "shop.-1", "notes.txt"])
def test_directory_with_a_foreign_name_is_left_alone_and_reported(
    base: Path, name: str
) -> None:
    stale(base, name)

    swept = systems.sweep(base)

    assert swept == Swept(left=(Leftover(name, "not a name of ours"),))
    assert (base / name).exists()


def test_entry_that_is_no_directory_is_left_alone_and_reported(
    base: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir(0o700)
    (target / "precious").touch()
    base.mkdir(0o700)
    (base / "shop.1").symlink_to(target)
    (base / "shop.2").touch()

    swept = systems.sweep(base)

    assert [entry.name for entry in swept.left] == ["shop.1", "shop.2"]
    assert "a symbolic link" in swept.left[0].why
    assert (target / "precious").exists()
    assert len(list(base.iterdir())) == 2


@as_root
def test_directory_of_another_user_is_left_alone_and_reported(base: Path) -> None:
    os.chown(stale(base, "shop.1"), NOBODY, NOBODY)

    swept = systems.sweep(base)

    assert swept.removed == ()
    assert f"user {NOBODY}" in swept.left[0].why
    assert (base / "shop.1" / "lock").exists()


@pytest.mark.parametrize("part", ["lock", "manifest"])
def test_directory_with_a_link_in_place_of_a_file_is_left_alone(
    base: Path, tmp_path: Path, part: str
) -> None:
    path = stale(base, "shop.1")
    (path / part).unlink()
    (path / part).symlink_to(tmp_path / "victim")

    swept = systems.sweep(base)

    assert [entry.name for entry in swept.left] == ["shop.1"]
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("part", ["lock", "manifest"])
def test_fifo_in_place_of_a_file_does_not_block_the_sweep(
    base: Path, part: str
) -> None:
    path = stale(base, "shop.1")
    (path / part).unlink()
    os.mkfifo(path / part, 0o600)

    swept = systems.sweep(base)

    assert swept.removed == ()
    assert f"{part} is not a regular file" in swept.left[0].why


# What lives elsewhere.

ANNOUNCED = "mq 17.mail"
FOREIGN = ["mq", "mq ../17.mail", "mq 17.mail ", "MQ 17.mail", "mq x.mail", ""]


def a_queue(dir_fd: int) -> str:
    os.close(registry.get("mq").create(dir_fd, "17.mail"))
    fd = os.open("17.mail", os.O_RDONLY, dir_fd=dir_fd)
    with os.fdopen(fd) as file:
        return file.read()


def test_queue_of_a_killed_system_is_removed_with_its_directory(base: Path) -> None:
    made = systems.create(base, "shop")
    made.announce("mq", "17.mail")
    queue = a_queue(made.fd)
    made.close()

    swept = systems.sweep(base)

    assert not has_queue(queue)
    assert swept == Swept(removed=(made.name,))


def test_queue_of_a_system_that_ends_is_removed_with_its_directory(
    system: RuntimeDirectory,
) -> None:
    system.announce("mq", "17.mail")
    queue = a_queue(system.fd)

    system.remove()

    assert not has_queue(queue)


def test_creation_removes_queues_of_killed_systems_too(base: Path) -> None:
    path = stale(base, "shop.1", f"actors 1\n{ANNOUNCED}\n")
    fd = os.open(path, os.O_DIRECTORY)
    queue = a_queue(fd)
    os.close(fd)

    systems.create(base, "shop").close()

    assert not has_queue(queue)


def test_announced_mailbox_that_was_never_made_is_no_obstacle(base: Path) -> None:
    stale(base, "shop.1", f"actors 1\n{ANNOUNCED}\n")

    assert systems.sweep(base) == Swept(removed=("shop.1",))


def test_mailbox_of_a_transport_that_is_not_installed_keeps_its_directory(
    base: Path,
) -> None:
    path = stale(base, "shop.1", "actors 1\nzmq 17.mail\n")

    swept = systems.sweep(base)

    assert [entry.name for entry in swept.left] == ["shop.1"]
    assert "no transport for 'zmq'" in swept.left[0].why
    assert path.exists()


@pytest.mark.parametrize("line", FOREIGN)
def test_foreign_line_in_a_manifest_is_reported_and_never_touched(
    base: Path, line: str
) -> None:
    stale(base, "shop.1", f"actors 1\n{line}\n")

    swept = systems.sweep(base)

    why = "not a mailbox of ours, in the manifest of shop.1"
    assert swept == Swept(removed=("shop.1",), left=(Leftover(line, why),))


def test_announcement_that_was_cut_short_is_ignored(base: Path) -> None:
    stale(base, "shop.1", "actors 1\nzmq 17.mail")

    assert systems.sweep(base) == Swept(removed=("shop.1",))


def test_manifest_that_is_no_text_is_another_version(base: Path) -> None:
    path = stale(base, "shop.1")
    (path / "manifest").write_bytes(b"\xff\xfe\n\x00\n")

    assert "another version" in systems.sweep(base).left[0].why


@pytest.mark.parametrize(
    ("scheme", "name"), [("MQ", "17.mail"), ("mq", "../17.mail"), ("mq", "a\nb")]
)
def test_mailbox_that_a_sweep_would_not_know_is_not_announced(
    system: RuntimeDirectory, scheme: str, name: str
) -> None:
    with pytest.raises(ValueError, match="not a mailbox that a sweep would recognise"):
        system.announce(scheme, name)

    assert (system.path / "manifest").read_text() == "actors 1\n"


@as_root
def test_announcement_that_finds_room_for_half_a_line_is_refused_and_taken_back(
    small_tmpfs: Path,
) -> None:
    made = systems.create(small_tmpfs, "shop")
    manifest = made.path / "manifest"
    page = os.sysconf("SC_PAGE_SIZE")
    while (size := manifest.stat().st_size) + len("mq 1.mail\n") <= page:
        made.announce("mq", "1.mail")
    filling = fill(made.path)

    with pytest.raises(NoSpaceError):
        made.announce("mq", "17.mail")
    assert manifest.stat().st_size == size < page
    filling.unlink()
    made.announce("mq", "17.mail")
    lines = manifest.read_text().splitlines()
    made.close()

    assert lines[-2:] == ["mq 1.mail", ANNOUNCED]


def fill(folder: Path) -> Path:
    """Take all the room of the file system."""
    path = folder / "filling"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return path


# Removing.


def test_removed_directory_is_gone_with_everything_in_it(
    base: Path, system: RuntimeDirectory
) -> None:
    os.close(system.create_file("17.mail", 4096))
    os.mkfifo(system.path / "17.bell")
    (system.path / "blob" / "1.1").touch()
    (system.path / "code" / "a" / "b").mkdir(parents=True)

    system.remove()

    assert list(base.iterdir()) == []


def test_removal_does_not_follow_links(
    system: RuntimeDirectory, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (system.path / "link").symlink_to(precious)
    (system.path / "blob").rmdir()
    (system.path / "blob").symlink_to(precious)

    system.remove()

    assert (precious / "file").exists()
    assert not system.path.exists()


def test_removal_may_be_repeated(system: RuntimeDirectory) -> None:
    system.remove()
    system.remove()

    assert not system.path.exists()


def test_removal_finds_that_somebody_else_has_removed_the_base(
    base: Path, system: RuntimeDirectory
) -> None:
    shutil.rmtree(base)

    system.remove()

    assert not base.exists()


def test_removal_leaves_the_other_systems_alone(
    base: Path, system: RuntimeDirectory
) -> None:
    other = systems.create(base, "shop")

    other.remove()
    other.close()

    assert names_in(base) == [system.name]


def test_removal_gives_up_on_a_process_that_keeps_creating_files(
    system: RuntimeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def unlink_and_create(name: str, *, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        os.close(os.open(name + "+", os.O_CREAT | os.O_EXCL, 0o600, dir_fd=dir_fd))

    monkeypatch.setattr(os, "unlink", unlink_and_create)

    with pytest.raises(RuntimeDirectoryError, match="a process keeps creating files"):
        system.remove()


def test_removal_outlasts_a_process_that_creates_a_last_file(
    system: RuntimeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmdir, last = os.rmdir, [system.path / "last"]

    def create_and_rmdir(name: str, *, dir_fd: int) -> None:
        if name == system.name and last:
            last.pop().touch()
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", create_and_rmdir)

    system.remove()

    assert not system.path.exists()


def test_sweep_does_not_report_a_system_that_ends_under_its_eyes(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that ends in order does so without the lock of the base."""
    path = stale(base, "shop.1")
    listed = systems._names

    def list_and_remove(fd: int) -> list[str]:
        names = listed(fd)
        shutil.rmtree(path, ignore_errors=True)
        return names

    monkeypatch.setattr(systems, "_names", list_and_remove)

    assert systems.sweep(base).left == ()


def test_closing_may_be_repeated_and_leaves_no_descriptor(base: Path) -> None:
    before = descriptors()
    made = systems.create(base, "shop")

    made.close()
    made.close()

    assert descriptors() == before
    assert made.path.exists()


# The lock of the base.


def test_creation_waits_for_the_lock_of_the_base(base: Path) -> None:
    base.mkdir(0o700)
    fd = os.open(base, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    is_given_back = threading.Event()

    def give_back() -> None:
        is_given_back.set()
        os.close(fd)

    timer = threading.Timer(0.05, give_back)
    timer.start()

    made = systems.create(base, "shop")
    waited = is_given_back.is_set()
    timer.join()
    made.close()

    assert waited


def test_lock_of_the_base_that_is_never_given_back_is_an_error(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.mkdir(0o700)
    monkeypatch.setattr(systems, "BASE_LOCK_SECONDS", 0.02)
    fd = os.open(base, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    before = descriptors()

    with pytest.raises(RuntimeDirectoryError, match=r"locked for 0\.02 s"):
        systems.create(base, "shop")
    after = descriptors()
    os.close(fd)

    assert after == before
    assert list(base.iterdir()) == []


def test_lock_of_the_base_does_not_stay_with_a_process_forked_meanwhile(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.mkdir(0o700)
    monkeypatch.setattr(systems, "BASE_LOCK_SECONDS", 0.02)

    with systems._locked_base(base) as fd:
        child = python("import sys; sys.stdin.read()", pass_fds=(fd,))
    with child:
        swept = systems.sweep(base)
        child.kill()

    assert swept == Swept()
