from __future__ import annotations

import contextlib
import enum
import errno
import fractions
import gc
import importlib
import os
import pickle
import re
import socket
import sys
import threading
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.errors import DecodeError, NotSerializableError
from actors.wire import byvalue
from actors.wire.code import CodeStore
from actors.wire.codec import Codec
from tests.unit.actors.wire.conftest import Define
from transports.errors import NoSpaceError

MESSAGE = ((1, "two", b"three"), {"four": [5.0, None, {6}]})


class Dumping:
    """Dumps something else with the same codec while it is dumped."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes]]:
        return bytes, (self.codec.dumps(MESSAGE),)


class Meeting:
    """Waits, while it is dumped, until another thread dumps one as well."""

    def __init__(self, barrier: threading.Barrier, number: int) -> None:
        self.barrier = barrier
        self.number = number

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[int]]:
        self.barrier.wait(20)
        return int, (self.number,)


class Raising:
    """Raises when it is dumped."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> str:
        raise self.error


class Returning:
    """Is dumped as a call."""

    def __init__(self, function: Callable[..., Any], *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


def raise_(error: BaseException) -> None:
    raise error


# Messages.


@pytest.mark.parametrize(
    "obj",
    [MESSAGE, None, fractions.Fraction(1, 3), errno.ENOENT, enum.auto, b"x" * 200_000],
    ids=lambda obj: type(obj).__name__,
)
def test_object_comes_back_equal(codec: Codec, obj: object) -> None:
    data = codec.dumps(obj)

    assert codec.loads(data) == obj
    assert codec.loads(memoryview(data)) == obj


def test_importable_things_are_dumped_as_pickle_does_it(
    codec: Codec, code_dir: Path
) -> None:
    obj = [fractions.Fraction(1, 3), fractions.Fraction, os.path.join, OSError(1, "no")]

    data = codec.dumps(obj)

    assert data == pickle.dumps(obj, 5)
    assert list(code_dir.iterdir()) == []


def test_each_dump_stands_alone(codec: Codec) -> None:
    shared = ["shared"]

    datas = [codec.dumps((shared, shared)) for _ in range(3)]

    assert len(set(datas)) == 1
    pair: Any = codec.loads(datas[2])
    assert pair[0] is pair[1]


def test_dump_is_whole_after_one_that_failed_in_the_middle(codec: Codec) -> None:
    expected = codec.dumps(MESSAGE)
    with pytest.raises(NotSerializableError):
        codec.dumps((MESSAGE, ["x" * 1000] * 50, threading.Lock()))

    assert codec.dumps(MESSAGE) == expected


def test_reduce_may_dump_with_the_same_codec(codec: Codec) -> None:
    inner = codec.dumps(MESSAGE)

    data = codec.dumps([MESSAGE, Dumping(codec), MESSAGE])

    assert codec.loads(data) == [MESSAGE, inner, MESSAGE]


def test_threads_may_dump_at_the_same_time(codec: Codec) -> None:
    barrier = threading.Barrier(3)
    found = {}

    def dump(number: int) -> None:
        found[number] = codec.loads(codec.dumps([number, Meeting(barrier, number)]))

    threads = [threading.Thread(target=dump, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {n: [n, n] for n in range(3)}


def test_pickler_of_a_message_of_many_objects_is_not_used_again(codec: Codec) -> None:
    """Each small message after one of 32 000 objects took 0.4 ms instead of 0.4 µs."""
    codec.dumps([b"x" * 1_000_000])
    assert len(codec._idle) == 1

    codec.dumps([[] for _ in range(1_000)])

    assert codec._idle == []


def test_nothing_that_was_dumped_is_kept_alive(codec: Codec) -> None:
    class Local:
        pass

    obj = Local()
    alive = weakref.ref(obj)

    codec.dumps([obj])
    del obj

    assert alive() is None


# What cannot travel.


def test_error_names_the_path_to_the_bad_part(codec: Codec) -> None:
    owner = types.SimpleNamespace(owner=threading.Lock())

    with pytest.raises(NotSerializableError) as caught:
        codec.dumps(((0, {"lock": owner}), {}))

    assert str(caught.value) == (
        "args[1]['lock'].owner: cannot pickle '_thread.lock' object"
    )
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize(
    "wrap", [list, lambda part: [lambda: 0, part]], ids=["", "with lambda"]
)
def test_too_deep_nesting_is_said_so(codec: Codec, wrap: Callable[[Any], Any]) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(NotSerializableError, match="nested too deeply") as caught:
        codec.dumps(wrap(deep))

    assert isinstance(caught.value.__cause__, RecursionError)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), KeyboardInterrupt(), NoSpaceError("x", 1)],
    ids=lambda error: type(error).__name__,
)
def test_error_that_is_not_the_objects_fault_passes(
    codec: Codec, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught:
        codec.dumps([Raising(error)])

    assert caught.value is error
    assert codec.loads(codec.dumps(MESSAGE)) == MESSAGE


def test_error_of_user_code_is_chained(codec: Codec) -> None:
    error = LookupError("not here")

    with pytest.raises(
        NotSerializableError, match=r"\[0\]: LookupError: not here"
    ) as caught:
        codec.dumps([Raising(error)])

    assert caught.value.__cause__ is error


def test_try_dumps_returns_none_for_what_cannot_travel(
    codec: Codec, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codec.try_dumps(MESSAGE) == codec.dumps(MESSAGE)
    assert codec.try_dumps(threading.Lock()) is None

    monkeypatch.setattr(
        CodeStore, "_write", lambda *_: raise_(OSError(errno.ENOSPC, "full"))
    )

    assert codec.try_dumps(define("class New: pass").New) is None


def test_full_file_system_is_no_fault_of_the_object(
    codec: Codec, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = define("class New: pass").New
    monkeypatch.setattr(
        CodeStore, "_write", lambda *_: raise_(OSError(errno.ENOSPC, "full"))
    )
    with pytest.raises(NoSpaceError, match="published code"):
        codec.dumps(new())
    monkeypatch.undo()

    assert type(codec.loads(codec.dumps(new()))) is new


class Sentinel:
    """Is pickled by its name in this module, as singletons are."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> str:
        return self.name


HERE = Sentinel("HERE")
GONE = Sentinel("GONE")


def test_name_that_others_cannot_import_is_refused_where_it_is_sent(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentinel of __main__ pickled without complaint, and failed where it arrived."""
    monkeypatch.setattr(GONE, "__module__", "__main__", raising=False)

    assert codec.loads(codec.dumps([HERE, HERE])) == [HERE, HERE]
    with pytest.raises(NotSerializableError, match="'GONE' of __main__ cannot be"):
        codec.dumps([HERE, GONE])


# Bytes that make no sense.


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle",
        b"\x80\x05",
        b"\x80\x05N",
        b"\x80\x05\x8c\x03os.\x8c\x04no\x93.",
        b"\x80\x04\x96" + (1 << 60).to_bytes(8, "little"),
        b"\x80\x05(" * 1000,
        b"\x80\x05\x84\x25\x70\xac\x04C\x01x\x4b\x00\x86R.",
    ],
    ids=[
        "empty",
        "garbage",
        "cut",
        "no stop",
        "no such name",
        "an exabyte",
        "marks",
        "no such code",
    ],
)
def test_broken_bytes_are_a_decode_error(codec: Codec, data: bytes) -> None:
    with pytest.raises(DecodeError, match=f"^{len(data)} bytes could not be") as caught:
        codec.loads(data)

    assert isinstance(caught.value.__cause__, Exception)
    assert codec.loads(codec.dumps(MESSAGE)) == MESSAGE


class Mute(Exception):  # noqa: N818 - the point is its text
    def __str__(self) -> str:
        raise self


@pytest.mark.parametrize("error", [MemoryError(), Mute()], ids=repr)
def test_error_while_loading_is_chained(codec: Codec, error: Exception) -> None:
    data = codec.dumps(Returning(raise_, error))

    with pytest.raises(DecodeError, match=type(error).__name__) as caught:
        codec.loads(data)

    assert type(caught.value.__cause__) is type(error)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_what_ends_a_program_ends_it_while_loading(
    codec: Codec, error: BaseException
) -> None:
    data = codec.dumps(Returning(raise_, error))

    with pytest.raises(type(error)):
        codec.loads(data)


# Code.


def test_class_is_published_once(codec: Codec, code_dir: Path, define: Define) -> None:
    new = define("class New: pass").New

    datas = [codec.dumps(new()) for _ in range(3)]

    assert len(list(code_dir.iterdir())) == 1
    assert len(set(datas)) == 1
    assert len(datas[0]) < 120


def test_class_that_was_met_is_not_looked_at_again(
    codec: Codec, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    objs = [define("class New: pass").New(), fractions.Fraction(1), os.path.join]
    data = codec.dumps(objs)
    for name in ("is_definition", "is_importable", "reduce_instance"):
        monkeypatch.delattr(byvalue, name)

    assert codec.dumps(objs) == data


def test_definitions_that_need_each_other_are_one_unit(
    codec: Codec, code_dir: Path, define: Define
) -> None:
    main = define(
        "class Base:\n"
        "    def other(self): return helper()\n"
        "class Derived(Base): pass\n"
        "def helper(): return Derived\n"
    )

    codec.dumps([main.Base, main.Derived, main.helper, main.Base.other])

    assert len(list(code_dir.iterdir())) == 1


def test_unit_refers_to_units_before_it(
    codec: Codec, code_dir: Path, define: Define
) -> None:
    main = define("class Base: pass")
    codec.dumps(main.Base)
    derived = define("class Derived(Base): pass", Base=main.Base).Derived

    codec.dumps(derived)

    sizes = sorted(path.stat().st_size for path in code_dir.iterdir())
    assert len(sizes) == 2
    names = {path.name for path in code_dir.iterdir()}
    contents = b"".join(path.read_bytes() for path in code_dir.iterdir())
    assert any(bytes.fromhex(name) in contents for name in names)


def test_inner_functions_make_no_files(codec: Codec, code_dir: Path) -> None:
    for number in range(10):
        data = codec.dumps(lambda number=number: number)
        assert codec.loads(data)() == number  # type: ignore[operator]

    assert list(code_dir.iterdir()) == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in 3.12")
def test_type_alias_goes_by_value_as_it_has_no_weakref(
    codec: Codec, code_dir: Path, define: Define
) -> None:
    """Its name in __main__ was pickled without complaint, and not found elsewhere."""
    alias = define("type Alias[T] = list[T]").Alias

    loaded: Any = codec.loads(codec.dumps(alias))

    assert loaded.__value__ == list[loaded.__type_params__]
    assert loaded is not alias
    assert len(list(code_dir.iterdir())) == 1  # the type parameter


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in 3.12")
def test_type_alias_of_a_library_goes_by_its_name(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such are numpy's in annotations; that it is importable could not be remembered."""
    (tmp_path / "aliases.py").write_text("type Alias = list[int]\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "aliases", raising=False)
    alias = importlib.import_module("aliases").Alias

    assert codec.loads(codec.dumps(alias)) is alias
    assert codec.loads(codec.dumps([alias, lambda: 0]))[0] is alias  # type: ignore[index]


def test_redefinition_is_a_unit_of_its_own(
    codec: Codec, code_dir: Path, define: Define
) -> None:
    old = define("class New:\n  version = 1").New
    new = define("class New:\n  version = 2").New

    loaded: Any = codec.loads(codec.dumps([old(), new(), old, new]))

    assert [type(loaded[0]), type(loaded[1]), *loaded[2:]] == [old, new, old, new]
    assert len(list(code_dir.iterdir())) == 2


def test_systems_share_what_is_the_same_and_keep_their_own_files(
    codec: Codec, code_dir: Path, define: Define, tmp_path: Path
) -> None:
    new = define("class New: pass").New
    other_dir = tmp_path / "other"
    other_dir.mkdir()
    fd = os.open(other_dir, os.O_RDONLY)
    other = Codec(CodeStore(fd))

    datas = codec.dumps(new()), other.dumps(new())
    os.close(fd)

    assert [type(codec.loads(data)) for data in datas] == [new, new]
    assert len(list(code_dir.iterdir())) == len(list(other_dir.iterdir())) == 1


def test_class_that_its_module_has_lost_is_published(
    codec: Codec, code_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = codec.dumps(fractions.Fraction(1, 2))
    assert list(code_dir.iterdir()) == []
    lost = fractions.Fraction
    monkeypatch.delattr(fractions, "Fraction")

    data = codec.dumps(lost)

    assert codec.loads(data) is lost
    assert len(list(code_dir.iterdir())) == 1


def test_threads_that_publish_at_the_same_time_agree_on_names(
    codec: Codec, define: Define
) -> None:
    """Each of the two units contains both classes; one of them must not be used."""

    def dump(first: str, second: str) -> None:
        barrier.wait(20)
        codec.dumps(main[first])
        found[first] = {name: codec.dumps(main[name]) for name in (first, second)}

    for _ in range(20):
        main = vars(
            define(
                "class A:\n  def b(self): return B\nclass B:\n  def a(self): return A"
            )
        )
        barrier = threading.Barrier(2)
        found: dict[str, dict[str, bytes]] = {}
        threads = [threading.Thread(target=dump, args=pair) for pair in ("AB", "BA")]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found["A"] == found["B"]


def test_finalizer_may_publish_while_something_is_published(
    codec: Codec, define: Define, store: CodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A __del__ that sends, run by the collector at the wrong moment, must not wait."""
    main = define("class New: pass\nclass Word: pass")
    write = store._write
    said: list[bytes] = []
    is_first = iter([True, False])

    class Dying:
        def __del__(self) -> None:
            said.append(codec.dumps(main.Word()))

    def write_with_garbage(name: str, content: bytes) -> None:
        if next(is_first):
            Dying()
        write(name, content)

    monkeypatch.setattr(store, "_write", write_with_garbage)

    data = codec.dumps(main.New())

    assert type(codec.loads(data)) is main.New
    assert type(codec.loads(said[0])) is main.Word


def test_program_that_makes_classes_for_ever_does_not_leak(
    codec: Codec, define: Define
) -> None:
    def sizes() -> list[int]:
        gc.collect()
        maps = codec._known, codec._classes
        return [len(found) for m in maps for found in (m.by_id, m._refs)]

    def use_new_classes() -> None:
        for name in ("New", "<locals>"):
            new = type(name, (), {"__module__": "__main__"})
            codec.loads(codec.dumps([new(), new]))

    use_new_classes()
    before = sizes()

    for _ in range(20):
        use_new_classes()

    assert sizes() == before


def test_metaclass_may_say_that_everything_is_equal(
    codec: Codec, define: Define
) -> None:
    main = define(
        "class Meta(type):\n"
        "    def __eq__(self, other): return True\n"
        "    def __hash__(self): return 1\n"
    )
    first = main.Meta("First", (), {"__module__": "__main__"})
    second = main.Meta("Second", (), {"__module__": "__main__"})
    codec.dumps(first())

    loaded: Any = codec.loads(codec.dumps([first, second, second()]))

    assert loaded[0] is first
    assert loaded[1] is second
    assert type(loaded[2]) is second


# What belongs to one process.


@pytest.mark.parametrize("mode", ["r", "w", "r+"])
def test_an_open_file_is_refused_with_the_path_to_it(
    codec: Codec, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("two boxes")

    with (
        path.open(mode) as file,
        pytest.raises(
            NotSerializableError,
            match=r"^kwargs\['file'\]: an open file stays in its process: send the path",
        ),
    ):
        codec.dumps(((), {"file": file}))


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_standard_output_and_error_are_those_of_the_process_they_arrive_in(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with (tmp_path / name).open("w") as ours, (tmp_path / "other").open("w") as theirs:
        monkeypatch.setattr(sys, name, ours)
        data = codec.dumps(ours)
        monkeypatch.setattr(sys, name, theirs)

        assert codec.loads(data) is theirs


ONE_PROCESS: dict[str, Callable[[], Any]] = {
    "socket": socket.socket,
    "BufferedReader": lambda: Path(__file__).open("rb"),  # noqa: SIM115 - closed below
    "lock": threading.Lock,
    "generator": lambda: (number for number in range(3)),
}


@pytest.mark.parametrize("kind", ONE_PROCESS)
def test_what_belongs_to_one_process_is_refused_by_the_name_of_its_kind(
    codec: Codec, kind: str
) -> None:
    value = ONE_PROCESS[kind]()

    with pytest.raises(NotSerializableError) as caught:
        codec.dumps(((value,), {}))

    # Pythons differ in whether they name the module, and what they call it.
    text = rf"args\[0\]: cannot pickle '(\w+\.)?{kind}' (object|instances)"
    assert re.fullmatch(text, str(caught.value))
    with contextlib.suppress(AttributeError):
        value.close()
