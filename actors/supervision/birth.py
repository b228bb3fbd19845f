"""What has to be known to make the process of a child."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from actors.runtime.start import Arguments, Shared


@attrs.frozen
class AsActor:
    """The process is to be an actor.

    Attributes:
        scheme: Of its mailbox's transport.
        mailbox_fd: Its mailbox, as the root holds it.
        arguments: What it is made of.
        heartbeat: Seconds between two of its signs of life; None for none.
        resources: What the kernel allows it: attributes of ``Resources``.
        redelivers: Whether a message that it dies of is tried again.
        shared: The mailbox that it takes from besides its own.
    """

    scheme: str
    mailbox_fd: int
    arguments: Arguments
    heartbeat: float | None = None
    resources: Mapping[str, Any] = attrs.field(factory=dict)
    redelivers: bool = False
    shared: Shared | None = None


@attrs.frozen
class AsSupervisor:
    """The process is to be a supervisor.

    Attributes:
        line_fd: Its end of the connection with the root.
    """

    line_fd: int


@attrs.frozen
class Birth:
    """The process of one incarnation.

    Attributes:
        number: Of the child in its system.
        incarnation: Which life of it.
        name: What ``ps`` shows.
        marker: Identifies the incarnation in an environment.
        goodbye_fd: Where it says why it ends.
        role: What it is to be.
        oom_score_adj: Added to what it inherits.
        core_dump: Whether a crash may leave a core.
        keeps_others: Whether what it starts may outlive it.
    """

    number: int
    incarnation: int
    name: str
    marker: str
    goodbye_fd: int
    role: AsActor | AsSupervisor
    oom_score_adj: int = 100
    core_dump: bool = False
    keeps_others: bool = False

    @property
    def is_supervisor(self) -> bool:
        """Whether it has children of its own."""
        return isinstance(self.role, AsSupervisor)

    def descriptors(self) -> Iterator[int]:
        """Yield what is made for this process alone."""
        yield self.goodbye_fd
        if isinstance(self.role, AsSupervisor):
            yield self.role.line_fd
            return
        yield self.role.mailbox_fd
        if self.role.shared is not None:
            yield self.role.shared.mailbox_fd
