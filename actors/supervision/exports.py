"""Messages that somebody has taken out of a mailbox to write them into a file, held until they are written.

Should whoever writes them die before that, they are sent to the actor again: an accepted message is never in one process alone.
One that is killed after its file is complete, and before we know, has the messages in the file, and the actor gets them as well.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque

import attrs

from actors.runtime.outgoing import GoneError, Outgoing
from actors.supervision.child import ActorChild
from actors.supervision.settling import Settling
from actors.wire import frame, parcel
from actors.wire.frame import Header
from transports.blob import BlobStore

REMEMBERED = 1024  # deaths: what the dead had asked for may be looked at soon after


@attrs.frozen(eq=False)
class Held:
    """One message.

    Attributes:
        header: Of its frame.
        data: The frame, its payload held by us.
        copy: The frame for whoever writes it, with a payload on the way there.
    """

    header: Header
    data: bytes
    copy: bytes

    @property
    def is_large(self) -> bool:
        """Whether it has a payload outside of the frame."""
        return bool(self.header.flags & frame.BLOB)


@attrs.frozen(eq=False)
class _Export:
    child: ActorChild
    to: str
    messages: list[Held]


class Exports:
    """What is held for those who write."""

    def __init__(
        self, outgoing: Outgoing, blobs: BlobStore, settling: Settling
    ) -> None:
        """Send again through *outgoing* what is not written; *blobs* are those of this process."""
        self._outgoing = outgoing
        self._blobs = blobs
        self._settling = settling
        self._tickets = itertools.count(1)
        self._exports: dict[int, _Export] = {}
        self._dead: deque[str] = deque(maxlen=REMEMBERED)

    def hold(self, data: bytes, header: Header, to: str) -> Held | None:
        """Hold the message of the frame *data* for the process *to*; None where its payload is gone, as its sender is, or cannot be held.

        Args:
            data: As it was taken out.
            header: Of it.
            to: The owner of its blobs.
        """
        if not header.flags & frame.BLOB:
            return Held(header, data, data)
        at = header.body_at
        try:
            held = parcel.hold(data[at:], self._blobs)
        except (OSError, ValueError):
            return None
        try:
            lent = parcel.lend(held, self._blobs, to.partition(".")[0])
        except OSError:  # shared memory has no room for another name
            parcel.release(held, self._blobs)
            return None
        return Held(header, data[:at] + held, data[:at] + lent)

    def begin(self, child: ActorChild, to: str, messages: list[Held]) -> int:
        """Hold *messages* of *child* until the process *to* says what has become of them; return the number to say it by."""
        ticket = next(self._tickets)
        self._exports[ticket] = _Export(child, to, messages)
        if to in self._dead:  # it had died before we looked at what it wanted
            self.end(ticket, is_written=False)
        return ticket

    def end(self, ticket: int, *, is_written: bool) -> None:
        """They are in a file, and are dead letters from now on; or they are not, and go back."""
        export = self._exports.pop(ticket, None)
        if export is None:  # given back already
            return
        for message in export.messages:
            if is_written:
                self._release(message)
                self._settling.purged(export.child, message.header, "exported")
            else:
                self._give_back(export.child, message)

    def died(self, owner: str) -> None:
        """The process *owner* has died: give back what it had not written."""
        self._dead.append(owner)
        for ticket, export in list(self._exports.items()):
            if export.to == owner:
                self.end(ticket, is_written=False)

    def _give_back(self, child: ActorChild, message: Held) -> None:
        at = message.header.body_at
        data = message.data
        if message.is_large:
            try:
                lent = parcel.lend(data[at:], self._blobs, str(child.number))
            except OSError:  # as in ``hold``
                self._release(message)
                self._settling.purged(child, message.header, "purged")
                return
            data = data[:at] + lent
        self._release(message)
        try:
            self._outgoing.put_back(child.number, data)
        except GoneError:
            child.estate.drop_blob(data, message.header)
            self._settling.purged(child, message.header, "stopped")

    def _release(self, message: Held) -> None:
        if not message.is_large:
            return
        at = message.header.body_at
        with contextlib.suppress(ValueError):  # it made sense before
            parcel.release(message.data[at:], self._blobs)
            parcel.drop(message.copy[at:], self._blobs)
