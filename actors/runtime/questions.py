"""The questions this process has asked: which are open, when they are due, and what an answer makes of them.

A question to an actor holds a credit of the lane until its answer comes or its deadline passes.
The last credits go to actors that hold few, so one that answers nothing does not keep us from asking the others.
Requests to the root supervisor need none: neither killing an actor nor closing a system may wait for what actors do.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from actors.errors import (
    ActorCrashedError,
    ActorError,
    ActorNotFoundError,
    ActorStoppedError,
    AskTimeoutError,
    ChildError,
    DecodeError,
    MailboxLostError,
    MessagePurgedError,
    NameTakenError,
    SpawnError,
    SystemClosedError,
    SystemFailedError,
    UnhandledMessageError,
    again,
)
from actors.pending import DONE, WAITING, Pending
from actors.runtime.lanes import ROOT
from actors.runtime.withdrawn import Withdrawn
from actors.wire import failure, reasons
from actors.wire.frame import Kind
from actors.wire.parcel import Opened

# Looked up once: each is used for every message.
_REPLY = int(Kind.REPLY)
_now_ns = time.monotonic_ns
RESERVED = 4  # one credit of so many is kept for those who hold few

_REFUSALS: dict[str, type[Exception]] = {
    "not_found": ActorNotFoundError,
    "name_taken": NameTakenError,
    "closing": SystemClosedError,
    "refused": ActorError,
    "lost": DecodeError,
    "purged": MessagePurgedError,
}


class Questions:
    """The open questions of one process."""

    def __init__(
        self,
        credits_: int,
        incarnation: int,
        loads: Callable[[bytes | Opened], object],
        withdrawn: Withdrawn,
    ) -> None:
        """Allow *credits_* open questions to actors; *loads* decodes the bodies of answers."""
        self.open: dict[int, Pending[Any]] = {}  # to actors
        self.requests: dict[int, Pending[Any]] = {}  # to the root supervisor
        self.withdrawn = withdrawn.places  # empty almost always
        self._marks = withdrawn
        # What overdue questions, sent or not, are waiting for.
        self.where: Callable[[Sequence[tuple[Pending[Any], bool]]], list[str]] = (
            lambda overdue: [""] * len(overdue)
        )
        # For how long the deadline of a question did not run.
        self.paused_ns: Callable[[Pending[Any], int], int] = lambda *_: 0
        # Nothing is due earlier; 0 when nothing has a deadline.
        self.next_deadline_ns = 0
        self._credits = credits_
        self._reserve = credits_ // RESERVED
        # With fewer open questions than this, nobody's have to be counted.
        self.plenty = credits_ - self._reserve
        self._loads = loads
        # An answer to an earlier incarnation must not look like one to a question of ours.
        serial = itertools.count((incarnation << 40) + 1)
        # Returns a number that this process, and an earlier incarnation of it, has given to nothing else.
        self.new_id: Callable[[], int] = serial.__next__
        self._later: list[tuple[int, Callable[[], object]]] = []  # when, and what
        self.on_later: Callable[[], None] = lambda: None

    def describe(
        self,
        pending: Pending[Any],
        number: int,
        target: str,
        method: str,
        timeout: float | None,
    ) -> int:
        """Give *pending* what an error about it will have to say, and its deadline, which is returned; 0 for none."""
        pending.number = number
        pending.target = target
        pending.method = method
        pending.timeout = timeout
        if timeout is None:
            return 0
        pending.deadline_ns = deadline = _now_ns() + int(timeout * 1e9)
        due = self.next_deadline_ns
        if not due or deadline < due:
            self.next_deadline_ns = deadline  # _look_at, without the call
        return deadline

    def call_later(self, delay: float, callback: Callable[[], object]) -> None:
        """Call *callback* in *delay* seconds, from whatever thread looks after deadlines then; never, if none does."""
        due = time.monotonic_ns() + int(delay * 1e9)
        self._later.append((due, callback))
        self._look_at(due)
        self.on_later()

    def _look_at(self, due_ns: int) -> None:
        if not self.next_deadline_ns or due_ns < self.next_deadline_ns:
            self.next_deadline_ns = due_ns

    def _take_due(self, now: int) -> list[Callable[[], object]]:
        """Return what is to be called now, and take it out."""
        due = [each for each in list(self._later) if each[0] <= now]
        taken = []
        for each in due:
            with contextlib.suppress(ValueError):  # another thread has taken it
                self._later.remove(each)
                taken.append(each[1])
        for when, _ in list(self._later):
            self._look_at(when)
        return taken

    def withdraw(self, pending: Pending[Any]) -> None:
        """Let an open question not be run any more; it stays open until its taker has said what became of it, or it is overdue."""
        self._marks.mark(pending.corr)

    def keep(self, pending: Pending[Any]) -> None:
        """Take back ``withdraw``: somebody waits again."""
        self._marks.unmark(pending.corr)

    def number(self, pending: Pending[Any]) -> int:
        """Give *pending* its correlation id."""
        pending.corr = self.new_id()
        return pending.corr

    def enter(self, pending: Pending[Any]) -> bool:
        """Open the question of *pending*; False when it has to wait for a credit."""
        if pending.number == ROOT:
            self.requests[pending.corr] = pending
            return True
        left = self._credits - len(self.open)
        # Counting takes longer than all the rest, so only where credits run short.
        if left <= self._reserve and self._held_by(pending.number) >= left:
            return False
        self.open[pending.corr] = pending
        return True

    def _held_by(self, number: int) -> int:
        """Return how many credits the questions to actor *number* hold."""
        return [pending.number for pending in list(self.open.values())].count(number)

    def leave(self, corr: int) -> Pending[Any] | None:
        """Take question *corr* out, and with it the mark that nobody wants it handled."""
        pending = self.open.pop(corr, None) or self.requests.pop(corr, None)
        if self.withdrawn:
            self._marks.unmark(corr)
        return pending

    def all(self) -> list[Pending[Any]]:
        """Return what waits for an answer."""
        return [*self.open.values(), *self.requests.values()]

    def settle(self, corr: int, kind: int, body: bytes | Opened) -> None:
        """Give an answer to whoever asked; answers to nobody (they came twice, or too late) are dropped."""
        pending = self.open.pop(corr, None)
        if pending is None:
            pending = self.requests.pop(corr, None)
        if self.withdrawn:
            self._marks.unmark(corr)
        if pending is None or pending.state != WAITING:
            return
        if kind == _REPLY:
            try:
                value = self._loads(body)
            except DecodeError as exc:
                pending.fail(exc)
                return
            if pending.convert is not None or pending.state != WAITING:
                pending.resolve(value)
                return
            pending.value = value  # as ``resolve`` does it, without the call
            pending.state = DONE
            if pending.wakers:
                pending.wake()
            return
        data = bytes(body.data) if isinstance(body, Opened) else body
        is_answer = kind == Kind.ANSWER
        try:
            told = json.loads(data) if is_answer else self._error(pending, kind, data)
        except (ValueError, LookupError, TypeError, struct.error) as exc:
            pending.fail(DecodeError(f"the answer cannot be read: {exc!r}"))
            return
        settle = pending.resolve if is_answer else pending.fail
        settle(told)

    def fail(self, corr: int, error: Exception) -> None:
        """Give *error* to whoever asked, in the place of an answer that cannot be read."""
        pending = self.leave(corr)
        if pending is not None:
            pending.fail(error)

    def lose(self, inode: int) -> None:
        """The mailbox *inode* was damaged: what it held will not be answered."""
        lost = [one for one in list(self.open.values()) if one.inode == inode]
        for pending in lost:
            self.fail(pending.corr, MailboxLostError(pending.target, pending.method))

    def _error(self, pending: Pending[Any], kind: int, body: bytes) -> BaseException:
        if kind == Kind.ERROR:
            return failure.unpack(body, self._loads)
        if kind == Kind.WITHDRAWN:
            return asyncio.CancelledError("withdrawn before it was handled")
        return _reported(pending, kind, json.loads(body))

    def expire(self, waiting: Iterable[Pending[Any]]) -> None:
        """Fail what is overdue, among the open questions and those still *waiting* to be sent.

        Its credits come back: whoever takes an overdue question later drops it without an answer, so all that may still come
        are the answers to what was in hand.
        """
        now = time.monotonic_ns()
        if not self.next_deadline_ns or now < self.next_deadline_ns:
            return
        self.next_deadline_ns = 0
        self._fail_overdue(waiting, now)
        for callback in self._take_due(now):
            callback()

    def _fail_overdue(self, waiting: Iterable[Pending[Any]], now: int) -> None:
        overdue: list[tuple[Pending[Any], bool]] = []
        # In one step: other threads ask meanwhile.
        sent = [(pending, True) for pending in list(self.open.values())]
        for pending, was_sent in [*sent, *((pending, False) for pending in waiting)]:
            if pending.state != WAITING or not pending.deadline_ns:
                continue
            due = pending.deadline_ns
            if due <= now:
                due += self.paused_ns(pending, now)
            if due <= now and pending.corr in self.withdrawn:
                self.leave(pending.corr)
                pending.fail(asyncio.CancelledError("withdrawn, and overdue"))
            elif due <= now:
                overdue.append((pending, was_sent))
            elif not self.next_deadline_ns or due < self.next_deadline_ns:
                self.next_deadline_ns = due
        for (pending, was_sent), where in zip(
            overdue, self.where(overdue), strict=True
        ):
            self.leave(pending.corr)
            pending.fail(_timed_out(pending, was_sent=was_sent, where=where))

    def fail_all(self, error: Exception) -> None:
        """Fail every open question with *error*."""
        asked = self.all()
        self.open, self.requests = {}, {}
        for pending in asked:
            # Marks stay: in a forked copy they are the parent's.
            pending.fail(again(error))


def _timed_out(pending: Pending[Any], *, was_sent: bool, where: str) -> AskTimeoutError:
    timeout = pending.timeout or 0.0
    return AskTimeoutError(pending.target, pending.method, timeout, was_sent, where)


def _reported(pending: Pending[Any], kind: int, facts: dict[str, Any]) -> Exception:
    """Return the error that an answer of the supervisor or of the actor's runtime stands for."""
    if kind == Kind.UNHANDLED:
        return UnhandledMessageError(facts["text"])
    if kind == Kind.CRASHED:
        reason = reasons.from_json(facts["reason"])
        return ActorCrashedError(
            pending.target, pending.method, facts["attempt"], reason, facts["begun"]
        )
    if kind == Kind.STOPPED:
        return ActorStoppedError(pending.target, reasons.from_json(facts["reason"]))
    return _refused(facts)


def _refused(facts: dict[str, Any]) -> Exception:
    if facts["error"] == "failed":
        return SystemFailedError(reasons.from_json(facts["reason"]))
    if facts["error"] == "spawn":
        return SpawnError(facts["name"], reasons.from_json(facts["reason"]))
    if facts["error"] == "child":
        return ChildError(facts["id"], facts["state"])
    return _REFUSALS[facts["error"]](facts["text"])
