"""A program whose own definitions go to another process and come back.

Run as a file, with ``-c``, from standard input and by ``exec``; nothing here may depend
on ``__name__``.  Prints, as JSON, what each function called ``check_`` returns.
"""
# ruff: noqa: ANN401, BLE001, T201, TRY301 - it stands for a user's program

import abc
import dataclasses
import enum
import functools
import gc
import json
import os
import struct
import subprocess
import sys
import traceback
from typing import (
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    NewType,
    ParamSpec,
    TypedDict,
    TypeVar,
)

import attrs

from actors.wire.code import CodeStore
from actors.wire.codec import Codec

SIZE = struct.Struct("<I")
CODE, OTHER = sys.argv[1:3]

codec = Codec(CodeStore(os.open(CODE, os.O_RDONLY | os.O_DIRECTORY)))
process = subprocess.Popen(
    [sys.executable, OTHER, CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)

requests: Any = process.stdin
answers: Any = process.stdout


def other(function: Any, *args: Any) -> Any:
    """Call *function* in the other process."""
    message = codec.dumps((function, args))
    requests.write(SIZE.pack(len(message)) + message)
    requests.flush()
    (size,) = SIZE.unpack(answers.read(SIZE.size))
    return codec.loads(answers.read(size))


def same(value: Any) -> Any:
    return value


def call(obj: Any, method: Any, *args: Any) -> Any:
    return getattr(obj, method)(*args)


# A method that makes an object of another class; a class that is reached only so.


class Foo:
    made: ClassVar[list[Any]] = []
    later: ClassVar[str]

    def bar(self) -> Any:
        return Bar(self)


class Bar:
    def __init__(self, maker: Any) -> None:
        self.maker = maker

    def foo(self) -> Any:
        return Foo()


def check_method_of_one_class_returns_another() -> object:
    bar = other(call, Foo(), "bar")
    return type(bar) is Bar and type(bar.maker) is Foo


def check_mutual_references_hold_in_both_directions() -> object:
    foo = other(call, other(call, Foo(), "bar"), "foo")
    return type(foo) is Foo


def check_class_itself_comes_back_as_itself() -> object:
    return other(same, Foo) is Foo and other(type, Foo()) is Foo


def check_method_comes_back_as_itself() -> object:
    return other(same, Foo.bar) is Foo.bar


def check_definer_keeps_its_own_class_attributes() -> object:
    other(call, Foo(), "bar")
    Foo.made.append(1)
    Foo.later = "added"
    made = Foo.made
    other(call, Foo(), "bar")
    return Foo.made is made == [1] and Foo.later == "added"


def remember(cls: Any, value: Any) -> Any:
    cls.made.append(value)
    return len(cls.made)


class Memory:
    made: ClassVar[list[Any]] = []


def check_other_process_keeps_its_own_class_attributes() -> object:
    return [other(remember, Memory, i) for i in range(3)] == [1, 2, 3]


class ProblemError(Exception):
    def __init__(self, code: Any, text: Any) -> None:
        super().__init__(code, text)
        self.code = code


def fail(code: Any) -> Any:
    try:
        raise ProblemError(code, "no")
    except ProblemError as exc:
        return exc


def check_exception_with_its_own_init() -> object:
    exc = other(fail, 7)
    return type(exc) is ProblemError and exc.code == 7 and exc.args == (7, "no")


UserId = NewType("UserId", int)


@dataclasses.dataclass
class Point:
    x: int
    y: UserId = UserId(3)
    more: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int

    def doubled(self) -> Any:
        return dataclasses.replace(self, x=self.x * 2)


def fields_without_default(cls: Any) -> Any:
    return [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]


def check_dataclass() -> object:
    return (
        other(same, Point(1)) == Point(1)
        and other(call, Frozen(2), "doubled") == Frozen(4)
        and other(fields_without_default, Point) == ["x", "more"]
    )


@attrs.define
class Shape:
    name: str
    sides: int = attrs.field(default=3, validator=attrs.validators.ge(3))


@attrs.define(hash=True)
class Square(Shape):
    sides: int = 4

    def bigger(self) -> Any:
        return attrs.evolve(self, sides=8)


def check_attrs_class() -> object:
    square = other(call, Square("s"), "bigger")
    return type(square) is Square and square == Square("s", 8)


class Color(enum.Enum):
    RED = 1
    BLUE = "b"

    def next(self) -> Any:
        return Color.BLUE if self is Color.RED else Color.RED


class Right(enum.IntFlag):
    READ = 1
    WRITE = 2


def check_enum() -> object:
    both = Right.READ | Right.WRITE
    return other(call, Color.RED, "next") is Color.BLUE and other(same, both) is both


class Pair(NamedTuple):
    left: object
    right: object = "r"

    def swapped(self) -> Any:
        return Pair(self.right, self.left)


def check_named_tuple() -> object:
    pair = other(call, Pair(1), "swapped")
    return type(pair) is Pair and pair == Pair("r", 1)


class Options(TypedDict, total=False):
    size: int


def check_typed_dict() -> object:
    return other(same, Options) is Options and other(Options, {"size": 1}) == {
        "size": 1
    }


LIMIT = 5


def clipped(value: Any) -> Any:
    return min(value, LIMIT)


class Clipper:
    def clip(self, value: Any) -> Any:
        return Pair(clipped(value), str(Color.RED.value))


def check_module_level_function_constant_and_class() -> object:
    return other(call, Clipper(), "clip", 9) == Pair(5, "1")


class Base(abc.ABC):
    def __init__(self, value: Any) -> None:
        self.value = value

    @abc.abstractmethod
    def get(self) -> Any: ...


class Derived(Base):
    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.of: Any = __class__  # type: ignore[name-defined]

    def get(self) -> Any:
        return self.value


def make(cls: Any, *args: Any) -> Any:
    return cls(*args)


def check_inheritance_super_and_class_cell() -> object:
    derived = other(make, Derived, 4)
    return (
        type(derived) is Derived
        and derived.of is Derived
        and derived.get() == 4
        and other(issubclass, Derived, Base)
    )


def check_abstract_class_stays_abstract() -> object:
    def is_abstract(cls: Any) -> object:
        try:
            cls(1)
        except TypeError:
            return True
        return False

    return other(is_abstract, Base)


T = TypeVar("T", bound="int | Base")
P = ParamSpec("P")


class Box(Generic[T]):
    def __init__(self, content: Any) -> None:
        self.content = content


class IntBox(Box[int]):
    pass


class Caller(Generic[P, T]):
    pass


def check_generic_class() -> object:
    box = other(make, Box[int], 3)
    return (
        type(box) is Box
        and vars(box)["__orig_class__"] == Box[int]
        and type(other(make, IntBox, 3)) is IntBox
        and type(other(make, Caller)) is Caller
    )


def check_type_variables_and_new_types_keep_their_identity() -> object:
    return other(same, [T, P, UserId]) == [T, P, UserId]


class Slotted:
    __slots__ = ("__private", "public")

    def __init__(self) -> None:
        self.public = 1
        self.__private = 2

    def both(self) -> Any:
        return self.public, self.__private


Number = TypeVar("Number", int, float)
Kept_co = TypeVar("Kept_co", bound="Foo", covariant=True)


def check_type_variables_keep_what_they_say() -> object:
    def said(of: Any) -> Any:
        return of.__name__, of.__module__, of.__constraints__, of.__bound__

    return (
        other(said, Number) == said(Number)
        and other(repr, Kept_co) == "+Kept_co"
        and other(repr, UserId) == repr(UserId)
    )


def check_slots_arrive_as_slots() -> object:
    slotted = other(make, Slotted)
    return slotted.both() == (1, 2) and not other(hasattr, Slotted(), "__dict__")


@functools.lru_cache(maxsize=10)
def fibonacci(n: Any) -> Any:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


fibonacci.unit = "rabbits"  # type: ignore[attr-defined]


def check_cached_function() -> object:
    return (
        other(fibonacci, 50) == 12586269025
        and other(lambda: fibonacci.cache_info().maxsize) == 10
        and other(getattr, fibonacci, "unit") == "rabbits"
        and other(same, fibonacci) is fibonacci
    )


class Lazy:
    @functools.cached_property
    def value(self) -> Any:
        return fibonacci(10)


def check_cached_property() -> object:
    return other(getattr, Lazy(), "value") == 55


@functools.singledispatch
def kind(value: Any) -> Any:
    return "anything"


@kind.register
def _(value: int) -> Any:
    return "number"


def check_single_dispatch() -> object:
    return other(kind, 1) == "number" and other(kind, "") == "anything"


def check_lambda_goes_by_value_and_what_it_uses_by_name() -> object:
    n = 2
    bars = other(lambda: [Bar(n), Foo])
    return type(bars[0]) is Bar and bars[0].maker == 2 and bars[1] is Foo


def check_inner_class() -> object:
    class Inner:
        def again(self) -> Any:
            return Inner()

    return type(other(call, Inner(), "again")) is Inner


def make_inner() -> Any:
    class Inner:
        pass

    return Inner


def check_equal_inner_classes_stay_apart() -> object:
    first, second = make_inner(), make_inner()
    return other(same, [first, second]) == [first, second]


def check_class_made_by_the_other_process_stays_one() -> object:
    cls = other(make_inner)
    return type(other(make, cls)) is cls and other(same, cls) is cls


def check_redefinition_is_another_class() -> object:
    versions = []
    for text in "old", "new":

        class Versioned:
            version = text

            def get(self) -> Any:
                return type(self).version

        versions.append(Versioned())
    told = [other(call, version, "get") for version in versions]
    return told == ["old", "new"] and type(other(same, versions[0])) is type(
        versions[0]
    )


class Storage:
    kept: ClassVar[list[Any]] = []

    @classmethod
    def keep(cls, value: Any) -> Any:
        cls.kept.append(value)

    @classmethod
    def get(cls) -> Any:
        return cls.kept[-1]


def check_class_that_the_definer_has_dropped() -> object:
    # Only the other process still has an instance, which brings the class back.
    other(call, Storage, "keep", make_inner()())
    gc.collect()
    return type(other(call, Storage, "get")).__name__ == "Inner"


def outcome(check: Any) -> Any:
    try:
        return check()
    except Exception:
        return traceback.format_exc()


checks = {
    name: value for name, value in list(globals().items()) if name[:6] == "check_"
}
print(json.dumps({name: outcome(check) for name, check in checks.items()}))
requests.close()
answers.close()
process.wait()
