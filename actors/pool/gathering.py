"""Several results on their way, as one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from actors.errors import ActorCrashedError, ActorStoppedError
from actors.pending import Pending, Source

T = TypeVar("T")


def gathered(source: Source, pendings: Sequence[Pending[T]]) -> Pending[list[T]]:
    """Return the results of *pendings*, which nobody waits for yet, when all of them are settled.

    It fails with the first of them that did.
    """
    whole: Pending[list[T]] = Pending(source)
    left = set(range(len(pendings)))
    errors: list[BaseException] = []

    def settle(place: int) -> None:
        error = pendings[place].failure()
        if error is not None:
            errors.append(error)
        left.discard(place)
        if left:
            return
        if errors:
            whole.fail(errors[0])
        else:
            whole.resolve([pending.value for pending in pendings])

    for place, pending in enumerate(pendings):
        pending.when_settled(functools.partial(settle, place))
    if not pendings:
        whole.resolve([])
    return whole


def then(
    source: Source, first: Pending[Any], follow: Callable[[Any], Pending[T]]
) -> Pending[T]:
    """Return what *follow* makes of the result of *first*; it fails as either of them does."""
    whole: Pending[T] = Pending(source)

    def pass_on(pending: Pending[T]) -> None:
        error = pending.failure()
        if error is not None:
            whole.fail(error)
        else:
            whole.resolve(pending.value)

    def go_on() -> None:
        error = first.failure()
        if error is not None:
            whole.fail(error)
            return
        try:
            second = follow(first.value)
        except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits must get it
            whole.fail(exc)
            return
        second.when_settled(lambda: pass_on(second))

    first.when_settled(go_on)
    return whole


def despite_its_end(source: Source, pending: Pending[Any]) -> Pending[None]:
    """Return a success also where the worker has ended, or has died with it, before it does what *pending* waits for."""
    done: Pending[None] = Pending(source)

    def settle() -> None:
        error = pending.failure()
        if error is None or isinstance(error, ActorStoppedError | ActorCrashedError):
            done.resolve(None)
        else:
            done.fail(error)

    pending.when_settled(settle)
    return done
