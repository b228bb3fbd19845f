"""How far a ``map`` is, and how fast it goes: counts and times in, figures and one line of text out.

The rate is a mean in which items count less the longer ago they were done, by a factor of *e* each ``MEMORY_SECONDS``.
With m' the mean of a moment before, n items done in the t seconds since then, and T the seconds since the beginning,

    w    = exp(-t / MEMORY_SECONDS)
    m    = w * m' + (1 - w) * n / t
    rate = m / (1 - exp(-T / MEMORY_SECONDS))
    ETA  = items left / rate

The divisor takes out that the mean began at 0, so that the first seconds are not shown as slow.

Source: the bias correction of Adam (Kingma and Ba, 2015, section 3), for steps of unequal length; tqdm corrects in the same way.
"""

from __future__ import annotations

import math

import attrs

MEMORY_SECONDS = 10.0


@attrs.frozen
class Meter:
    """A moment of a ``map``.

    Attributes:
        title: What is done to the items.
        total: How many items there are; None where nobody knows.
        done: Items whose results have been given out, those that failed as well.
        failed: Of them, those that have failed.
        restarts: Of workers, since the beginning.
        seconds: Since the beginning.
    """

    title: str
    total: int | None = None
    done: int = 0
    failed: int = 0
    restarts: int = 0
    seconds: float = 0.0
    _mean: float = 0.0  # before it is corrected

    def after(self, seconds: float, done: int, failed: int, restarts: int) -> Meter:
        """Return the moment *seconds* after the beginning, with the counts of then."""
        passed = seconds - self.seconds
        mean = self._mean
        if passed > 0:
            weight = math.exp(-passed / MEMORY_SECONDS)
            mean = weight * mean + (1 - weight) * (done - self.done) / passed
        return Meter(self.title, self.total, done, failed, restarts, seconds, mean)

    @property
    def rate(self) -> float:
        """Items a second, of late."""
        if not self.seconds:
            return 0.0
        return self._mean / (1 - math.exp(-self.seconds / MEMORY_SECONDS))

    @property
    def share(self) -> float | None:
        """The part that is done, from 0 to 1; None where nobody knows."""
        if self.total is None:
            return None
        return min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def eta(self) -> float | None:
        """Seconds until everything is done, at the rate of late; None where that cannot be told."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate

    def figures(self) -> str:
        """Return all there is to say in the middle of it."""
        parts = [
            self._counted(),
            f"{shown_rate(self.rate)}/s",
            f"{self.failed} failed" if self.failed else "",
            _plural(self.restarts, "restart") if self.restarts else "",
            "" if self.eta is None else f"ETA {shown_time(self.eta)}",
        ]
        return ", ".join(filter(None, parts))

    def summary(self) -> str:
        """Return all there is to say in the end."""
        mean = self.done / self.seconds if self.seconds else 0.0
        return (
            f"{self.title}: {self._counted()} in {shown_time(self.seconds)} ({shown_rate(mean)}/s), "
            f"{self.failed} failed, {_plural(self.restarts, 'restart')}"
        )

    def _counted(self) -> str:
        return f"{self.done}" if self.total is None else f"{self.done}/{self.total}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shown_rate(rate: float) -> str:
    """Return *rate* with three figures or more: ``0.52``, ``78.3``, ``1,204``."""
    if rate < 10:
        return f"{rate:.2f}"
    return f"{rate:.1f}" if rate < 100 else f"{rate:,.0f}"


def shown_time(seconds: float) -> str:
    """Return *seconds*, rounded up, as ``0:07``, ``12:30`` or ``1:05:00``; what takes longer than four days as ``∞``."""
    if seconds >= 100 * 3600:
        return "∞"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
