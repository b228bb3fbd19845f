"""What deaths mean: who is restarted, who is restarted with them, and when it is too much.

Pure: a group, what has died, and the time; out comes another group.
Nothing is done here: ``progress.py`` says what to do to get from there to where the group wants to be.

A death is final here: the process is reaped, and what it left behind is gone.
All deaths that can be seen are given at once, for signals have no order; they are looked at in start order.

Source: ``restart/2`` and ``do_auto_shutdown/2`` of OTP's ``supervisor.erl``; the batch, and a round that is run again when one of its
members dies, are ours.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from actors.exits import ExitKind, ExitReason
from actors.supervision.group import Fate, Group, Member, Phase, Trial, end_of
from actors.supervision.restart import Decision, decide


@attrs.frozen
class Death:
    """The end of one incarnation, when nothing is left of it.

    Attributes:
        key: Whose.
        reason: Why.
        lived: Seconds from ready to death; None if it never was ready.
        luck: For the delay before a restart, drawn from 0 up to, not including, 1.
        is_ignored: Whether it ended because it wanted no process.
        is_final: Whether it ended because somebody wanted it to end for good, after its queue.
    """

    key: int
    reason: ExitReason
    lived: float | None = None
    luck: float = 0.0
    is_ignored: bool = False
    is_final: bool = False


def died(group: Group, deaths: Iterable[Death], now: float) -> Group:
    """Return the group after a batch of deaths.

    The whole batch is paid before anything is started.
    Where several ends of the supervisor come together, a failed first start goes before giving up, and that before an automatic end: what
    is abnormal must not pass for clean.

    Args:
        group: As it was before.
        deaths: All that are known of; of keys that are no members, none is looked at.
        now: Seconds on the monotonic clock.
    """
    batch = _Batch(group, now)
    by_key = {death.key: death for death in deaths}
    for key in [key for key in group.members if key in by_key]:
        batch.add(by_key[key])
    return batch.result()


class _Batch:
    """The group while its deaths are gone through."""

    def __init__(self, group: Group, now: float) -> None:
        self._group = group
        self._now = now
        self._restarts: list[tuple[Member, ExitReason]] = []
        self._failed: ExitReason | None = None  # the first start
        self._too_often: ExitReason | None = None  # one child in a row
        self._over: str | None = None  # the significant child whose end is everybody's

    def result(self) -> Group:
        self._pay()
        over = self._over
        reason = (
            self._failed
            or self._too_many()
            or self._too_often
            or (over and ExitReason(ExitKind.AUTO_SHUTDOWN, child_id=over))
        )
        return self._group.ending(reason) if reason else self._group

    def _pay(self) -> None:
        options = self._group.options
        if self._restarts:
            window = self._group.window.charged(
                self._now,
                intensity=options.intensity,
                period=options.period,
                restarts=len(self._restarts),
            )
            self._group = attrs.evolve(self._group, window=window)

    def _too_many(self) -> ExitReason | None:
        group = self._group
        if not self._restarts or not group.window.exceeds(group.options.intensity):
            return None
        return _gave_up(*self._restarts[-1], group.window.count, group.options.period)

    def add(self, death: Death) -> None:
        member = self._group.members[death.key]
        if death.is_final and member.fate is Fate.RESTART:
            self._settle(member, end_of(member))
        elif member.fate is not None:
            self._settle(member, member.fate)
        elif death.is_ignored:
            self._stay_down(member, Phase.IGNORED)
        elif death.lived is None and member.trial is not None:
            self._fail(member, member.trial, death.reason)
        elif death.lived is None and not member.is_temporary:
            self._restart(member, death)
        else:
            self._decide(member, death)

    def _settle(self, member: Member, fate: Fate) -> None:
        """Its end was coming anyway: whatever it died of costs nothing."""
        if fate is Fate.REMOVE:
            self._remove(member)
        elif fate is Fate.STOP:
            self._put(attrs.evolve(member, phase=Phase.STOPPED, fate=None))
        else:
            self._put(attrs.evolve(member, phase=Phase.RESTARTING, fate=None))

    def _stay_down(self, member: Member, phase: Phase) -> None:
        if member.is_temporary or self._group.is_pool:
            self._remove(member)
        else:
            self._put(attrs.evolve(member, phase=phase, trial=None))

    def _fail(self, member: Member, trial: Trial, reason: ExitReason) -> None:
        """Its start failed, and somebody waits to hear of it."""
        if trial is Trial.REMOVE or self._group.is_pool:
            self._remove(member)
            return
        self._put(attrs.evolve(member, phase=Phase.STOPPED, trial=None))
        if trial is Trial.SUPERVISOR and self._failed is None:
            self._failed = ExitReason(
                ExitKind.FAILED_TO_START, child_id=member.options.id, inner=reason
            )

    def _decide(self, member: Member, death: Death) -> None:
        decision = decide(member.options.restart, death.reason, final=death.is_final)
        if decision is Decision.RESTART:
            self._restart(member, death)
            return
        self._stay_down(member, Phase.STOPPED if death.is_final else Phase.ENDED)
        if member.options.significant and not death.is_final and self._is_over():
            self._over = self._over or member.options.id

    def _is_over(self) -> bool:
        """Return whether the end of a significant child is the end of all."""
        auto = self._group.options.auto_shutdown
        if auto == "all_significant":
            return not any(
                member.options.significant
                and (member.has_process or member.phase is Phase.RESTARTING)
                for member in self._group.members.values()
            )
        return auto == "any_significant"

    def _restart(self, member: Member, death: Death) -> None:
        self._restarts.append((member, death.reason))
        options, child = self._group.options, member.options
        backoff = child.backoff
        stable_after = options.period if backoff is None else backoff.stable_after
        streak = member.streak.after(death.lived, stable_after)
        if streak.exceeds(child.max_in_a_row) and self._too_often is None:
            self._too_often = _gave_up(member, death.reason, streak.short_lives, None)
        delay = backoff.delay(streak.attempts, death.luck) if backoff else 0.0
        due = self._now + delay
        self._put(
            attrs.evolve(
                member, phase=Phase.RESTARTING, streak=streak.restarted(), due=due
            )
        )
        if options.is_ordered:
            self._begin_round(member.key, due, is_rerun=death.lived is not None)

    def _begin_round(self, cause: int, due: float, *, is_rerun: bool) -> None:
        """Take along those whom the strategy restarts with *cause*.

        A failed start goes on from where the round is; a death in a round runs it again, over all that either of them takes along.
        """
        keys = list(self._group.members)
        first = (
            0 if self._group.options.strategy == "one_for_all" else keys.index(cause)
        )
        affected = self._group.round.union(keys[first:])
        taken = affected if is_rerun else set(keys[first:])
        self._group = attrs.evolve(self._group, round=affected)
        for key in taken - {cause}:
            self._take_along(self._group.members[key], due)

    def _take_along(self, member: Member, due: float) -> None:
        due = max(due, member.due)
        if member.phase in {Phase.ENDED, Phase.IGNORED, Phase.RESTARTING}:
            self._put(attrs.evolve(member, phase=Phase.RESTARTING, due=due))
        elif member.has_process and member.fate in {None, Fate.RESTART}:
            fate = Fate.REMOVE if member.is_temporary else Fate.RESTART
            self._put(attrs.evolve(member, fate=fate, due=due))

    def _put(self, member: Member) -> None:
        self._group = self._group.with_members(member)

    def _remove(self, member: Member) -> None:
        self._group = self._group.without([member.key])


def _gave_up(
    member: Member, reason: ExitReason, count: int, period: float | None
) -> ExitReason:
    return ExitReason(
        ExitKind.INTENSITY_EXCEEDED,
        child_id=member.options.id,
        count=count,
        period=period,
        inner=reason,
    )
