"""Payloads outside the mailboxes: those that dead processes have left behind, and those that actors are made of.

What a dead process held goes at once.
What it sent may have been accepted or not, and nobody but the receiver can tell: it goes when the receiver has nothing waiting
any more and it is still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from actors.runtime.start import Arguments
from actors.supervision.alarms import Alarms
from actors.wire import parcel
from transports import blob
from transports.blob import BlobStore
from transports.ledger import Ledger

ALARM = "payloads"
LOOK_SECONDS = 1.0  # between two looks at what was sent


class Payloads:
    """The blobs of one system, after deaths and across them."""

    def __init__(
        self,
        blob_fd: int,
        blobs: BlobStore,
        alarms: Alarms,
        is_quiet: Callable[[int], bool],
        ledger_of: Callable[[int], Ledger | None],
    ) -> None:
        """Look after the directory *blob_fd*, and hold what is held in *blobs*.

        Args:
            blob_fd: Where they are.
            blobs: Those of this process.
            alarms: Of the same.
            is_quiet: Tells whether nothing waits for a process.
            ledger_of: Returns what waits outside of the mailbox of an actor, or of a shared one.
        """
        self._blob_fd = blob_fd
        self._blobs = blobs
        self._alarms = alarms
        self._is_quiet = is_quiet
        self._ledger_of = ledger_of
        self.on_died: Callable[[str], None] = lambda _: None  # with its owner
        self._sent: dict[str, bool] = {}  # name: whether nobody will take it, it seems

    def died(self, number: int, incarnation: int) -> None:
        """Remove what the incarnation held; what it had sent is looked at later."""
        owner = f"{number}.{incarnation}"
        blob.sweep_holder(self._blob_fd, owner)
        sent = list(blob.sent(self._blob_fd, owner))
        for to in set(map(_receiver, sent)):
            ledger = self._ledger_of(to)
            if ledger is not None:
                ledger.abandon(name for name in sent if _receiver(name) == to)
        self._sent |= dict.fromkeys(sent, False)
        self._wait()
        self.on_died(owner)

    def taken(self, number: int) -> None:
        """Count what waits outside of mailbox *number* by what is there: whoever took from it may have died before it said so."""
        ledger = self._ledger_of(number)
        if ledger is not None:
            ledger.keep(lambda: self._on_the_way(number))

    def _on_the_way(self, number: int) -> list[str]:
        return [name for name in blob.sent(self._blob_fd) if _receiver(name) == number]

    def look(self) -> None:
        """Remove what nobody will take."""
        here = set(blob.sent(self._blob_fd))
        for name, was_quiet in list(self._sent.items()):
            is_quiet = self._is_quiet(_receiver(name))
            if name not in here:
                del self._sent[name]
            elif was_quiet and is_quiet:
                # Twice, so that a receiver between taking the frame and opening its blob has had the time for it.
                del self._sent[name]
                blob.drop(self._blob_fd, name)
                self.taken(_receiver(name))
            else:
                self._sent[name] = is_quiet
        self._wait()

    def ended(self, number: int) -> None:
        """Remove what is on its way to a process that takes nothing any more."""
        blob.sweep_mailbox(self._blob_fd, str(number))
        self.taken(number)

    def hold(self, facts: Mapping[str, Any], payload: bytes) -> Arguments:
        """Take what a new actor is made of, for all its incarnations; *facts* are those of its spawn.

        Raises:
            OSError: It is gone, as whoever has sent it is.
            ValueError: It makes no sense.
        """
        is_parcel = facts.get("is_parcel", False)
        data = parcel.hold(payload, self._blobs) if is_parcel else payload
        return Arguments(
            data,
            is_parcel,
            facts["is_writable"],
            worker_index=facts.get("worker_index"),
            recycle=facts.get("recycle"),
        )

    def release(self, arguments: Arguments) -> None:
        """Let go of what an actor was made of."""
        if arguments.is_parcel:
            parcel.release(arguments.data, self._blobs)

    def _wait(self) -> None:
        if self._sent:
            self._alarms.set((ALARM, 0), time.monotonic() + LOOK_SECONDS)


def _receiver(name: str) -> int:
    return blob.receiver_of(name.encode())
