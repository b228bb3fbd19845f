"""Whether a process hangs: decided from what its status page shows.

Pure: what was seen at a moment goes in, and comes out as a verdict.
A handler hangs that has run for longer than it may; a process hangs that gives no sign of life.
Time during which it was frozen does not count.

Source: the watchdog of systemd (``WatchdogSec``), here with the message in place of the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from actors.options import Heartbeat
from actors.runtime.pauses import Freeze, frozen_ns

SECOND_NS = 1_000_000_000
# A supervisor that looks this much too late has stood still itself.
STALL_NS = SECOND_NS


@attrs.frozen
class Hand:
    """A message in hand.

    Attributes:
        place: The slot it lies in.
        seq: The number it has in its mailbox.
        started_ns: Since when, CLOCK_MONOTONIC.
        method: Its name; empty for a timer.
    """

    place: int
    seq: int
    started_ns: int
    method: str


@attrs.frozen
class Limits:
    """How long what may take, in nanoseconds.

    Attributes:
        of_methods: Those that have a limit of their own; None for those that have none.
        of_others: The limit of all others; None for none.
        of_silence: Until the next sign of life; None where none is given.
    """

    of_methods: Mapping[str, int | None] = attrs.field(factory=dict)
    of_others: int | None = None
    of_silence: int | None = None

    @classmethod
    def of(
        cls,
        timeouts: Mapping[str, float],
        default: float | None,
        heartbeat: Heartbeat | None,
    ) -> Limits:
        """Return the limits of a child; *timeouts* are those of handlers, in seconds, ``math.inf`` for none."""
        return cls(
            {name: _ns(seconds) for name, seconds in timeouts.items()},
            _ns(default),
            None if heartbeat is None else _ns(heartbeat.timeout),
        )

    def of_hand(self, hand: Hand) -> int | None:
        """Return the limit of a message."""
        return self.of_methods.get(hand.method, self.of_others)

    @property
    def shortest(self) -> int | None:
        """The shortest of a message."""
        every = [*self.of_methods.values(), self.of_others]
        return min((each for each in every if each is not None), default=None)


def _ns(seconds: float | None) -> int | None:
    if seconds is None or seconds > 1e9:
        return None
    return int(seconds * SECOND_NS)


@attrs.frozen
class Sight:
    """What was seen of a process.

    Attributes:
        now_ns: When.
        heard_ns: When it gave its last sign of life.
        hands: Its messages in hand.
        freezes: When it was frozen.
    """

    now_ns: int
    heard_ns: int
    hands: Sequence[Hand] = ()
    freezes: Sequence[Freeze] = ()

    def since(self, then_ns: int) -> int:
        """Return how much time has passed for the process since *then_ns*."""
        return self.now_ns - then_ns - frozen_ns(self.freezes, then_ns, self.now_ns)


@attrs.frozen
class Fine:
    """It does not hang.

    Attributes:
        look_ns: In how much time it has to be looked at again; None for never.
    """

    look_ns: int | None


@attrs.frozen
class Hung:
    """It hangs.

    Attributes:
        took_ns: For how long it has run, or has been silent.
        limit_ns: For how long it may.
        hand: The message that takes too long; None: the process is silent.
    """

    took_ns: int
    limit_ns: int
    hand: Hand | None = None


def judge(sight: Sight, limits: Limits) -> Fine | Hung:
    """Return whether the process hangs, and which message it does in."""
    looks = [limits.shortest]  # a message that is started right now
    for hand in sight.hands:
        limit = limits.of_hand(hand)
        if limit is None:
            continue
        took = sight.since(hand.started_ns)
        if took >= limit:
            return Hung(took, limit, hand)
        looks.append(limit - took)
    if limits.of_silence is not None:
        silence = sight.since(sight.heard_ns)
        if silence >= limits.of_silence:
            return Hung(silence, limits.of_silence)
        looks.append(limits.of_silence - silence)
    return Fine(min((look for look in looks if look is not None), default=None))


def grace_ns(due_ns: int, now_ns: int, limit_ns: int) -> int:
    """Return for how long a verdict has to wait that was due at *due_ns*, 0 for not at all.

    A supervisor that comes too late has stood still, as has perhaps the whole machine: whoever it watches gets the time that it was
    late by, at most one limit.
    """
    late = now_ns - due_ns
    return min(late, limit_ns) if late > STALL_NS else 0
