from __future__ import annotations

import tracemalloc

import pytest

from actors import goodbye
from actors.exits import ExitKind, ExitReason
from actors.wire import reasons
from tests.support.programs import outcome_of


def caught(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301 - only a raised exception has a traceback
    except BaseException as exc:  # noqa: BLE001 - any exception may be asked for
        return exc


def test_goodbye_tells_what_was_raised_and_where() -> None:
    error = ValueError("bad order id")
    error.add_note("order 7")

    reason = goodbye.from_exception(caught(error), during="Shop.order")

    assert reason.kind is ExitKind.EXCEPTION
    assert reason.exc_type == "ValueError"
    assert reason.message == "bad order id"
    assert reason.notes == ("order 7",)
    assert reason.during == "Shop.order"
    assert not reason.truncated
    assert reason.traceback is not None
    assert reason.traceback.endswith("ValueError: bad order id\norder 7\n")
    assert "in caught" in reason.traceback


def test_goodbye_tells_the_whole_chain_and_every_member_of_a_group() -> None:
    error = ExceptionGroup("both", [KeyError("left"), TypeError("right")])
    error.__cause__ = OSError("below")

    text = goodbye.from_exception(caught(error)).traceback

    assert text is not None
    assert all(word in text for word in ("below", "left", "right", "direct cause"))


class Unprintable(Exception):  # noqa: N818 - as short as a user's
    def __str__(self) -> str:
        msg = "no text"
        raise RuntimeError(msg)


class Exiting(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        raise SystemExit(3)


class WrongType(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 - the point


class Endless(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        return str(self)


class Sly(str):
    __slots__ = ()

    def __getitem__(self, key: object) -> str:
        msg = "no slices"
        raise MemoryError(msg)


class Slyly(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        return Sly("sly")


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]  # the point
        msg = "no name"
        raise AttributeError(msg)


class WithoutName(Exception, metaclass=Nameless):  # noqa: N818 - named for what it does
    pass


class BadNotes(Exception):  # noqa: N818 - named for what it does
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]  # the point
        msg = "no notes"
        raise RuntimeError(msg)


@pytest.mark.parametrize(
    "error",
    [
        Unprintable(),
        Exiting(),
        WrongType(),
        Endless(),
        Slyly(),
        WithoutName(),
        BadNotes(),
        MemoryError(),
        KeyboardInterrupt(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "\ud800"),
    ],
    ids=lambda error: type.__dict__["__name__"].__get__(type(error)),
)
def test_goodbye_is_made_of_whatever_was_raised(error: BaseException) -> None:
    reason = goodbye.from_exception(caught(error), during="Shop.order")

    assert reason.kind is ExitKind.EXCEPTION
    assert reason.during == "Shop.order"
    assert reasons.from_bytes(reasons.to_bytes(reason)) == reason
    assert str(reason).isprintable()


def test_text_that_is_a_strange_string_is_kept_as_a_plain_one() -> None:
    reason = goodbye.from_exception(caught(Slyly()))

    assert reason.message == "sly"
    assert type(reason.message) is str


def test_goodbye_keeps_type_and_place_when_the_text_cannot_be_made() -> None:
    reason = goodbye.from_exception(caught(Unprintable()))

    assert reason.exc_type == "Unprintable"
    assert reason.message == "<its text could not be made>"
    assert reason.traceback is not None
    assert "in caught" in reason.traceback


def recurse(depth: int) -> None:
    if depth % 2:
        recurse(depth - 1)  # two lines take turns, so nothing can be folded
    recurse(depth - 1)


def test_goodbye_of_a_runaway_recursion_keeps_the_innermost_frames() -> None:
    with pytest.raises(RecursionError) as raised:
        recurse(10_000)

    reason = goodbye.from_exception(raised.value)

    assert reason.exc_type == "RecursionError"
    assert reason.truncated
    assert reason.traceback is not None
    assert reason.traceback.count(" in recurse\n") in range(50, 101)


def test_goodbye_of_a_chain_without_end_is_made_of_its_last_exception() -> None:
    error = ValueError("first")
    for number in range(5000):
        error, error.__cause__ = ValueError(str(number)), error

    reason = goodbye.from_exception(caught(error))

    assert reason.message == "4999"
    assert reason.truncated


def test_goodbye_of_a_chain_that_bites_its_tail_is_made() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    reason = goodbye.from_exception(first)

    assert reason.message == "first"


def test_goodbye_needs_no_memory_in_proportion_to_the_failure() -> None:
    error = ValueError("x" * (16 << 20))
    error.add_note("y" * (16 << 20))
    raised = caught(error)
    tracemalloc.start()

    try:
        reason = goodbye.from_exception(raised)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1 << 20
    assert reason.message == "x" * 4096
    assert reason.notes == ("y" * 1024,)
    assert reason.truncated
    assert reason.traceback is not None
    assert "in caught" in reason.traceback


def test_goodbye_is_made_when_memory_is_short() -> None:
    """A failed allocation while formatting must not hide what was raised."""
    script = """
import resource
from actors import exits, goodbye

error = ValueError("x" * 30_000)
try:
    raise error
except ValueError as exc:
    hoard, size = [], 1 << 20
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
    while size:
        try:
            hoard.append(bytearray(size))
        except MemoryError:
            size //= 2
    reason = goodbye.from_exception(exc, during="Shop.order")
    del hoard
print(reason.kind, reason.exc_type, reason.during)
"""

    done = outcome_of("-c", script)

    assert done.stdout == "exception ValueError Shop.order\n"


@pytest.mark.parametrize("code", [None, 0, False])
def test_system_exit_without_a_failure_is_normal(code: int | None) -> None:
    assert goodbye.from_exception(SystemExit(code)) == ExitReason(ExitKind.NORMAL)


@pytest.mark.parametrize(
    ("code", "kept", "status"),
    [
        (3, 3, "3"),
        (256, 0, "256"),
        (-1, 255, "-1"),
        (True, 1, "True"),
        ("no disk", 1, "no disk"),
        (Unprintable(), 1, "<Unprintable>"),
        (10**5000, 0, "<int>"),
    ],
    ids=["3", "256", "-1", "True", "text", "unprintable", "huge"],
)
def test_system_exit_with_a_failure_keeps_its_value(
    code: object, kept: int, status: str
) -> None:
    error = SystemExit(code)

    reason = goodbye.from_system_exit(error, during="Shop.order")

    assert reason == ExitReason(
        ExitKind.EXIT_CODE, exit_code=kept, status=status, during="Shop.order"
    )
