"""A module that starts a system when it is imported by a process of the runtime, as some do wherever they are."""

from __future__ import annotations

import os

from actors import Actor, ActorSystem

PROGRAM = "TESTS_PROGRAM"  # in the environment: the process that does not


class Eager(Actor):
    """Its module has to be imported."""


if os.environ.get(PROGRAM, str(os.getpid())) != str(os.getpid()):
    ActorSystem("eager").start()
