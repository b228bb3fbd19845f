"""``actors.Executor``: an executor for whatever takes one, over processes that may die, hang and be killed.

Not here: which worker gets which call (``foreman.py``), and what a future can do (``call.py``).
"""

from __future__ import annotations

import atexit
import concurrent.futures
import functools
import itertools
import os
import time
import weakref
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, TypeVar, Unpack, overload

from actors import interrupts
from actors.attach import join
from actors.errors import ForkedHandleError
from actors.executor.call import Call
from actors.executor.ending import Ending
from actors.executor.foreman import Foreman
from actors.executor.settings import MAILBOX_BYTES, Settings, count_of, tasks_of
from actors.executor.worker import call_chunk
from actors.options import (
    Heartbeat,
    Options,
    ResourceKeywords,
    check_names,
    whole,
)
from actors.runtime import clients
from actors.runtime.client import Client
from actors.system import ActorSystem
from actors.timeout import check_timeout

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE_SECONDS = 5.0  # until nothing runs any more but a call-back that hangs
CLOSE_SECONDS = 5.0  # in which the system of an executor has nothing to do but to end


class WorkerKeywords(ResourceKeywords, total=False):
    """What ``Executor`` takes for its workers; see ``Options`` for the meaning."""

    shutdown: float
    init_timeout: float
    heartbeat: Heartbeat | None
    handler_timeout: float | None


