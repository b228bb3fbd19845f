"""What the root supervisor has before it knows how to supervise: processes that are made ahead, and the loop that they are watched in.

They are made while the rest of the supervisor is imported.
"""

from __future__ import annotations

import selectors
import signal

import attrs

from actors.supervision import fork
from actors.supervision.alarms import Alarms
from actors.supervision.fork import Fork
from actors.supervision.life import ActorLife
from actors.supervision.spare import Spare, copies


class Termination:
    """SIGTERM.

    Attributes:
        has_come: Since it is caught.
    """

    def __init__(self) -> None:
        """Catch nothing yet."""
        self.has_come = False

    def catch(self) -> None:
        """Catch it from now on."""
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.has_come = True


@attrs.frozen
class Cradle:
    """The beginning of the root's loop.

    Attributes:
        alarms: Of the loop.
        selector: Of the loop.
        spare: The process for the next birth.
        termination: Ends everything.
    """

    alarms: Alarms
    selector: selectors.EpollSelector
    spare: Spare
    termination: Termination

    @classmethod
    def make(cls) -> Cradle:
        """Begin, with nothing but the wish for a spare process."""
        alarms, selector = Alarms(), selectors.EpollSelector()
        spare = Spare(alarms, selector)
        spare.want()
        return cls(alarms, selector, spare, Termination())

    def order_spare(self, life: ActorLife) -> None:
        """Have the first spare process made, for an actor's *life*."""
        spare = self.spare
        kept, epoll_fd = life.directory.descriptors(), self.selector.fileno()
        try:
            end = spare.begin()
            pid = fork.fork(
                Fork(
                    frozenset({*kept, end}),
                    epoll_fd,
                    lambda: None,
                    lambda: copies(end, life),
                )
            )
        except OSError:
            spare.not_forked()
            return
        spare.forked(pid)
        if not spare.needs_mould:
            spare.order()
