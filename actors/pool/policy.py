"""When a call is tried again.

Pure: the error, the attempt and luck are given.
"""

from __future__ import annotations

from typing import TypedDict

import attrs

from actors.errors import (
    ActorCrashedError,
    ActorStoppedError,
    MailboxLostError,
    OptionError,
)
from actors.options import is_whole, must
from actors.supervision.backoff import Backoff

MAX_RETRIES = 1000
_UNKNOWN = (ActorCrashedError, MailboxLostError)  # it may have been handled


def _are_exceptions(value: object) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(each, type) and issubclass(each, Exception) for each in value
    )


@attrs.frozen(kw_only=True)
class Policy:
    """How often a call is tried, and after what.

    All attempts together have the one deadline of the call.

    Attributes:
        retries: How often it is tried again at most.
        retry_on: Exceptions of the handler after which it is.
        redeliver: Whether it is when a worker died with it in hand. The call may have been carried out by then, in part or whole: say so
            only of one that does no harm twice.
        backoff: Delays between attempts; None tries again at once.
    """

    retries: int = attrs.field(
        default=0,
        validator=must(
            lambda value: is_whole(value) and 0 <= value <= MAX_RETRIES,
            f"a whole number from 0 to {MAX_RETRIES}",
        ),
    )
    retry_on: tuple[type[Exception], ...] = attrs.field(
        default=(),
        validator=must(_are_exceptions, "a tuple of classes of exceptions"),
    )
    redeliver: bool = attrs.field(
        default=False,
        validator=must(lambda value: isinstance(value, bool), "True or False"),
    )
    backoff: Backoff | None = attrs.field(
        default=None,
        validator=must(
            lambda value: value is None or isinstance(value, Backoff),
            "a Backoff, or None to try again at once",
        ),
    )

    def __attrs_post_init__(self) -> None:
        """Refuse retries after nothing.

        Raises:
            OptionError: It is not said after what to try again.
        """
        if self.retries and not (self.retry_on or self.redeliver):
            msg = (
                f"retries={self.retries}: after what? redeliver=True for a call that does no harm when it is carried out twice: "
                "then also when a worker dies with it in hand; retry_on=(…,) for exceptions of its handler"
            )
            raise OptionError(msg)

    def wants(self, error: BaseException, attempt: int) -> bool:
        """Return whether to try again.

        Args:
            error: What the attempt has failed with.
            attempt: Its number, from 1.
        """
        if attempt > self.retries:
            return False
        # A worker that has ended for good has not handled what was queued.
        return isinstance(error, (*self.retry_on, ActorStoppedError)) or (
            self.redeliver and isinstance(error, _UNKNOWN)
        )

    def delay(self, attempt: int, luck: float) -> float:
        """Return the seconds before the attempt after number *attempt*; *luck* is drawn from 0 up to, not including, 1."""
        return 0.0 if self.backoff is None else self.backoff.delay(attempt - 1, luck)


class CallKeywords(TypedDict, total=False):
    """What ``Pool.options`` takes; see ``Policy`` for the meaning, ``Pool.within`` for that of *timeout*."""

    timeout: float | None
    retries: int
    retry_on: tuple[type[Exception], ...]
    redeliver: bool
    backoff: Backoff | None
