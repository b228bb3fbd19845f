"""What a supervisor has to do next so that its group becomes what it wants to be.

Pure.
Everything here follows from the phases and fates of the members: there is no plan that could be out of date.

- Who is to be stopped is stopped in reverse start order, the next one when the one before is gone; a pool stops all at once.
  One that is not ready yet has nothing to clean up, and one that somebody stops by hand keeps nobody waiting.
- Starts are in start order, the next one when the one before is ready: the first time, unless the options say that more may start at
  once, and later where the order matters.
- A round starts nobody before all its members have stopped.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from actors.exits import ExitKind, ExitReason
from actors.supervision.group import Group, Member, Phase, Trial, end_of


@attrs.frozen
class Start:
    """Give this member a process."""

    key: int


@attrs.frozen
class Stop:
    """Ask the process of this member to end."""

    key: int


@attrs.frozen
class Leave:
    """Nobody is left: end, for this reason."""

    reason: ExitReason


@attrs.frozen
class Standstill:
    """Who waits for whom.

    Attributes:
        holding: Those whose processes have to end, or to be ready, first.
        down: Those that get a process only then.
    """

    holding: frozenset[int] = frozenset()
    down: frozenset[int] = frozenset()


Action: TypeAlias = Start | Stop | Leave


def advance(group: Group, now: float) -> tuple[Group, list[Action]]:
    """Return what to do, and the group in which that is done."""
    group = _without_finished_round(group)
    stops = _to_stop(group)
    starts = [] if group.leaving else _to_start(group, now)
    group = group.with_members(
        *(attrs.evolve(member, phase=Phase.STOPPING) for member in stops),
        *(attrs.evolve(member, phase=Phase.STARTING) for member in starts),
    )
    actions: list[Action] = [Stop(member.key) for member in stops]
    actions += [Start(member.key) for member in starts]
    if group.leaving and not any(_is_in_the_way(m) for m in group.members.values()):
        actions.append(Leave(group.leaving))
    return group, actions


def standstill(group: Group) -> Standstill:
    """Return who waits for whom in *group*: what one of the former asks one of the latter is answered when it is too late."""
    members = group.members.values()
    doomed = frozenset(key for key in group.round if group.members[key].is_doomed)
    due = frozenset(m.key for m in members if m.phase is Phase.RESTARTING)
    if group.leaving:
        holding = frozenset(m.key for m in members if _is_in_the_way(m))
        down = frozenset(m.key for m in members if not m.has_process)
    elif doomed:
        holding, down = doomed, due & group.round
    elif group.starts_in_order:
        holding = frozenset(m.key for m in members if m.phase is Phase.STARTING)
        down = due
    else:
        return Standstill()
    return Standstill(holding, down) if holding and down else Standstill()


def next_due(group: Group, now: float) -> float | None:
    """Return when a delay is over next."""
    return min(
        (
            member.due
            for member in group.members.values()
            if member.phase is Phase.RESTARTING and member.due > now
        ),
        default=None,
    )


def ready(group: Group, key: int) -> Group:
    """Return the group after member *key* has said that it is ready."""
    member = group.members.get(key)
    if member is None or member.phase is not Phase.STARTING:
        return group
    return group.with_members(attrs.evolve(member, phase=Phase.RUNNING, trial=None))


def unkillable(group: Group, key: int, reason: ExitReason) -> Group:
    """Return the group that goes on without the end of *key*, whom we killed for *reason*.

    It is restarted once it is gone, but nobody waits for that; whoever waits for its start hears that it has failed.
    """
    member = attrs.evolve(group.members[key], phase=Phase.UNKILLABLE)
    if member.trial is not None:
        member = attrs.evolve(member, fate=end_of(member), trial=None)
    changed = group.with_members(member)
    if group.members[key].trial is not Trial.SUPERVISOR:
        return changed
    return changed.ending(
        ExitReason(ExitKind.FAILED_TO_START, child_id=member.options.id, inner=reason)
    )


def _is_in_the_way(member: Member) -> bool:
    return member.has_process and member.phase is not Phase.UNKILLABLE


def _without_finished_round(group: Group) -> Group:
    unfinished = {Phase.STARTING, Phase.RESTARTING}
    if any(
        group.members[key].phase in unfinished or group.members[key].is_doomed
        for key in group.round
    ):
        return group
    return attrs.evolve(group, round=frozenset()) if group.round else group


def _to_stop(group: Group) -> list[Member]:
    in_turn = group.members.keys() if group.leaving else group.round
    doomed = [
        member
        for member in group.members.values()
        if member.is_doomed and member.phase is not Phase.STOPPING
    ]
    at_once = [
        member
        for member in doomed
        if group.is_pool or member.phase is Phase.STARTING or member.key not in in_turn
    ]
    is_somebody_stopping = any(
        group.members[key].phase is Phase.STOPPING for key in in_turn
    )
    if at_once or is_somebody_stopping:
        return at_once
    return doomed[-1:]


def _to_start(group: Group, now: float) -> list[Member]:
    waiting = [m for m in group.members.values() if m.phase is Phase.RESTARTING]
    starting = sum(m.phase is Phase.STARTING for m in group.members.values())
    if group.starts_in_order:
        is_blocked = starting or any(
            group.members[key].is_doomed for key in group.round
        )
        waiting = [] if is_blocked else waiting[:1]
    free = max(0, group.options.starts_at_once - starting)
    return [member for member in waiting if member.due <= now][:free]
