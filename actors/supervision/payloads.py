"""Payloads outside the mailboxes: those that dead processes have left behind, and those that actors are made of.

What a dead process held goes at once.
What it sent may have been accepted or not, and nobody but the receiver can tell: it goes when the receiver has nothing waiting
any more and it is still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from actors.runtime.process import Arguments
from actors.supervision.alarms import Alarms
from actors.wire import parcel
from transports import blob
from transports.blob import BlobStore

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
    ) -> None:
        """Look after the directory *blob_fd*, hold what is held in *blobs*; *is_quiet* tells whether nothing waits for a process."""
        self._blob_fd = blob_fd
        self._blobs = blobs
        self._alarms = alarms
        self._is_quiet = is_quiet
        self._sent: dict[str, bool] = {}  # name: whether nobody will take it, it seems

    def died(self, number: int, incarnation: int) -> None:
        """Remove what the incarnation held; what it had sent is looked at later."""
        owner = f"{number}.{incarnation}"
        blob.sweep_holder(self._blob_fd, owner)
        self._sent |= dict.fromkeys(blob.sent(self._blob_fd, owner), False)
        self._wait()

    def look(self) -> None:
        """Remove what nobody will take."""
        here = set(blob.sent(self._blob_fd))
        for name, was_quiet in list(self._sent.items()):
            is_quiet = self._is_quiet(int(name.partition("@")[0]))
            if name not in here:
                del self._sent[name]
            elif was_quiet and is_quiet:
                # Twice, so that a receiver between taking the frame and opening its blob has had the time for it.
                del self._sent[name]
                blob.drop(self._blob_fd, name)
            else:
                self._sent[name] = is_quiet
        self._wait()

    def ended(self, number: int) -> None:
        """Remove what is on its way to a process that takes nothing any more."""
        blob.sweep_mailbox(self._blob_fd, str(number))

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
