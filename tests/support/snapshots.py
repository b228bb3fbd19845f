"""Systems at one moment, for tests of what the command prints."""

from __future__ import annotations

from typing import Any

import attrs

from actors.cli.snapshot import Actor, State, System

_ACTOR = Actor(
    name="counter",
    number=2,
    class_name="Counter",
    pid=102,
    state=State.IDLE,
    incarnation=1,
    restarts=0,
    transport="shm",
    queued=0,
    oldest_seconds=None,
    rss_bytes=23_875_584,
    handled=0,
    outbox=0,
    running=(),
)
_SYSTEM = System(
    name="shop",
    full_name="shop.17",
    directory="/dev/shm/actors-1000/shop.17",
    age_seconds=7.0,
    owner_pid=100,
    root_pid=101,
    program_pids=(),
    actors=(),
)


def an_actor(name: str, **changes: Any) -> Actor:  # noqa: ANN401 - any field
    return attrs.evolve(_ACTOR, name=name, **changes)


def a_system(*actors: Actor, **changes: Any) -> System:  # noqa: ANN401 - any field
    return attrs.evolve(_SYSTEM, actors=actors, **changes)
