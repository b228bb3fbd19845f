"""The process of an actor, before and at its birth."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NoReturn

from actors.runtime import process
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.loop import RingLoop
from actors.runtime.rehearsal import Stage
from actors.runtime.start import Start
from actors.supervision import handover
from actors.supervision.birth import AsActor, Birth
from transports.errors import TransportError

# From the eighth call on, CPython 3.11 writes less to the code that it runs.
PRACTICE = 8


class ActorLife:
    """What the process of an actor does with its birth; see ``spare.Life``."""

    def __init__(self, directory: RuntimeDirectory) -> None:
        """Live in the system of *directory*."""
        self.directory = directory
        self._loop: RingLoop | None = None
        self._stage: Stage | None = None

    def begin(self) -> None:
        """See ``spare.Life``."""
        with contextlib.suppress(TransportError, OSError):  # it can go without
            self._stage = Stage(self.directory)

    def practise(self) -> None:
        """Do what processes will do that are forked from now on, so that they find it done: code specialised, and caches filled."""
        self.begin()
        with contextlib.suppress(TransportError, OSError):
            for _ in range(PRACTICE):
                handover.rehearse()
                if self._stage is not None:
                    self._stage.rehearse(lambda: False)
        self.end()

    def prepare(self, is_called: Callable[[], bool]) -> None:
        """See ``spare.Life``."""
        with contextlib.suppress(TransportError, OSError):
            handover.rehearse()
            if self._stage is not None:
                self._stage.prepare(is_called)
        if not is_called():
            self._loop = RingLoop()

    def end(self) -> None:
        """See ``spare.Life``."""
        if self._stage is not None:
            self._stage.remove()
            self._stage = None

    def __call__(self, birth: Birth) -> NoReturn:
        """Be the actor; never returns."""
        role = birth.role
        assert isinstance(role, AsActor)  # noqa: S101 - no supervisor is born of a spare process; for the checkers
        process.run(
            Start(
                directory=self.directory,
                number=birth.number,
                incarnation=birth.incarnation,
                name=birth.name,
                scheme=role.scheme,
                mailbox_fd=role.mailbox_fd,
                goodbye_fd=birth.goodbye_fd,
                arguments=role.arguments,
                heartbeat=role.heartbeat,
                resources=role.resources,
                redelivers=role.redelivers,
                shared=role.shared,
            ),
            self._loop,
        )
