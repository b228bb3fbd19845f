"""The end of a system as one process sees it: why nothing can be asked any more, and what fails because of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.errors import ForkedHandleError, again
from actors.pending import Pending
from actors.runtime.losses import system_lost
from actors.runtime.outgoing import Outgoing
from actors.runtime.questions import Questions
from actors.runtime.waiting import Waiting


class Ending:
    """Whether the system has ended for one process, and why."""

    def __init__(
        self, questions: Questions, outgoing: Outgoing, waiting: Waiting
    ) -> None:
        """Fail what is open in these when it has."""
        self.error: Exception | None = None  # why nothing can be asked any more
        # What the death of the root supervisor means.
        self.loss: Callable[[], Exception] = system_lost
        self._questions = questions
        self._outgoing = outgoing
        self._waiting = waiting
        # No questions, but what is to fail as well.
        self._others: list[Pending[Any]] = []

    def check(self) -> None:
        """Refuse what nobody can be asked any more.

        Raises:
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
            ForkedHandleError: This process was forked from the one that opened it.
        """
        if self.error is not None:
            raise again(self.error)

    def lost(self) -> Exception:
        """Return the error for a request that found no root supervisor."""
        return again(self.error) if self.error is not None else self.loss()

    def include(self, pending: Pending[Any]) -> None:
        """Fail *pending*, which is no question of ours, when the system ends before it is settled."""
        still = [other for other in self._others if not other.done()]
        self._others = [*still, pending]
        # After it is entered: another thread may be ending the system, and have been through the list.
        if self.error is not None:
            pending.fail(again(self.error))

    def catch(self, pending: Pending[Any]) -> None:
        """Fail *pending*, just sent, if the system has ended: another thread may have been through all that was open before it was."""
        if self.error is not None:
            self._questions.leave(pending.corr)
            pending.fail(again(self.error))

    def fail_all(self, error: Exception) -> None:
        """Everything open, and everything asked from now on, fails with *error*; with an earlier one, if there was one."""
        self.error = self.error or error
        letters = list(self._outgoing.waiting())
        self._outgoing.backlog.clear()
        for letter in letters:
            letter.pending.fail(again(self.error))
        self._questions.fail_all(self.error)
        self._outgoing.close()
        for pending in list(self._others):
            pending.fail(again(self.error))
        self._waiting.wake_all()

    def disown(self, error: ForkedHandleError) -> None:
        """Make this copy useless, in a process forked from the client's own."""
        self.error = error
        self._waiting.disown()
        for pending in [
            *self._questions.all(),
            *self._outgoing.disown(),
            *self._others,
        ]:
            self._fail_copy(pending)

    def is_copy_of(self, pending: Pending[Any]) -> bool:
        """Return whether this is the copy of a fork, and fail *pending*.

        What is made of several others, which have failed without a call, is not known to anybody before.
        """
        if not isinstance(self.error, ForkedHandleError):
            return False
        self._fail_copy(pending)
        return True

    def _fail_copy(self, pending: Pending[Any]) -> None:
        # Loops and threads of the parent: a call could wake its loop, or wait for a lock that a thread held
        # which is not here to release it.
        pending.wakers = None
        pending.fail(self.lost())
