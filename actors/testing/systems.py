"""A system for a test: what goes wrong in it unseen fails the test."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import attrs

from actors.errors import ActorError
from actors.events import Event
from actors.options import seconds
from actors.ref import ActorRef
from actors.system import ActorSystem
from actors.testing.expectation import WITHIN, Expectation, Steps, Wait
from actors.testing.leaks import Kind, Leak, refuse, watch


class DeadLetters:
    """The messages of a system that nobody handled, and whether its test has expected them.

    An ask that failed because its actor crashed is not one of them: the asker was told.
    """

    def __init__(self, system: ActorSystem) -> None:
        """Collect those of *system* from now on."""
        self._events = system.events()
        self._next = self._events.next()
        self._letters: list[Event] = []

    def expect(
        self,
        method: Callable[..., Any] | None = None,
        *,
        ref: ActorRef[Any] | None = None,
        cause: str | None = None,
        within: float = WITHIN,
    ) -> Expectation[Event]:
        """Wait for a dead letter, which then is none that fails the test.

        Args:
            method: The message; None for any.
            ref: The actor it was sent to; None for any.
            cause: ``stopped``, ``crashed``, ``expired`` or ``unhandled``; None for any.
            within: Seconds.

        Raises:
            OptionError: *within* is not a number of seconds, 0 or more.

        Raises (when waited for):
            AssertionError: None came in time.
        """
        seconds("within", within)
        name = None if method is None else method.__name__
        actor = None if ref is None else ref.name
        wanted = " ".join(
            [
                "a dead letter",
                *([f"of {method.__qualname__}"] if method else []),
                *([f"to {actor}"] if actor else []),
                *([f"({cause})"] if cause else []),
            ]
        )

        def is_wanted(letter: Event) -> bool:
            return (
                name in {None, _method_of(letter).rpartition(".")[2]}
                and actor in {None, letter.actor}
                and cause in {None, letter.facts["cause"]}
            )

        return Expectation(self._until(is_wanted, wanted, within), wanted)

    def _until(
        self, is_wanted: Callable[[Event], bool], wanted: str, within: float
    ) -> Steps[Event]:
        deadline = time.monotonic() + within
        while True:
            self._collect()
            for letter in filter(is_wanted, self._letters):
                self._letters.remove(letter)
                return letter
            left = deadline - time.monotonic()
            if left <= 0:
                others = ", ".join(map(str, map(leak_of, self._letters))) or "none"
                msg = f"expected {wanted} within {within:g} s; there were: {others}"
                raise AssertionError(msg)
            with contextlib.suppress(TimeoutError):
                yield Wait(self._next, left)

    def _collect(self) -> None:
        """Take what has come."""
        taker = self._next
        while taker.done():
            try:
                event = taker.result()
            except ActorError:  # the system has ended
                break
            if event.kind == "dead_letter" and not _was_told(event):
                self._letters.append(event)
            taker = self._events.next()
        self._next = taker

    def unexpected(self) -> list[Event]:
        """Return those that have come and were not expected."""
        self._collect()
        return list(self._letters)


@attrs.frozen
class CheckedSystem:
    """A running system, and what its test may expect of it.

    Attributes:
        system: The system.
        dead_letters: Its dead letters.
    """

    system: ActorSystem
    dead_letters: DeadLetters


@contextlib.contextmanager
def checked(
    system: ActorSystem, may_leak: Collection[Kind] = ()
) -> Iterator[CheckedSystem]:
    """Run *system* for the block, and fail if something is left behind, or a message was lost that the block has not expected.

    Args:
        system: Not started yet.
        may_leak: Kinds that do not count.

    Raises:
        AssertionError: Something is left, a message had nowhere to go, or was still queued at the end; the text names each.
    """
    find = watch(may_leak)
    with system:
        running = CheckedSystem(system, DeadLetters(system))
        client = system._opened()  # noqa: SLF001 - two halves of one thing
        yield running
    lost: list[Leak] = []
    if "dead_letter" not in may_leak:
        lost = _lost(running.dead_letters.unexpected(), client.dropped)
    refuse([*lost, *find()])


def _lost(letters: list[Event], dropped: dict[str, int]) -> list[Leak]:
    """Return the *letters*, and what was *dropped* at the end besides: not every event comes through while a system ends."""
    lost = [leak_of(letter) for letter in letters]
    told = Counter(each.actor for each in letters if each.facts["cause"] == "stopped")
    for actor, count in dropped.items():
        if (untold := count - told[actor]) > 0:
            lost.append(Leak("dead_letter", f"{untold} more to {actor} (stopped)"))
    return lost


def leak_of(letter: Event) -> Leak:
    """Return a dead letter as something that was left behind."""
    return Leak(
        "dead_letter",
        f"{_method_of(letter)} to {letter.actor} ({letter.facts['cause']})",
    )


def _method_of(letter: Event) -> str:
    return str(letter.facts["method"])


def _was_told(letter: Event) -> bool:
    return bool(letter.facts.get("is_question"))
