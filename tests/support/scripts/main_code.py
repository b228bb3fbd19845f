"""Everything that actors need is defined in this file, which has no main guard.

It is run as a script, as a module, by ``-c``, from standard input, and cell by cell as in a notebook.
It says one word for each thing that is as it should be.
"""

# %%
from __future__ import annotations

import enum
import sys
from collections.abc import Callable

import attrs

from actors import Actor, ActorRef, ActorSystem, RemoteError

sys.stdout.write("ran ")
OFFSET = 100


# %%
@attrs.frozen
class Point:
    x: int


class Colour(enum.Enum):
    RED = 1


class PlainError(Exception):
    pass


class DerivedError(PlainError):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class NeedyError(Exception):
    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(f"{code} {detail}")


def shift(x: int) -> int:
    return x + OFFSET


# %%
class Base(Actor):
    def __init__(self, start: Point, convert: Callable[[int], int] = shift) -> None:
        self.start = start
        self.convert = convert

    def move(self, point: Point, by: Callable[[int], int]) -> Point:
        return Point(by(self.convert(self.start.x + point.x)))


class Home(Base):
    def is_point(self, value: object) -> bool:
        return type(value) is type(self.start) is Point

    def colour(self, value: Colour) -> Colour:
        assert value is Colour.RED
        return value

    async def fail(self, error: str) -> None:
        if error == "plain":
            raise PlainError("text")
        if error == "derived":
            raise DerivedError(7)
        raise NeedyError(1, detail="more")

    def make(self) -> Callable[[int], Point]:
        return lambda x: Point(x * 2)


def say(word: str, *, is_so: bool) -> None:
    sys.stdout.write(f"{word} " if is_so else f"NOT-{word} ")


def failure(home: ActorRef[Home], error: str) -> Exception:
    try:
        home.ask(Home.fail, error).result()
    except (PlainError, NeedyError, RemoteError) as exc:
        return exc
    raise AssertionError


# %%
with ActorSystem() as system:
    home = system.spawn(Home, Point(1)).result()
    factor = 2
    moved = home.ask(Home.move, Point(2), lambda x: x * factor).result()
    say("value", is_so=moved == Point(206))
    say("type", is_so=type(moved) is Point)
    say("argument", is_so=home.ask(Home.is_point, Point(3)).result())
    say("enum", is_so=home.ask(Home.colour, Colour.RED).result() is Colour.RED)
    plain = failure(home, "plain")
    say("plain", is_so=type(plain) is PlainError and str(plain) == "text")
    derived = failure(home, "derived")
    say("derived", is_so=type(derived) is DerivedError and derived.code == 7)
    say("cause", is_so=isinstance(plain.__cause__, RemoteError))
    needy = failure(home, "needy")
    say("stand-in", is_so=isinstance(needy, RemoteError) and "1 more" in str(needy))
    made = home.ask(Home.make).result()
    say("lambda", is_so=made(4) == Point(8))
    say(
        "lookup",
        is_so=system.options(name="n").spawn(Home, Point(0)).result()
        == system.lookup("n", Home).result(),
    )
    home.restart().result()
    again = home.ask(Home.move, Point(2), shift).result()
    say("restart", is_so=again == Point(203) and type(again) is Point)

# %%
sys.stdout.write("end\n")
