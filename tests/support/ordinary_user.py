"""Make mailboxes as a user with the limits of an ordinary one, and report.

``python -m tests.support.ordinary_user SCHEME COUNT CAPACITY`` becomes a user that
nobody else is, so that its limits are all its own, makes up to COUNT mailboxes (of
CAPACITY bytes, or 0 for the default) and prints as JSON how many there were, the error
that ended it, and what a new pipe of that user can hold meanwhile.  Needs root.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import secrets
import subprocess
import sys
from typing import cast

import attrs

from tests.support.transports import ROOT, a_place
from transports import registry
from transports.errors import TransportError

# Beyond every user and every range that containers take theirs from.
FIRST_UID = 1 << 30
DESCRIPTORS = 4096
PROGRAM = "tests.support.ordinary_user"


@attrs.frozen
class Report:
    made: int
    error: str
    pipe_bytes: int
    left: int


def report(scheme: str, count: int, capacity: int = 0) -> Report:
    """Run the program and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", PROGRAM, scheme, str(count), str(capacity)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return Report(**cast("dict[str, object]", json.loads(done.stdout)))  # type: ignore[arg-type]  # as printed


def main(scheme: str, count: int, capacity: int) -> Report:
    """Make mailboxes until the limit."""
    transport = registry.get(scheme)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    uid = FIRST_UID + secrets.randbelow(1 << 20)
    os.setresuid(uid, uid, uid)
    made, error = 0, ""
    with a_place() as place:
        try:
            for number in range(count):
                place.create(transport, f"{number}.mail", capacity or None)
                made += 1
        except TransportError as exc:
            error = f"{type(exc).__name__}: {exc}"
        left = len(list(place.path.iterdir())) - made
        reader, writer = os.pipe()
        pipe_bytes = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
        os.close(reader)
        os.close(writer)
    return Report(made, error, pipe_bytes, left)


if __name__ == "__main__":
    found = main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(attrs.asdict(found)))
