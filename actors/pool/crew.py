"""The workers of a pool: who there is, who comes and who goes.

Nothing here waits: what follows from an event is done in the thread that takes it in.
The table of workers is a tuple that is replaced as a whole, so that whoever sends meanwhile sees one or the other.
"""

from __future__ import annotations

import functools
import math
import operator
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from actors import planting
from actors.actor import Actor
from actors.errors import (
    ActorError,
    again,
)
from actors.handlers import timeout_of
from actors.mailbox import ActorMailbox, MailboxState
from actors.pending import Pending, failed, settled
from actors.pool import stats
from actors.pool.gathering import despite_its_end, gathered, then
from actors.pool.handover import Handover
from actors.pool.routing import HashBy, Routing
from actors.pool.settings import PoolOptions
from actors.pool.stats import PoolStats
from actors.pool.worker import Worker
from actors.ref import ActorRef
from actors.runtime import services
from actors.runtime.client import Client
from actors.supervision.settings import ChildOptions, SupervisorOptions

A = TypeVar("A", bound=Actor)
AGAIN_SECONDS = 5.0  # from a worker that could not be replaced to the next attempt


class Crew(Generic[A]):
    """The workers of one pool."""

    def __init__(
        self,
        client: Client,
        name: str,
        settings: tuple[ChildOptions, SupervisorOptions],
        cls: type[A],
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        options: PoolOptions,
    ) -> None:
        """Start nobody yet.

        Args:
            client: Of this process.
            name: Of the pool.
            settings: Of each worker, and of the supervisor that it would have.
            cls: Its class.
            arguments: For its ``__init__``.
            options: Of the pool.
        """
        self.client = client
        self.name = name
        self.cls = cls
        self.workers: tuple[Worker[A], ...] = ()  # ready ones, by index
        self.leaving: set[Worker[A]] = set()  # finish their queues
        self.is_stopped = False
        self.is_gone = False  # stopped, and everybody has ended
        self._changing = (
            threading.RLock()
        )  # what is here; callbacks come from any thread
        self.routing: Routing = options.routing
        self._options = options
        self._settings = settings
        self._arguments = arguments
        self._wanted: set[int] = set()  # places with a worker, or one that starts
        self._facts: dict[str, object] = {}  # of each worker
        self.shared: int | None = None  # the mailbox of all of them
        if options.recycle is not None:
            self._facts["recycle"] = attrs.asdict(options.recycle)
        self._worn: deque[Worker[A]] = deque()  # to be replaced; the first is being so
        self.handover: Handover | None = None
        if isinstance(options.routing, HashBy):
            self.handover = Handover(
                client, options.routing, lambda: self.workers, self._passed_by
            )
            # Nobody chooses a worker meanwhile, for the order of messages hangs on that.
            self._changing = self.handover.lock

    @property
    def system(self) -> str:
        """Where they live: the path of its directory."""
        return str(self.client.directory.path)

    @property
    def size(self) -> int:
        """How many workers are ready now, or restarting."""
        return len(self.workers)

    def open(self) -> Pending[None]:
        """Start the first workers; settled when all of them are ready, and fails, with none left, if one does not become so."""
        opened: Pending[None] = Pending(self.client)
        started = self._opened()

        def settle() -> None:
            error = started.failure()
            if error is None:
                opened.resolve(None)
            else:
                self.dismiss().when_settled(functools.partial(give_up, error))

        def give_up(error: BaseException) -> None:
            if self.shared is not None:
                planting.forget_shared(self.client, self.shared)
            opened.fail(error)

        started.when_settled(settle)
        return opened

    def _opened(self) -> Pending[None]:
        size = self._options.size
        if self.routing != "shared":
            return self.resize(size)

        def share(number: int) -> Pending[None]:
            self.shared = self._facts["shared"] = number
            return self.resize(size)

        opening = planting.open_shared(self.client, self._settings, self.cls, self.name)
        return then(self.client, opening, share)

    # Growing and shrinking.

    def resize(self, size: int) -> Pending[None]:
        """Have *size* workers; settled when the new ones are ready and the others have ended, after their queues.

        A worker that does not become ready leaves its place free, and the resize fails with its ``SpawnError``.

        Raises:
            OptionError: The pool may not have that size.
            ActorError: It was stopped.
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        self._options.check_size(size)
        self.check_running()
        if self.is_stopped:
            msg = f"the pool {self.name} was stopped"
            raise ActorError(msg)
        with self._changing:
            missing = set(range(size)) - self._wanted
            surplus = self._wanted - set(range(size))
            self._wanted |= missing
            self._wanted -= surplus
        steps = [self._start(index) for index in sorted(missing)]
        steps += [self._retire(worker) for worker in self._remove(surplus)]
        return then(self.client, gathered(self.client, steps), lambda _: settled(None))

    def _start(self, index: int) -> Pending[None]:
        """Start worker *index*; what keeps it from being asked for fails that as well: others may have been started before it."""
        args, kwargs = self._arguments
        try:
            starting = planting.spawn(
                self.client,
                self._settings,
                self.cls,
                args,
                kwargs,
                label=f"{self.name}-{index}",
                worker_index=index,
                **self._facts,
            )
        except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits must get it
            self._wanted.discard(index)
            return failed(exc)
        started: Pending[None] = Pending(self.client)

        def enter() -> None:
            error = starting.failure()
            if error is not None:
                self._wanted.discard(index)
                started.fail(error)
                return
            worker = self._worker(starting.value, index)
            if index in self._wanted and not self.is_stopped:
                for other in self._enter(worker):
                    self._dismiss(other)
            else:  # it is not wanted any more
                self._dismiss(worker)
            started.resolve(None)

        starting.when_settled(enter)
        return started

    def _worker(self, ref: ActorRef[A], index: int) -> Worker[A]:
        return Worker(ref, ref._number, index)  # noqa: SLF001 - two halves of one thing

    def _enter(self, worker: Worker[A]) -> list[Worker[A]]:
        """Put *worker* into the table; return whom it takes the place of, if anybody."""
        with self._changing:
            before = self.workers
            replaced = [each for each in before if each.index == worker.index]
            if self.handover is not None:
                # One that is new may get keys of any other.
                self.handover.change(before, replaced or before)
            others = [each for each in before if each.index != worker.index]
            table = sorted((*others, worker), key=operator.attrgetter("index"))
            self.workers = tuple(table)
        end = worker.ref.ended()
        end.when_settled(functools.partial(self._on_end, worker, end))
        if "recycle" in self._facts:
            self._wait_for_wear(worker)
        return replaced

    def _remove(self, indexes: set[int]) -> list[Worker[A]]:
        """Take the workers with *indexes* out of the table, and return them."""
        with self._changing:
            before = self.workers
            removed = [each for each in before if each.index in indexes]
            if self.handover is not None:
                self.handover.change(before, removed)
            self.workers = tuple(each for each in before if each not in removed)
        return removed

    # Recycling.

    def _wait_for_wear(self, worker: Worker[A]) -> None:
        due = self.client.request("when_due", {"number": worker.number})

        def note() -> None:
            # It fails where the worker or the system has ended.
            if due.failure() is not None:
                return
            with self._changing:
                self._worn.append(worker)
                is_first = len(self._worn) == 1
            if is_first:
                self._replace(worker)

        due.when_settled(note)

    def _replace(self, worker: Worker[A]) -> None:
        """Start a fresh worker in the place of *worker*, and then the next one's."""
        if worker not in self.workers or self.is_stopped:
            self._replace_next()
            return
        started = self._start(worker.index)

        def go_on() -> None:
            if started.failure() is None:
                self._replace_next()
            else:  # the root has said why; until it works, the old one goes on
                self._wanted.add(worker.index)
                self.client.questions.call_later(
                    AGAIN_SECONDS, functools.partial(self._replace, worker)
                )

        started.when_settled(go_on)

    def _replace_next(self) -> None:
        with self._changing:
            self._worn.popleft()
            worn = self._worn[0] if self._worn else None
        if worn is not None:
            self._replace(worn)

    def _retire(self, worker: Worker[A]) -> Pending[None]:
        """Let *worker* finish its queue and end."""
        self._dismiss(worker)
        return self._gone(worker)

    def _gone(self, worker: Worker[A]) -> Pending[None]:
        return then(self.client, worker.ref.ended(), lambda _: settled(None))

    def _dismiss(self, worker: Worker[A]) -> None:
        ended = worker.ref.ended()
        self.leaving.add(worker)
        ended.when_settled(lambda: self.leaving.discard(worker))
        _ = self.client.stop(worker.number, worker.ref.name, is_bounded=False)

    def _on_end(self, worker: Worker[A], end: Pending[Any]) -> None:
        """A worker has ended for good, or the system has."""
        if end.failure() is not None or worker not in self.workers:
            return
        self._wanted.discard(worker.index)
        # The last one stays: whoever sends to it is told why it has ended.
        if len(self.workers) > 1:
            self._remove({worker.index})

    # All of them.

    def each(self, act: Callable[[Worker[A]], Pending[Any]]) -> Pending[list[Any]]:
        """Do *act* to each worker; settled with the results, by index."""
        return gathered(self.client, [act(worker) for worker in self.workers])

    def may_take_long(self, method: str) -> bool:
        """Return whether a message for *method* may hold more than one item's work: nobody ends it then, and it keeps no other waiting."""
        limits = (
            timeout_of(self.cls, method),
            self._settings[0].handler_timeout,
            self.cls.handler_timeout,
        )
        limit = next((each for each in limits if each is not None), math.inf)
        return limit == math.inf and self.cls.concurrency == 1

    def stats(self) -> PoolStats:
        """Return what the workers are doing, and how much waits for them."""
        self.check_running()
        leaving = list(self.leaving)
        return stats.of_pool(self.client, self.workers, leaving, self.shared)

    def busy(self) -> int:
        """Return how many workers have a message in hand."""
        directory = self.client.directory
        return sum(stats.is_busy(directory, worker) for worker in self.workers)

    def queues(self) -> list[Pending[MailboxState]]:
        """Return what waits in the mailboxes, with the oldest of each."""
        if self.shared is not None:
            return [ActorMailbox(self.client, self.shared, self.name).inspect(1)]
        return [worker.ref.mailbox().inspect(1) for worker in self.workers]

    def check_running(self) -> None:
        """Refuse to look for workers where there is no system any more.

        Raises:
            SystemClosedError: It was closed.
            SystemFailedError: It has ended by itself.
        """
        if self.client.ended_with is not None:
            raise again(self.client.ended_with)

    def drain(self) -> Pending[None]:
        """Return when all that this process has sent before is handled."""
        self.check_running()
        # A worker that dies may put back what it had taken, behind the barrier: then it begins anew.
        before = self._lives()

        def look(_: object) -> Pending[None]:
            if self.shared is None or self._lives() == before:
                return settled(None)
            return self.drain()

        return then(self.client, self._drained(), look)

    def _drained(self) -> Pending[list[None]]:
        if self.handover is not None:
            calm = self.handover.calm()
            return then(self.client, calm, lambda _: self._passed_by_all())
        if self.shared is None:
            return self._passed_by_all()
        taken = despite_its_end(self.client, self._barrier(self.shared, self.name))
        return then(self.client, taken, lambda _: self._passed_by_all())

    def _passed_by_all(self) -> Pending[list[None]]:
        passed = [self._passed_by(worker) for worker in self.workers]
        passed += [self._gone(worker) for worker in list(self.leaving)]
        return gathered(self.client, passed)

    def _passed_by(self, worker: Worker[A]) -> Pending[None]:
        """Return when *worker* has handled what it was sent."""
        barrier = self._barrier(worker.number, worker.ref.name)
        return despite_its_end(self.client, barrier)

    def _barrier(self, number: int, name: str) -> Pending[None]:
        return self.client.barrier(number, name, services.BARRIER)

    def _lives(self) -> list[tuple[int, int]]:
        directory = self.client.directory
        return [
            (worker.number, stats.incarnation(directory, worker))
            for worker in self.workers
        ]

    def stop(self) -> Pending[None]:
        """End all workers for good, after their queues; settled when they have ended."""
        if self.is_stopped or (self.shared is None and self.handover is None):
            return self.dismiss()
        self.is_stopped = True
        # Before, what they share has to be handled, and what is held has to be sent.
        return then(self.client, self.drain(), lambda _: self.dismiss())

    def dismiss(self) -> Pending[None]:
        """End all workers for good, after what is queued for each of them; settled when they have ended."""
        self.is_stopped = True
        self._wanted.clear()
        steps = [self._retire(worker) for worker in (*self.workers, *self.leaving)]

        def end(_: object) -> Pending[None]:
            self.is_gone = True
            return settled(None)

        return then(self.client, gathered(self.client, steps), end)
