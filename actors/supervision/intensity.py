"""How many restarts are too many: the sliding window.

Pure: a window is a value, time is given to it.
What is counted, and what happens when it is too much, is the supervisor's business.

Source: ``add_restart/1`` of OTP's ``supervisor.erl``, without its rounding to whole seconds.
"""

from __future__ import annotations

import math

import attrs


@attrs.frozen
class Window:
    """The restarts that still count.

    Attributes:
        restarts: Their times in seconds on the monotonic clock, oldest first.
    """

    restarts: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """How many restarts still count."""
        return len(self.restarts)

    def charged(
        self, now: float, *, intensity: float, period: float, restarts: int = 1
    ) -> Window:
        """Return the window after *restarts* that became due together.

        Args:
            now: Time at which the supervisor processes the death, in seconds on the monotonic clock.
            intensity: As in ``exceeds``; with infinity nothing is recorded, for the window would only grow.
            period: Seconds for which a restart counts; one that is exactly that old still does.
            restarts: Deaths in this batch that are to be restarted; a whole batch is charged before anything is decided.
        """
        if intensity == math.inf:
            return Window()
        recent = tuple(time for time in self.restarts if time >= now - period)
        return Window(recent + (now,) * restarts)

    def exceeds(self, intensity: float) -> bool:
        """Return whether to give up: more restarts count than the *intensity* that is put up with."""
        return len(self.restarts) > intensity
