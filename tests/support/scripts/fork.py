"""Forks while it owns a system: the child ends like any program, and the parent goes on."""

from __future__ import annotations

import os
import sys

from actors import ActorError, ActorSystem
from tests.support.actors_under_test import Counter

system = ActorSystem().start()
counter = system.spawn(Counter).result()
pid = os.fork()  # noqa: TID251 - what a program may do is what is tested
if not pid:
    try:
        counter.tell(Counter.add, 100)
    except ActorError as exc:
        sys.stdout.write(f"{type(exc).__name__}\n")
    sys.exit(7)  # with the hooks of atexit
_, status = os.waitpid(pid, 0)
total = counter.ask(Counter.add, 1).result()
sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {total}\n")
system.close()
