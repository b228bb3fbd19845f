"""One worker of an executor, as the foreman sees it."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from actors.executor.call import Call
from actors.executor.worker import Worker
from actors.pending import Pending
from actors.ref import ActorRef

NOTHING: Pending[Any] = Pending()  # what somebody waits for who does nothing


class State(enum.Enum):
    """What a worker does."""

    STARTING = enum.auto()
    IDLE = enum.auto()
    BUSY = enum.auto()
    ENDING = enum.auto()


@attrs.define(eq=False)
class Member:
    """A worker.

    Attributes:
        pending: What it does comes to an end with this.
        state: What that is.
        ref: Once it has started.
        call: That it has in hand.
        calls: How many it has been given.
    """

    pending: Pending[Any]
    state: State = State.STARTING
    ref: ActorRef[Worker] | None = None
    call: Call[Any] | None = None
    calls: int = 0


def outcome(pending: Pending[Any]) -> tuple[Any, BaseException | None]:
    """Return the result of *pending*, which is settled, or what it has failed with."""
    error = pending.failure()
    return (pending.value if error is None else None), error