class Executor(concurrent.futures.Executor):
    """Calls functions in supervised processes; takes the place of ``concurrent.futures.ProcessPoolExecutor``.

    A process that dies fails the call it had in hand, with the evidence, and is replaced; nothing else is affected.
    ``cancel`` of a future ends its call also while it runs, with its process, and ``within`` sets a deadline that does the same.
    Functions and classes of ``__main__``, lambdas and closures work, without a main guard; ``async`` functions are awaited in their
    worker.

    It may be used by several threads, and from coroutines: ``await loop.run_in_executor(executor, function)``.
    Leaving a ``with`` block waits for all calls.
    Ctrl-C, and whatever else leaves it that is no ``Exception``, ends them at once.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        max_tasks_per_child: int | None = None,
        system: ActorSystem | None = None,
        **options: Unpack[WorkerKeywords],
    ) -> None:
        """Make an executor; workers are started when there is something to do.

        Args:
            max_workers: How many processes work at once; None for one per CPU that this process may use.
            initializer: Is called once in each worker, before its first call.
            initargs: Its arguments.
            max_tasks_per_child: Calls after which a worker is replaced; None for never.
            system: Where the workers live; None starts a system of the executor's own, which takes a tenth of a second and ends with it.
            options: Of the workers: the limits of ``Resources``, ``init_timeout``, ``handler_timeout`` (seconds that each call may run;
                the error then shows where it was), ``heartbeat`` and ``shutdown``; see ``Options``.

        Raises:
            OptionError: An option is not acceptable, or there is no such option; it is a ``ValueError``.
            TypeError: *initializer* cannot be called, or *system* is no system.
            NotSerializableError: The initializer or an argument of it cannot travel.
            SystemClosedError: The system is not running.
            SystemFailedError: It has ended by itself, or did not start.
            AttachError: It has no room for another program, which the executor counts as.
        """
        if initializer is not None:
            _check_callable("initializer", initializer)
        settings = Settings(
            count_of(max_workers),
            initializer,
            tuple(initargs),
            tasks_of(max_tasks_per_child),
            _options(options),
        )
        self._timeout: float | None = None
        interrupts.watch()
        self._client, close = _join(system)
        try:
            # Said here, not when the first worker is started.
            self._client.codec.encode((settings.initializer, settings.initargs))
            self._foreman = Foreman(self._client, settings, close, _open.discard)
        except BaseException:
            close()
            raise
        self._original: Executor | None = None
        _open.add(self._foreman)
        # The system has ended meanwhile, perhaps before it was entered.
        if self._foreman.is_over:
            _open.discard(self._foreman)
        weakref.finalize(self, _drop, self._foreman).atexit = False

    def __repr__(self) -> str:
        return f"<Executor {self._foreman.describe()}>"

    def __reduce__(self) -> NoReturn:
        msg = "an Executor cannot be sent: it belongs to the process that made it; make one where it is needed"
        raise TypeError(msg)

    def within(self, timeout: float | None) -> Executor:
        """Return the same executor with a deadline for each call.

        Args:
            timeout: Seconds from the call to its result, at most ``MAX_TIMEOUT``; then it is ended, wherever it is, and fails with
                ``CallTimeoutError``. None for no deadline.

        Raises:
            OptionError: *timeout* is neither.
        """
        check_timeout(timeout)
        same = object.__new__(type(self))
        same.__dict__.update(self.__dict__)
        same._timeout = timeout
        same._original = self  # all would end if nobody held it
        return same

    @overload
    def submit(
        self,
        fn: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> concurrent.futures.Future[T]: ...
    @overload
    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> concurrent.futures.Future[T]: ...
    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[Any]:
        """Have ``fn(*args, **kwargs)`` called in a worker.

        What is passed is copied now; changing it later has no effect.

        Returns:
            Its future. ``cancel`` ends it also while it runs; see the class.

        Delivery:
            Calls start in the order in which they were submitted; each is executed once, or fails.

        Raises (by the future):
            ActorCrashedError: The process died during the call; what it had done by then is not known.
            CallTimeoutError: It was not over within its deadline.
            NotSerializableError: The function, an argument or the result cannot travel.
            MessageTooLargeError: It is larger than the system takes.
            UnhandledMessageError: The worker cannot decode it.
            ExecutorBrokenError: No worker can be started.
            SystemClosedError: The system that the executor was given has been closed.
            SystemFailedError: It has ended by itself.
            RemoteError: The function raised something that cannot be rebuilt here, or is no ``Exception``.
            Exception: What the function raised, with its traceback as the cause.

        Raises (at the call):
            TypeError: *fn* cannot be called.
            RuntimeError: The executor was shut down.
            ExecutorBrokenError: No worker can be started.
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
            ForkedHandleError: This process was forked from the one that has made the executor.
        """
        self._check(fn)
        label = _label(fn)
        foreman = self._foreman
        body, error = self._encode(fn, args, kwargs)
        call: Call[Any] = Call(
            label, body, self._timeout, foreman.cancel, foreman.check_use
        )
        if error is None:
            foreman.submit(call)
        else:
            call.settle(error)
        return call

    def _check(self, fn: object) -> None:
        _check_callable("fn", fn)
        foreman = self._foreman
        foreman.check_fork()
        if foreman.broken is not None:
            raise foreman.refusal()
        if foreman.ending is not Ending.NOT_AT_ALL:
            msg = "cannot schedule new futures after shutdown"
            raise RuntimeError(msg)
        self._client.check()

    def _encode(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Exception | None]:
        try:
            return self._client.codec.encode(((fn, *args), kwargs)), None
        except Exception as exc:  # noqa: BLE001 - as by other executors, it comes with the future
            return b"", exc

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        timeout: float | None = ...,
        chunksize: int = ...,
    ) -> Iterator[T]: ...
    @overload
    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = ...,
        chunksize: int = ...,
    ) -> Iterator[T]: ...
    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """Call *fn* with one item of each of *iterables* at a time, and iterate over the results in order.

        Leaving the iteration, also by its timeout, ends the calls that are not over.

        Args:
            fn: What is called.
            iterables: Read to the end now, the shortest of them.
            timeout: Seconds from now after which waiting for a result raises ``TimeoutError``; None for none.
            chunksize: Items that go to a worker at once; worth it for short calls.

        Raises:
            OptionError: *chunksize* is no whole number above 0.

        Raises (when iterated):
            TimeoutError: *timeout* has passed.
            Exception: As the future of ``submit``; the iteration is over then.
        """
        whole("chunksize", chunksize, 1)
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)
        items = zip(*iterables, strict=False)
        chunks = iter(lambda: tuple(itertools.islice(items, chunksize)), ())
        results: Iterator[Any] = super().map(
            functools.partial(call_chunk, fn), chunks, timeout=timeout
        )
        return _each(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the standard library has it
        """Take no more calls, and end when those that were made are over.

        Args:
            wait: Whether to wait for that. Ctrl-C meanwhile ends everything at once. If not, the end of the program waits.
            cancel_futures: Whether to cancel the calls that do not run yet.
        """
        if isinstance(self._client.ended_with, ForkedHandleError):
            return
        self._end(
            Ending.AFTER_RUNNING if cancel_futures else Ending.AFTER_ALL, wait=wait
        )

    def _end(self, how: Ending, *, wait: bool) -> None:
        if wait:
            _end_and_wait([self._foreman], how)
        else:
            self._foreman.end(how)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None or isinstance(exc, Exception):
            self.shutdown()
        elif not isinstance(self._client.ended_with, ForkedHandleError):
            self._end(Ending.AT_ONCE, wait=True)


def _each(results: Iterator[list[T]]) -> Iterator[T]:
    """Yield what is in the lists, and hold on to nothing of it."""
    for chunk in results:
        chunk.reverse()
        while chunk:
            yield chunk.pop()


def _join(system: object) -> tuple[Client, Callable[[], None]]:
    """Return an end in this process of the system that the workers live in, and what to do with it in the end.

    It is the executor's own also where the process has one already: that may belong to a loop, which stands still while somebody in its
    thread waits for a call.
    """
    if system is None:
        # What calls print is shown as it is, as by other executors.
        own = ActorSystem("executor", drain=CLOSE_SECONDS, output="inherit").start()
        return own._opened(), own.close  # noqa: SLF001 - another part of the same runtime
    if not isinstance(system, ActorSystem):
        msg = f"system={system!r}: an ActorSystem, or None for one of its own"
        raise TypeError(msg)
    theirs = system._opened()  # noqa: SLF001 - likewise
    theirs.check()
    path = theirs.directory.path
    part = join(path.parent, path.name)
    clients.by_system[str(path)] = (
        theirs  # refs that arrive are still the program's business
    )
    return part.client, functools.partial(part.end, at_once=False)


def _check_callable(name: str, value: object) -> None:
    if not callable(value):
        msg = f"{name}={value!r}: a function, or something else that can be called"
        raise TypeError(msg)


def _options(keywords: WorkerKeywords) -> Options:
    check_names(keywords, {*WorkerKeywords.__optional_keys__})
    return Options(restart="temporary", mailbox_bytes=MAILBOX_BYTES, **keywords)


def _label(fn: object) -> str:
    """Return what people call *fn*."""
    while isinstance(fn, functools.partial):
        fn = fn.args[0] if fn.func is call_chunk else fn.func  # the former in ``map``
    name = getattr(fn, "__qualname__", None)
    return name if isinstance(name, str) else type(fn).__qualname__


# The end of the program waits for what its executors still do.

_open: set[Foreman] = set()


def _drop(foreman: Foreman) -> None:
    """Nobody holds the executor of *foreman* any more."""
    if foreman in _open:  # else it has been shut down, or is that of a parent process
        foreman.end(Ending.AFTER_ALL)


def _end_and_wait(foremen: Collection[Foreman], how: Ending) -> None:
    try:
        for foreman in foremen:
            foreman.end(how)
        for foreman in foremen:
            foreman.join()
    except BaseException:  # Ctrl-C: it has waited long enough
        _end_at_once(foremen)
        raise


def _end_at_once(foremen: Collection[Foreman]) -> None:
    """End *foremen*, and wait for that, but not for ever: a call-back of a future may hang."""
    for foreman in foremen:
        foreman.end(Ending.AT_ONCE)
    _open.difference_update(foremen)  # whoever interrupts this waits for them no more
    deadline = time.monotonic() + AT_ONCE_SECONDS
    for foreman in foremen:
        foreman.join(max(0.0, deadline - time.monotonic()))


def _finish_all() -> None:
    """Wait for what the program has not; after Ctrl-C for nothing."""
    foremen = list(_open)
    if interrupts.has_come():
        _end_at_once(foremen)
    else:
        _end_and_wait(foremen, Ending.AFTER_ALL)


# Twice, for Ctrl-C while the first has not come to where it waits.
atexit.register(_finish_all)
atexit.register(_finish_all)
os.register_at_fork(after_in_child=_open.clear)
