"""Waiting in tests: for something to become true, in a coroutine or out of one.

What is waited for is a generator that yields each wait, so that the steps are written once for both ways.
"""

from __future__ import annotations

import asyncio
import inspect
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeAlias, TypeVar, overload

from actors.options import seconds
from actors.pending import Pending

T = TypeVar("T")

WITHIN = 5.0  # seconds, unless a test says otherwise
PACE = 0.001  # seconds between two looks


class Wait:
    """A result to wait for, at most so long."""

    def __init__(self, pending: Awaitable[Any], timeout: float) -> None:
        self.pending = pending
        self.timeout = timeout


# Yields seconds to pause, or what to wait for; a Wait that takes too long raises TimeoutError in it.
Steps: TypeAlias = Generator["float | Wait", Any, T]


class Expectation(Generic[T]):
    """Something that a test waits for: await it, or ask for its ``result()``.

    Nothing is looked at before, so one that nobody waits for would let a test pass: it warns when it is thrown away.
    """

    def __init__(self, steps: Steps[T], what: str) -> None:
        """Expectations come from ``eventually`` and from probes."""
        self._steps = steps
        self._what = what
        self._is_used = False

    def __repr__(self) -> str:
        return f"<Expectation {self._what}>"

    def result(self) -> T:
        """Block until it has come and return it.

        Raises:
            AssertionError: It has not come in time, or something else has.
            RuntimeError: It was waited for already, or a coroutine calls this, which has to await instead.
        """
        steps = self._begin()
        if _is_in_loop():
            steps.close()
            msg = f"{self._what}: in a coroutine, await it"
            raise RuntimeError(msg)
        return _run(steps)

    def __await__(self) -> Generator[Any, Any, T]:
        return _run_async(self._begin()).__await__()

    def _begin(self) -> Steps[T]:
        if self._is_used:
            msg = f"{self._what}: it was waited for already; expect it again"
            raise RuntimeError(msg)
        self._is_used = True
        return self._steps

    def __del__(self) -> None:
        if not self._is_used:
            warnings.warn(
                f"{self._what}: nobody has waited for it; await it, or take its result()",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(steps: Steps[T]) -> T:
    step = _advance(steps, None, None)
    while not isinstance(step, _End):
        value, error = None, None
        try:
            if not isinstance(step, Wait):
                time.sleep(step)  # noqa: TID251 - the pace of the polling, not the wait
            else:
                value = _result(step)
        except Exception as exc:  # noqa: BLE001 - the steps decide what it means
            error = exc
        step = _advance(steps, value, error)
    return step.value


def _result(wait: Wait) -> object:
    if isinstance(wait.pending, Pending):
        return wait.pending.result(wait.timeout)
    if isinstance(wait.pending, Coroutine):
        wait.pending.close()  # it would say that nobody has awaited it
    kind = type(wait.pending).__name__
    msg = f"a {kind} can only be waited for in a coroutine"
    raise TypeError(msg)


async def _run_async(steps: Steps[T]) -> T:
    step = _advance(steps, None, None)
    while not isinstance(step, _End):
        value, error = None, None
        try:
            if isinstance(step, Wait):
                value = await asyncio.wait_for(step.pending, step.timeout)
            else:
                await asyncio.sleep(step)
        except Exception as exc:  # noqa: BLE001 - the steps decide what it means
            error = exc
        step = _advance(steps, value, error)
    return step.value


class _End(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value


def _advance(
    steps: Steps[T], value: object, error: Exception | None
) -> float | Wait | _End[T]:
    try:
        return steps.send(value) if error is None else steps.throw(error)
    except StopIteration as end:
        return _End(end.value)


@overload
def eventually(
    predicate: Callable[[], Awaitable[T]], *, within: float = WITHIN
) -> Expectation[T]: ...
@overload
def eventually(
    predicate: Callable[[], T], *, within: float = WITHIN
) -> Expectation[T]: ...
def eventually(
    predicate: Callable[[], Any], *, within: float = WITHIN
) -> Expectation[Any]:
    """Look again and again until *predicate* returns something true, which is the result.

    A predicate may contain assertions: one that fails counts as not yet.
    It may return a ``Pending``, as ``ref.ask`` does, or be ``async``: then what comes of that has to be true.

    Args:
        predicate: Called every millisecond.
        within: Seconds until the test fails.

    Raises:
        OptionError: *within* is not a number of seconds, 0 or more.

    Raises (when waited for):
        AssertionError: It was not true in time; the text has what it was last, the cause is its last assertion.
        Exception: What *predicate* raised otherwise.
    """
    seconds("within", within)
    return Expectation(_until(predicate, within), _source_of(predicate))


def _until(predicate: Callable[[], Any], within: float) -> Steps[Any]:
    deadline = time.monotonic() + within
    while True:
        value, failure = None, None
        try:
            found = predicate()
            if isinstance(found, Awaitable):
                found = yield Wait(found, max(PACE, deadline - time.monotonic()))
            value = found
        except AssertionError as exc:
            failure = exc
        except TimeoutError:
            if time.monotonic() < deadline:
                raise  # its own
        if value:
            return value
        if time.monotonic() >= deadline:
            last = f"it was {value!r}" if failure is None else str(failure)
            msg = f"not within {within:g} s: {_source_of(predicate)}: {last}"
            raise AssertionError(msg) from failure
        yield PACE


def _source_of(predicate: Callable[[], Any]) -> str:
    """Return the line of a lambda, the name of anything else."""
    name: str = getattr(predicate, "__qualname__", repr(predicate))
    if not name.endswith("<lambda>"):
        return name
    try:
        return inspect.getsource(predicate).strip().split("\n")[0]
    except OSError:
        return name
