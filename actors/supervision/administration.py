"""What somebody asks of a supervisor for one of its children: start, stop, restart, delete.

Pure: a group and a request; out come another group, and what to answer.

Source: the table of ``handle_call/3`` in OTP's ``supervisor.erl``; a member that somebody has stopped stays so in every round, as it
does not there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from actors.supervision.backoff import Streak
from actors.supervision.group import (
    Fate,
    Group,
    Member,
    Phase,
    Trial,
    end_of,
)
from actors.supervision.settings import ChildOptions


class Reply(enum.StrEnum):
    """What is answered.

    Attributes:
        OK: It is done, or begun.
        ALREADY_STARTED: A child of this id has a process.
        ALREADY_PRESENT: A child of this id is known, without a process.
        RUNNING: It has a process.
        RESTARTING: It is about to be started.
        NOT_FOUND: There is no such child.
        POOL: That cannot be done to the members of a pool.
        SHUTTING_DOWN: Nothing is started any more.
    """

    OK = "ok"
    ALREADY_STARTED = "already_started"
    ALREADY_PRESENT = "already_present"
    RUNNING = "running"
    RESTARTING = "restarting"
    NOT_FOUND = "not_found"
    POOL = "pool"
    SHUTTING_DOWN = "shutting_down"


Outcome = tuple[Group, Reply]
Operation = Callable[[Group, int], Outcome]


def start_child(group: Group, key: int, options: ChildOptions) -> Outcome:
    """Add a child behind all others and start it; if that fails it is removed."""
    if group.leaving:
        return group, Reply.SHUTTING_DOWN
    present = group.find(options.id)
    if present is not None:
        is_started = present.has_process
        return group, Reply.ALREADY_STARTED if is_started else Reply.ALREADY_PRESENT
    return group.with_members(Member(key, options, trial=Trial.REMOVE)), Reply.OK


def stop_child(group: Group, key: int) -> Outcome:
    """Stop a child for good; its options stay known, except those of a temporary one and of a member of a pool."""
    member = group.members.get(key)
    if member is None:
        return group, Reply.NOT_FOUND
    fate = Fate.REMOVE if group.is_pool else end_of(member)
    if member.has_process:
        doomed = attrs.evolve(member, fate=fate, trial=None)
        return group.with_members(doomed), Reply.OK
    if member.phase is not Phase.RESTARTING:
        return group, Reply.OK
    if fate is Fate.REMOVE:
        return group.without([key]), Reply.OK
    stopped = attrs.evolve(member, phase=Phase.STOPPED, trial=None)
    return group.with_members(stopped), Reply.OK


def restart_child(group: Group, key: int) -> Outcome:
    """Start a child that was stopped or has ended, as if nothing had ever gone wrong with it."""
    refusal = _unless_down(group, key)
    if refusal is not None:
        return group, refusal
    if group.leaving:
        return group, Reply.SHUTTING_DOWN
    member = attrs.evolve(
        group.members[key],
        phase=Phase.RESTARTING,
        trial=Trial.STOP,
        due=0.0,
        streak=Streak(),
    )
    return group.with_members(member), Reply.OK


def delete_child(group: Group, key: int) -> Outcome:
    """Forget a child that was stopped or has ended."""
    refusal = _unless_down(group, key)
    return (group.without([key]), Reply.OK) if refusal is None else (group, refusal)


def renew_child(group: Group, key: int) -> Outcome:
    """Replace the process of a child by a fresh one; that is no failure, and takes nobody along."""
    member = group.members.get(key)
    if member is None:
        return group, Reply.NOT_FOUND
    if group.leaving:
        return group, Reply.SHUTTING_DOWN
    if not member.has_process:
        is_due = member.phase is Phase.RESTARTING
        return (group, Reply.RESTARTING) if is_due else restart_child(group, key)
    # One that is being started is fresh, and what is decided already stays so.
    if member.fate is None and member.phase is not Phase.STARTING:
        group = group.with_members(attrs.evolve(member, fate=Fate.RESTART, due=0.0))
    return group, Reply.OK


def _unless_down(group: Group, key: int) -> Reply | None:
    if group.is_pool:
        return Reply.POOL
    member = group.members.get(key)
    if member is None:
        return Reply.NOT_FOUND
    if member.has_process:
        return Reply.RUNNING
    return Reply.RESTARTING if member.phase is Phase.RESTARTING else None
