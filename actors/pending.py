"""What ``ask``, ``tell`` and ``spawn`` return: a result that is on its way.

The work has begun when a ``Pending`` exists; awaiting it or calling ``result`` only waits.
It is also a coroutine object, so that ``asyncio.TaskGroup.create_task`` and everything else that insists on one takes it.
"""

from __future__ import annotations

import asyncio
import math
import numbers
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

from actors.errors import OptionError
from actors.unread import ENDS, SPAWN, Unread

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

WAITING, DONE, FAILED = 0, 1, 2


class Source(Protocol):
    """The process's end of a system, which brings results in."""

    @property
    def is_finishing(self) -> bool:
        """Whether the program is closing the system."""
        ...

    def suspend(self, pending: Pending[Any]) -> Generator[Any, Any, None]:
        """Give control away until *pending* is settled."""
        ...

    def block(self, pending: Pending[Any], timeout: float | None) -> None:
        """Block the thread until *pending* is settled or *timeout* has passed."""

    def is_breath_due(self) -> bool:
        """Return whether the event loop is to be given a turn now: it has had none for too long."""
        ...

    def withdraw(self, pending: Pending[Any]) -> None:
        """An await of *pending* was cancelled: unless somebody else waits, its message need not be handled."""


class Pending(Coroutine[Any, Any, T_co], Generic[T_co]):
    """A result that is on its way: await it, or ask for ``result()``.

    Awaiting it again, or from several tasks, gives the same result.
    """

    __slots__ = (
        "_source",
        "_stepper",
        "_unread",
        "convert",
        "corr",
        "deadline_ns",
        "inode",
        "method",
        "number",
        "state",
        "target",
        "timeout",
        "value",
        "wakers",
    )

    # What an error about it says; set by the process that sends it, and not at all for what is settled at once.
    number: int  # of the actor; that of the root for what is no message
    target: str
    method: str
    timeout: float | None

    def __init__(self, source: Source | None = None) -> None:
        """Pendings come from ``ask``, ``tell``, ``spawn`` and their like; only a settled one has no source."""
        self._source = source
        self._stepper: Generator[Any, Any, T_co] | None = None
        self.state = WAITING
        self.value: Any = None
        self.wakers: list[Callable[[], object]] | None = None  # called from any thread
        self.convert: Callable[[Any], T_co] | None = None
        self.corr = 0
        self.deadline_ns = 0
        self.inode = 0  # of the mailbox that a question was put into

    def __repr__(self) -> str:
        state = ("waiting", f"done: {self.value!r}", f"failed: {self.value!r}")[
            self.state
        ]
        # A tell that was accepted at once shares its Pending with all others.
        target = getattr(self, "target", None)
        what = "" if target is None else f"{self.method} of {target}: "
        return f"<Pending {what}{state}>"

    def __reduce__(self) -> NoReturn:
        msg = "a Pending cannot be sent: await it, or take its result(), and send that"
        raise TypeError(msg)

    if not TYPE_CHECKING:  # a checker that saw this would believe every misspelt name

        def __getattr__(self, name: str) -> NoReturn:
            hint = "; this is a result on its way: await it first, or take its result()"
            msg = f"{type(self).__name__!r} object has no attribute {name!r}{'' if name.startswith('_') else hint}"
            raise AttributeError(msg)

    def done(self) -> bool:
        """Return whether the result, or the failure, is here."""
        return self.state != WAITING

    def result(self, timeout: float | None = None) -> T_co:
        """Block until the result is here and return it.

        Args:
            timeout: Seconds to wait; None waits as long as it takes.
                It only ends the waiting: the deadline of an ask is set by ``ActorRef.within``.

        Raises:
            TimeoutError: *timeout* has passed; the result may still come.
            OptionError: *timeout* is neither a number nor None.
            RuntimeError: Called in a coroutine, which has to await instead.
            Exception: Whatever the operation failed with; see the method that returned this.
        """
        if timeout is not None:
            _check_wait(timeout)
        if self.state == WAITING and self._source is not None:
            self._source.block(self, timeout)
        if self.state == WAITING:
            msg = f"no result within {timeout} s"
            raise TimeoutError(msg)
        if self.state == FAILED:
            raise self._error()
        value: T_co = self.value
        return value

    def __await__(self) -> Generator[Any, Any, T_co]:
        source = self._source
        if source is not None:
            if self.state == WAITING:
                try:
                    yield from source.suspend(self)
                except asyncio.CancelledError:
                    source.withdraw(self)
                    raise
            elif source.is_breath_due():
                yield
        if self.state == FAILED:
            raise self._error()
        value: T_co = self.value
        return value

    def failure(self) -> BaseException | None:
        """Return what it has failed with, to somebody who will see to it; None where it has not failed."""
        return self._error() if self.state == FAILED else None

    def _error(self) -> BaseException:
        """Return what it has failed with, to somebody who will see it."""
        unread: Unread | None = getattr(self, "_unread", None)
        if unread is not None:
            unread.forget()
        error: BaseException = self.value
        return error

    # What makes it a coroutine: the first step starts an await, the others go on with it.

    def send(self, value: Any, /) -> Any:  # noqa: ANN401 - the protocol of coroutines is untyped
        """Go on with the await; used by event loops."""
        if self._stepper is None:
            self._stepper = self.__await__()
        try:
            return self._stepper.send(value)
        except BaseException:  # it has ended: the next task that takes us begins anew
            self._stepper = None
            raise

    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any:  # noqa: ANN401 - the protocol of coroutines is untyped
        """Raise in the await; used by event loops to cancel."""
        # The form with three arguments is deprecated, and still used by the C parts of 3.11.
        error = _exception(typ, val)
        if tb is not None:
            error = error.with_traceback(tb)
        if self._stepper is None:  # cancelled before its first step: nothing waits yet
            if self._source is not None and isinstance(error, asyncio.CancelledError):
                self._source.withdraw(self)
            raise error
        try:
            return self._stepper.throw(error)
        except BaseException:
            self._stepper = None
            raise

    def close(self) -> None:
        """Stop waiting; used by event loops."""
        if self._stepper is not None:
            self._stepper.close()
            self._stepper = None

    # How it is settled.

    def resolve(self, value: Any) -> None:  # noqa: ANN401 - converted to T below, or checked by the caller
        """Settle with *value*; the first settlement counts."""
        if self.state == WAITING:
            if self.convert is not None:
                try:
                    value = self.convert(value)
                except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits must get it
                    self.fail(exc)
                    return
            self.value = value
            self.state = DONE
            if self.wakers:
                self.wake()

    def fail(self, error: BaseException) -> None:
        """Settle with *error*; the first settlement counts."""
        if self.state == WAITING:
            self.value = error
            self.state = FAILED
            if self.corr and self._is_awaited() and not self._is_expected(error):
                self._unread = Unread(self.target, self.method, error)
            self.wake()

    def _is_awaited(self) -> bool:
        """Return whether somebody is expected to look: of other requests to the supervisor, nobody."""
        return bool(self.number) or self.method == SPAWN

    def _is_expected(self, error: BaseException) -> bool:
        """Return whether it has failed because the program is closing the system."""
        return (
            isinstance(error, ENDS)
            and self._source is not None
            and self._source.is_finishing
        )

    def when_settled(self, waker: Callable[[], object]) -> None:
        """Call *waker* once, from whatever thread settles this, or now; for whoever has just made it, before anybody waits."""
        if self.wakers is None:
            self.wakers = []
        self.wakers.append(waker)
        if self.state != WAITING:
            self.wake()

    def wake(self) -> None:
        """Call whoever waits; for whoever has just settled it."""
        # One by one: one that waits no more may be taking itself out, and another thread may be here as well.
        wakers = self.wakers
        while wakers:
            try:
                waker = wakers.pop(0)
            except IndexError:
                return
            waker()


def _check_wait(timeout: object) -> None:
    # What is left of somebody's time may be below 0.
    if not isinstance(timeout, numbers.Real) or math.isnan(timeout):
        msg = f"timeout={timeout!r}: a number of seconds, or None to wait as long as it takes"
        raise OptionError(msg)


def _exception(typ: type[BaseException] | BaseException, val: object) -> BaseException:
    if isinstance(typ, BaseException):
        return typ
    if isinstance(val, BaseException):
        return val
    return typ() if val is None else typ(val)


def settled(value: T) -> Pending[T]:
    """Return a ``Pending`` that is done."""
    pending: Pending[T] = Pending()
    pending.resolve(value)
    return pending


def failed(error: Exception) -> Pending[NoReturn]:
    """Return a ``Pending`` that has failed with *error*."""
    pending: Pending[NoReturn] = Pending()
    pending.fail(error)
    return pending
