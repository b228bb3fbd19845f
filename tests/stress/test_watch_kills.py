"""Watchers, watched and their supervisors are killed at random points, and everything that happened is heard exactly once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import ActorRef, ActorSystem, Event, Events, SupervisorRef, options
from tests.support import procfs
from tests.support.gates import SECONDS, wait_until
from tests.support.lives import notes
from tests.support.trees import Member
from tests.support.watchers import Chronicler, contradictions

KINDS = {"child_exit": "Down", "child_ready": "Up", "child_stopped": "Terminated"}
WATCHED = ("a", "b")
KILLS = 5


def happened(events: Events, last: int) -> Iterator[tuple[str, str]]:
    """Yield (of whom, what), until so many of the watched have ended for good."""
    while last:
        event: Event = events.next().result(SECONDS)
        assert event.kind != "events_dropped"
        if event.actor in WATCHED and event.kind in KINDS:
            last -= event.kind == "child_stopped"
            yield event.actor, f"{KINDS[event.kind]} {event.actor} {event.incarnation}"


def parent_of(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return procfs.parent_of(pid)
    return 0


def kill(pid: int) -> None:
    if pid > 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def is_whole(*trees: SupervisorRef) -> bool:
    return all(
        child.phase == "running"
        for tree in trees
        for child in tree.children().result(SECONDS)
    )


@pytest.mark.parametrize(
    ("transport", "kills"),
    [
        ("shm", KILLS),
        *(
            pytest.param(transport, 400, marks=pytest.mark.slow)
            for transport in ("shm", "unix", "pipe", "mq")
        ),
    ],
)
def test_lives_are_heard_exactly_once_whoever_is_killed(
    transport: str, kills: int, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    rng = random.Random(seed)
    path = tmp_path / "chronicle"
    with ActorSystem(transport=transport) as system:
        specs = [options(name=name).child(Member) for name in WATCHED]
        beside = options(name="beside").child(Chronicler, str(path), specs[0].ref)
        inner = options(id="inner", intensity=10_000).supervisor(*specs, beside)
        top = system.options(id="top", intensity=10_000).supervise(inner)
        tree = top.result(SECONDS)
        below = tree.ref(inner)
        refs: list[ActorRef[Member]] = [tree.ref(spec) for spec in specs]
        apart_spec = options(name="apart").child(Chronicler, str(path), *refs)
        apart_tree = system.options(id="apart", intensity=10_000).supervise(apart_spec)
        apart = apart_tree.result(SECONDS).ref(apart_spec)
        watchers = [tree.ref(beside), apart]
        events = system.events()

        for _ in range(kills):
            wait_until(lambda: is_whole(tree, below), "a whole tree")
            pids = [
                child.pid for child in below.children().result(SECONDS) if child.pid
            ]
            victims = [*pids, watchers[1].within(SECONDS).ask(Chronicler.pid).result()]
            victims += [parent_of(pids[0])] if rng.random() < 0.3 and pids else []
            for pid in rng.sample(victims, rng.randint(1, len(victims))):
                kill(pid)
        wait_until(lambda: is_whole(tree, below), "a whole tree")
        living = [w.within(SECONDS).ask(Chronicler.pid).result() for w in watchers]
        for name in WATCHED:
            below.stop_child(name).result(SECONDS)
        told: dict[str, list[str]] = defaultdict(list)
        for name, what in happened(events, len(WATCHED)):
            told[name].append(what)
        for watcher in watchers:  # behind what it was told
            watcher.ask(Chronicler.pid).result()
        events.close()

    wrong: list[str] = []
    for name, of in (("a", living), ("b", living[1:])):
        heard: dict[int, list[str]] = defaultdict(list)
        heard.update({pid: [] for pid in of})
        for pid, text in notes(path):
            if text.split()[1] == name:
                heard[pid].append(text)
        for pid in of:
            wrong += contradictions(told[name], heard, pid)
    assert wrong == []
