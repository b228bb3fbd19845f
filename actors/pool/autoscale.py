"""How many workers a pool should have, from how long messages wait.

Pure: what was seen, and when, is given.

The rule: let *age* be for how long the oldest message waits that nobody has taken.

- Above *target* the pool grows at once, to size · age / target, at least by one and at most to twice what it was.
- Below half of *target*, with somebody idle, each time it looked for *dwell* seconds, it loses one worker, and the count begins anew.
- In between, or where everybody is busy, it stays as it is.

Growing is quick, because somebody waits; shrinking takes its time, because nobody does: so a load that comes in waves shorter than *dwell*
does not make the size flap.

Source: Little's law: at a rate of arrivals that does not change, the time in the queue grows with the part of the load for which there is
no worker, so the size that would have kept up is larger in about that proportion.
"""

from __future__ import annotations

import math

import attrs

from actors.errors import OptionError
from actors.options import is_seconds, is_whole, must, refused

MAX_GROWTH = 2  # times the size, at one go

_positive = must(
    lambda value: is_seconds(value) and value > 0, "a number of seconds above 0"
)
_count = must(
    lambda value: is_whole(value) and 1 <= value <= 1024,
    "a whole number of workers from 1 to 1024",
)


@attrs.frozen(kw_only=True)
class Autoscale:
    """Between how many workers a pool moves by itself, and what makes it.

    The process that made the pool looks every *interval*; while it neither waits for something nor runs an event loop, four times a
    second at most.

    Attributes:
        min: Workers it always has.
        max: Workers it never exceeds.
        target: Seconds that a message may wait before somebody takes it.
        dwell: Seconds of calm before it loses a worker.
        interval: Seconds between two looks.
    """

    min: int = attrs.field(default=1, validator=_count)
    max: int = attrs.field(validator=_count)
    target: float = attrs.field(default=0.1, validator=_positive)
    dwell: float = attrs.field(default=5.0, validator=_positive)
    interval: float = attrs.field(default=0.25, validator=_positive)

    def __attrs_post_init__(self) -> None:
        """Refuse a range that is empty.

        Raises:
            OptionError: *max* is below *min*.
        """
        if self.max < self.min:
            raise refused("max", self.max, f"no less than min={self.min}")

    def check_size(self, size: int) -> None:
        """Refuse a first size outside of the range.

        Raises:
            OptionError: It is.
        """
        if not self.min <= size <= self.max:
            msg = f"size={size}: from autoscale.min={self.min} to autoscale.max={self.max}"
            raise OptionError(msg)


@attrs.frozen
class Look:
    """What was seen of a pool.

    Attributes:
        now: When, in seconds.
        size: Its workers.
        busy: Those of them that have a message in hand.
        age: Seconds that the oldest message has waited; 0 where none waits.
    """

    now: float
    size: int
    busy: int
    age: float


@attrs.frozen
class Calm:
    """What is remembered from one look to the next.

    Attributes:
        since: Since when there was more than enough; None where there was not.
    """

    since: float | None = None


def decide(settings: Autoscale, calm: Calm, look: Look) -> tuple[int, Calm]:
    """Return the size that the pool should have, and what to remember."""
    if look.age > settings.target:
        wanted = math.ceil(look.size * min(MAX_GROWTH, look.age / settings.target))
        return min(settings.max, max(wanted, look.size + 1)), Calm()
    if look.age > settings.target / 2 or look.busy >= look.size:
        return look.size, Calm()
    since = look.now if calm.since is None else calm.since
    if look.now - since < settings.dwell:
        return look.size, Calm(since)
    return max(settings.min, look.size - 1), Calm(look.now)
