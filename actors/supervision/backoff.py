"""How long to wait before a restart, and how often in a row a child has failed.

Pure: time and luck are given.

Source: ``BackoffSupervisor`` of Akka for the delay, ``startretries`` of supervisord for the failures in a row.
A life counts from ready, so that a slow ``__init__`` does not pass for a stable one.
"""

from __future__ import annotations

import math

import attrs

from actors.options import is_seconds, must, refused

_positive = must(
    lambda value: is_seconds(value) and value > 0, "a number of seconds above 0"
)


@attrs.frozen(kw_only=True)
class Backoff:
    """A delay before each restart, longer after each failure.

    With the defaults, and without luck, 0.1, 0.2, 0.4, 0.8, … 25.6, 30, 30 seconds.
    Messages queue meanwhile.

    Attributes:
        min: Seconds before the first restart.
        max: Seconds that it grows to, without luck.
        factor: By which it grows each time, 1 or more.
        jitter: The part of the delay, 0 to 1, that luck may add, so that many do not start in step.
        reset_after: Seconds of life after which the next delay is *min* again; None for the middle of *min* and *max*.
    """

    min: float = attrs.field(default=0.1, validator=_positive)
    max: float = attrs.field(default=30.0, validator=_positive)
    factor: float = attrs.field(
        default=2.0,
        validator=must(
            lambda value: is_seconds(value) and value >= 1, "a number, 1 or more"
        ),
    )
    jitter: float = attrs.field(
        default=0.2,
        validator=must(
            lambda value: is_seconds(value) and value <= 1, "a number from 0 to 1"
        ),
    )
    reset_after: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(_positive)
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a range that is empty.

        Raises:
            OptionError: *max* is below *min*.
        """
        if self.max < self.min:
            raise refused("max", self.max, f"no less than min={self.min!r}")

    @property
    def stable_after(self) -> float:
        """Seconds of life after which the next delay is *min* again."""
        if self.reset_after is None:
            return (self.min + self.max) / 2
        return self.reset_after

    def delay(self, attempt: int, luck: float) -> float:
        """Return the seconds before a restart.

        Args:
            attempt: Restarts since the child was last stable, 0 for the first.
            luck: Drawn from 0 up to, not including, 1.
        """
        try:
            base = min(self.max, self.min * self.factor**attempt)
        except OverflowError:
            base = self.max
        return base * (1 + self.jitter * luck)


@attrs.frozen
class Streak:
    """What a child's last lives were like.

    Attributes:
        attempts: Restarts since it was last stable.
        short_lives: Failed starts and short lives in a row.
    """

    attempts: int = 0
    short_lives: int = 0

    def after(self, lived: float | None, stable_after: float) -> Streak:
        """Return the streak after another life.

        Args:
            lived: Seconds from ready to death; None for a failed start.
            stable_after: Seconds from which a life counts as a long one.
        """
        if lived is not None and lived >= stable_after:
            return Streak()
        return attrs.evolve(self, short_lives=self.short_lives + 1)

    def restarted(self) -> Streak:
        """Return the streak with another attempt."""
        return attrs.evolve(self, attempts=self.attempts + 1)

    def exceeds(self, max_in_a_row: float | None) -> bool:
        """Return whether to give up; None never does."""
        return max_in_a_row is not None and self.short_lives > max_in_a_row


def never_gives_up(
    backoff: Backoff | None,
    max_in_a_row: float | None,
    *,
    intensity: float,
    period: float,
) -> bool:
    """Return whether the delays alone keep restarts so far apart that the window never fills: the loop would be endless."""
    return (  # infinity is a choice somebody made with open eyes
        backoff is not None
        and max_in_a_row is None
        and period < intensity * backoff.min < math.inf
    )
