from __future__ import annotations

import collections
import errno
import gc
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.wire import code
from actors.wire.code import CodeStore, IdentityMap
from transports.errors import NoSpaceError


class Thing:
    """Something that can be published; equal to everything and not hashable."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", refuse)
    yield
    monkeypatch.undo()


@pytest.fixture
def content() -> bytes:
    """Return what no other test has loaded: the names of units are the process's."""
    return os.urandom(8)


def files(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


# Files.


def test_content_is_kept_under_its_digest(store: CodeStore, code_dir: Path) -> None:
    unit = store.write(b"content")

    assert unit == hashlib.sha256(b"content").digest()
    assert files(code_dir) == [unit.hex()]
    assert store.read(unit) == b"content"


def test_file_is_closed_to_other_users(store: CodeStore, code_dir: Path) -> None:
    unit = store.write(b"content")

    mode = (code_dir / unit.hex()).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_publishing_again_changes_nothing(store: CodeStore, code_dir: Path) -> None:
    unit = store.write(b"content")
    before = (code_dir / unit.hex()).stat()

    assert store.write(b"content") == unit

    assert (code_dir / unit.hex()).stat() == before


def test_file_of_a_name_is_whole_from_the_beginning(
    store: CodeStore, code_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, seen = os.rename, []

    def watch(source: str, target: str, **options: int) -> None:
        seen.append((files(code_dir), (code_dir / source).read_bytes()))
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", watch)

    unit = store.write(b"content")

    [(names, content)] = seen
    assert unit.hex() not in names
    assert content == b"content"


def test_two_that_write_the_same_at_once_leave_one_file(
    store: CodeStore, code_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, barrier = os.rename, threading.Barrier(2)

    def meet(source: str, target: str, **options: int) -> None:
        barrier.wait(20)
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", meet)
    threads = [threading.Thread(target=store.write, args=(b"content",)) for _ in "ab"]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [name] = files(code_dir)
    assert (code_dir / name).read_bytes() == b"content"


@pytest.mark.usefixtures("full")
def test_full_file_system_says_so_and_keeps_nothing(
    store: CodeStore, code_dir: Path
) -> None:
    with pytest.raises(NoSpaceError, match="published code: 7 bytes") as caught:
        store.write(b"content")

    assert caught.value.where == str(code_dir)
    assert files(code_dir) == []


def test_store_holds_what_is_in_its_directory(store: CodeStore) -> None:
    unit = store.write(b"content")

    assert store.holds(unit)
    assert not store.holds(b"other")
    with pytest.raises(FileNotFoundError):
        store.read(b"other")


def test_link_is_not_followed(store: CodeStore, code_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"content")
    (code_dir / "ab").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        store.read(b"\xab")


# Names.


def test_published_object_is_found_by_its_name() -> None:
    first, second = Thing(), Thing()

    code.register(b"unit", [first, second])

    assert code.load_code(b"unit", 0) is first
    assert code.load_code(b"unit", 1) is second
    assert code.name_of(second) == (b"unit", 1)


def test_first_object_and_first_name_stay() -> None:
    first, second = Thing(), Thing()
    code.register(b"one", [first])

    known = code.register(b"one", [second])
    code.register(b"two", [first])

    assert [id(obj) for obj in known] == [id(first)]
    assert code.load_code(b"one", 0) is code.load_code(b"two", 0) is first
    assert code.name_of(first) == (b"one", 0)


def test_published_object_is_not_kept_alive(store: CodeStore) -> None:
    thing = Thing()
    code.register(b"unit", [thing])

    del thing
    gc.collect()

    with pytest.raises(LookupError, match="is not in any system"):
        code.load_code(b"unit", 0)


class Decoder:
    """Makes a unit of two things of any content, and remembers that it did."""

    def __init__(self) -> None:
        self.decoded: list[bytes] = []

    def __call__(self, content: bytes) -> list[object]:
        self.decoded.append(content)
        return [Thing(), Thing()]


def test_unknown_unit_is_loaded_from_the_store_that_holds_it(
    store: CodeStore, code_fd: int, content: bytes
) -> None:
    decoder = Decoder()
    silent = CodeStore(code_fd)  # nobody has said yet how to decode what it holds
    store.serve(decoder)
    unit = silent.write(content)

    first, second = code.load_code(unit, 0), code.load_code(unit, 1)

    assert decoder.decoded == [content]
    assert first is not second
    assert code.name_of(second) == (unit, 1)


def test_thread_that_loads_a_unit_second_gets_the_objects_of_the_first(
    store: CodeStore, content: bytes
) -> None:
    first: list[object] = [Thing(), Thing()]

    def decode(_: bytes) -> list[object]:
        code.register(unit, first)  # as if another thread had been faster
        return [Thing(), Thing()]

    store.serve(decode)
    unit = store.write(content)

    assert code.load_code(unit, 1) is first[1]
    assert code.load_code(unit, 0) is first[0]


def test_loaded_unit_is_kept_though_nothing_uses_it(
    store: CodeStore, content: bytes
) -> None:
    decoder = Decoder()
    store.serve(decoder)
    unit = store.write(content)
    code.load_code(unit, 0)
    gc.collect()

    code.load_code(unit, 0)

    assert decoder.decoded == [content]


def test_oldest_unit_is_kept_only_while_used_when_there_are_too_many(
    store: CodeStore, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "_kept", collections.deque(maxlen=2))
    decoder = Decoder()
    store.serve(decoder)
    unit, *others = [store.write(content + suffix) for suffix in (b"", b"b", b"c")]
    used = code.load_code(unit, 0)
    for other in others:
        code.load_code(other, 0)

    assert code.load_code(unit, 0) is used
    del used
    gc.collect()
    code.load_code(unit, 0)

    assert decoder.decoded == [content, content + b"b", content + b"c", content]


def test_store_of_a_system_that_was_closed_is_passed_over(
    store: CodeStore, code_dir: Path, content: bytes
) -> None:
    fd = os.open(code_dir, os.O_RDONLY)
    closed = CodeStore(fd)
    closed.serve(Decoder())
    os.close(fd)
    store.serve(Decoder())
    unit = store.write(content)

    assert not closed.holds(unit)
    assert isinstance(code.load_code(unit, 0), Thing)


@pytest.mark.parametrize("unit", [b"", b"x" * 10_000, "../..", 7, None, []], ids=repr)
def test_name_that_makes_no_sense_is_refused(store: CodeStore, unit: bytes) -> None:
    store.serve(lambda _: [])

    with pytest.raises((LookupError, AttributeError, TypeError)):
        code.load_code(unit, 0)


# The map by identity.


def test_identity_map_tells_equal_objects_apart() -> None:
    known: IdentityMap[int] = IdentityMap()
    first, second = Thing(), Thing()
    known.remember(first, 1)
    known.remember(second, 2)

    known.remember(first, 3)

    assert [known.by_id[id(obj)] for obj in (first, second)] == [3, 2]


def test_identity_map_forgets_what_has_died() -> None:
    known: IdentityMap[int] = IdentityMap()
    thing, other = Thing(), Thing()
    known.remember(thing, 1)
    known.remember(other, 2)

    del thing

    assert list(known.by_id) == list(known._refs) == [id(other)]
