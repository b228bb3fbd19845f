"""Spawn actors on the limits of an ordinary user, and report.

``python -m tests.support.ordinary_actors SCHEME COUNT QUEUE_BYTES`` spawns up to COUNT actors and prints as JSON how many there were,
the error that ended it, how many answered, and what a new pipe of the user can hold meanwhile; then it waits for its standard input to
end.
QUEUE_BYTES is what the user may have for message queues, 0 for what it has.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import sys

import attrs

from actors import ActorRef, ActorSystem, SpawnError
from tests.support.actors_under_test import Counter

DESCRIPTORS = 4096  # what an ordinary user may have


@attrs.frozen
class Report:
    made: int
    error: str
    answered: int
    pipe_bytes: int


def main(scheme: str, count: int, queue_bytes: int) -> None:
    """Spawn until the limit."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    if queue_bytes:
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (queue_bytes, queue_bytes))
    with ActorSystem(transport=scheme) as system:
        refs: list[ActorRef[Counter]] = []
        error = ""
        try:
            while len(refs) < count:
                refs.append(system.spawn(Counter, len(refs)).result())
        except SpawnError as exc:
            error = str(exc)
        answers = [ref.within(None).ask(Counter.add, 0).result() for ref in refs]
        right = sum(answer == number for number, answer in enumerate(answers))
        found = Report(len(refs), error, right, _room_of_a_new_pipe())
        print(json.dumps(attrs.asdict(found)), flush=True)  # noqa: T201 - the report
        sys.stdin.read()


def _room_of_a_new_pipe() -> int:
    ends = os.pipe()
    try:
        return fcntl.fcntl(ends[0], fcntl.F_GETPIPE_SZ)
    finally:
        for end in ends:
            os.close(end)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
