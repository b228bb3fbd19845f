"""What travels between the root and a supervisor: orders one way, reports the other, as JSON, one a datagram.

Pure; descriptors travel beside them, and behind the JSON of a birth the arguments of an actor, where they are short.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from actors.runtime.start import Arguments, Shared
from actors.supervision.birth import AsActor, AsSupervisor, Birth

# Which arguments a report has.
_NUMBERED = ("number", "incarnation")
REPORTS = {
    "forked": (*_NUMBERED, "pid"),
    "not_forked": (*_NUMBERED, "code"),
    "stray": (*_NUMBERED, "pid", "name"),
    "spared": (*_NUMBERED, "pid"),
    "reaped": (*_NUMBERED, "wait_status", "uptime", "max_rss_bytes", "cpu_seconds"),
    "died": ("ended",),
}


INLINE = "inline"  # the fact that is what follows the JSON
_END = b"\n"  # of the JSON, which has none


def to_bytes(kind: str, **facts: object) -> bytes:
    """Return the datagram for an order or a report."""
    return json.dumps({"kind": kind, **facts}).encode()


def from_bytes(data: bytes) -> tuple[str, dict[str, Any]]:
    """Return the kind of an order or a report, and its facts."""
    text, separator, inline = data.partition(_END)
    facts = json.loads(text.decode())
    if separator:
        facts[INLINE] = inline
    return facts.pop("kind"), facts


def of_birth(birth: Birth, inline: bytes | None = None) -> bytes:
    """Return the order to fork *birth*; its descriptors travel beside it, and its arguments as the last unless they are *inline*."""
    facts: dict[str, Any] = {
        field: getattr(birth, field)
        for field in ("number", "incarnation", "name", "marker", "oom_score_adj")
    }
    facts["core_dump"] = birth.core_dump
    facts["keeps_others"] = birth.keeps_others
    if isinstance(birth.role, AsActor):
        arguments = birth.role.arguments
        facts["scheme"] = birth.role.scheme
        facts["heartbeat"] = birth.role.heartbeat
        facts["resources"] = dict(birth.role.resources)
        facts["redelivers"] = birth.role.redelivers
        shared = birth.role.shared
        facts["shared"] = None if shared is None else [shared.number, shared.seat]
        facts["arguments"] = {
            **attrs.asdict(arguments, recurse=False),
            "data": None,
        }
    order = to_bytes("fork", **facts)
    return order if inline is None else order + _END + inline


def lacks_arguments(facts: dict[str, Any]) -> bool:
    """Return whether an actor is to be forked whose arguments are no part of the order."""
    return "scheme" in facts and INLINE not in facts


def count_descriptors(facts: dict[str, Any]) -> int:
    """Return how many descriptors travel beside the order to fork: those of the birth, and what holds its arguments."""
    return 2 + lacks_arguments(facts) + (facts.get("shared") is not None)


def to_birth(facts: dict[str, Any], descriptors: list[int]) -> Birth:
    """Return the birth that is ordered, with *descriptors* as they came."""
    goodbye_fd, own_fd, *_ = descriptors
    facts = dict(facts)
    role: AsActor | AsSupervisor = AsSupervisor(own_fd)
    if "scheme" in facts:
        arguments = Arguments(**{**facts.pop("arguments"), "data": facts.pop(INLINE)})
        scheme, heartbeat = facts.pop("scheme"), facts.pop("heartbeat")
        allowed = facts.pop("resources"), facts.pop("redelivers")
        place = facts.pop("shared")
        shared = None if place is None else Shared(place[0], descriptors[2], place[1])
        role = AsActor(scheme, own_fd, arguments, heartbeat, *allowed, shared)
    return Birth(**facts, goodbye_fd=goodbye_fd, role=role)
