"""The mailbox of an actor, from outside: what waits there, and how to get it out and in again.

All of it is done by the supervisor, which holds the mailbox; so it works whatever the actor does, also when it hangs or is frozen.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from actors.errors import OptionError
from actors.options import whole
from actors.pending import Pending, settled
from actors.runtime.client import Client
from actors.wire import archive, frame, parcel
from actors.wire.archive import ArchiveError, Message
from actors.wire.parcel import Parcel

LISTED = 100  # messages that ``inspect`` returns unless told otherwise


@attrs.frozen
class QueuedMessage:
    """One message in a mailbox, as its header tells.

    Attributes:
        kind: ``tell``, ``ask``, ``stop``, or ``notice`` of an actor that is watched.
        method: As ``Counter.add``; empty for a stop.
        sender: The name of the actor that has sent it; ``main program``, or ``process`` and its number.
        age: Seconds since it was sent.
        size: Of its frame, in bytes; what is too large for the mailbox is not in it.
        payload: Bytes that wait outside of the mailbox for it; 0 where all of it is in the frame, or lies in memory that is shared.
        running: Seconds since a handler began with it; None where none has.
    """

    kind: str
    method: str
    sender: str
    age: float
    size: int
    payload: int = 0
    running: float | None = None


@attrs.frozen
class MailboxState:
    """What was in a mailbox a moment ago.

    Attributes:
        messages: How many wait.
        bytes: What they take of the capacity; None where the kernel does not tell.
        capacity_bytes: What the mailbox can hold; None where it does not count bytes.
        capacity_messages: Likewise; None where it does not count messages.
        payloads: How many payloads of large messages wait outside of the mailbox.
        payload_bytes: What they take, each rounded up to KiB.
        capacity_payloads: How many may wait there.
        capacity_payload_bytes: The option ``mailbox_payload_bytes``: a payload is let in while less than this waits.
        age: Seconds since the oldest was sent; None where nothing waits, or the kernel does not show it.
        waiting: The oldest, oldest first; None where the kernel shows messages only to who takes them (``mq``).
        in_hand: What the actor has taken and not finished.
    """

    messages: int
    bytes: int | None
    capacity_bytes: int | None
    capacity_messages: int | None
    payloads: int
    payload_bytes: int
    capacity_payloads: int
    capacity_payload_bytes: int
    age: float | None
    waiting: tuple[QueuedMessage, ...] | None
    in_hand: tuple[QueuedMessage, ...]


class ActorMailbox:
    """The mailbox of one actor; comes from ``ActorRef.mailbox``."""

    __slots__ = ("_client", "_name", "_number")

    def __init__(self, client: Client, number: int, name: str) -> None:
        self._client = client
        self._number = number
        self._name = name

    def __repr__(self) -> str:
        return f"<ActorMailbox of {self._name}>"

    def inspect(self, limit: int = LISTED) -> Pending[MailboxState]:
        """Return what waits for the actor; it does not notice, and goes on meanwhile.

        Args:
            limit: How many messages to list at most, from 0; all are counted.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good.

        Raises (at the call):
            OptionError: *limit* is no such number.
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        whole("limit", limit, 0)
        facts = {"number": self._number, "limit": limit}
        return self._client.request("mailbox", facts, convert=_state, about=self._name)

    def purge(self) -> Pending[int]:
        """Drop what waits for the actor; settled with how many messages that were.

        Each tell becomes a dead letter (``purged``), each ask fails with ``MessagePurgedError``.
        What the actor has in hand is not touched, and a queued stop takes effect at once.

        Delivery: what was in the mailbox at the call is dropped or in hand; what waits in its senders for room stays there.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good.
            ActorError: Its process cannot be made to stand still for a moment: it hangs in the kernel, or has changed its user.

        Raises (at the call):
            As ``inspect``.
        """
        return self._take_out(None, lambda facts: facts["messages"])

    def export(self, path: str | os.PathLike[str]) -> Pending[int]:
        """Move the tells that wait for the actor into a new file; settled with how many those were.

        They are told of as dead letters (``exported``); asks, whose askers wait, fail as with ``purge``.
        The file appears when it is complete. The supervisor holds the messages until then: should this program be killed before,
        they are sent to the actor again, behind what came meanwhile. Killed in the instant between, it leaves them in both places.
        The file holds the arguments as they were sent: it is for ``replay``, by the same program or one that can import the same
        classes, and like a pickle not for the eyes of strangers.

        Raises (when awaited):
            OSError: The file cannot be written. The messages are sent to the actor again, soon.
            ActorStoppedError: The actor has ended for good.
            ActorError: As with ``purge``.

        Raises (at the call):
            FileExistsError: *path* exists.
            NotADirectoryError: It would not be in a directory.
            As ``inspect``.
        """
        target = Path(path)
        if os.path.lexists(target):
            msg = f"path={str(path)!r}: exists already"
            raise FileExistsError(msg)
        if not target.absolute().parent.is_dir():
            msg = f"path={str(path)!r}: {target.absolute().parent} is not a directory"
            raise NotADirectoryError(msg)
        return self._take_out(
            self._client.blobs.owner, lambda facts: self._save(facts, target)
        )

    def replay(self, path: str | os.PathLike[str]) -> Pending[int]:
        """Tell the actor what ``export`` has written, in that order; settled with how many messages the mailbox has accepted.

        The file stays; replaying it again sends all again.

        Delivery: as ``ActorRef.tell``, without a deadline; what finds no room waits in this process, however much it is.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good; what it had not accepted is dead letters.

        Raises (at the call):
            OptionError: *path* is not a file that ``export`` has written, or a part of one.
            OSError: It cannot be read.
            As ``inspect``.
        """
        try:
            messages = archive.read(Path(path))
        except ArchiveError as exc:
            msg = f"path={str(path)!r}: {exc}"
            raise OptionError(msg) from None
        return self._tell(messages)

    def _take_out(
        self, to: str | None, convert: Callable[[dict[str, Any]], int]
    ) -> Pending[int]:
        facts = {"number": self._number, "to": to}
        return self._client.request("purge", facts, convert=convert, about=self._name)

    def _save(self, facts: dict[str, Any], path: Path) -> int:
        """Write what the root holds for us until we say that it is written, or die."""
        is_written = False
        try:
            frames = [base64.b64decode(text) for text in facts["frames"]]
            archive.write(path, [self._opened(data) for data in frames])
            is_written = True
        finally:
            facts = {"ticket": facts["ticket"], "is_written": is_written}
            self._client.notify_root("exported", facts)
        return len(frames)

    def _opened(self, data: bytes) -> Message:
        header = frame.read(data)
        body, method = data[header.body_at :], header.method.encode()
        if not header.flags & frame.BLOB:
            return Message(method, body)
        opened = parcel.receive(body, self._client.blobs)
        return Message(method, opened.data, tuple(opened.buffers))

    def _tell(self, messages: list[Message]) -> Pending[int]:
        if not messages:
            return settled(0)
        return self._client.resend(
            self._number,
            self._name,
            [
                (
                    message.method,
                    Parcel((bytes(message.pickle),), message.buffers)
                    if message.buffers
                    else bytes(message.pickle),
                )
                for message in messages
            ],
        )


def _state(facts: dict[str, Any]) -> MailboxState:
    now = time.monotonic_ns()
    waiting = facts["waiting"]
    if waiting is not None:
        waiting = tuple(_message(one, now) for one in waiting)
    depth, outside = facts["depth"], facts["outside"]
    return MailboxState(
        messages=depth["frames"],
        bytes=depth["bytes"],
        capacity_bytes=depth["capacity_bytes"],
        capacity_messages=depth["capacity_frames"],
        payloads=outside["payloads"],
        payload_bytes=outside["bytes"],
        capacity_payloads=outside["capacity_payloads"],
        capacity_payload_bytes=outside["capacity_bytes"],
        age=waiting[0].age if waiting else None,
        waiting=waiting,
        in_hand=tuple(_message(one, now) for one in facts["in_hand"]),
    )


def _message(facts: dict[str, Any], now: int) -> QueuedMessage:
    started_ns = facts.get("started_ns")
    return QueuedMessage(
        facts["kind"],
        facts["method"],
        facts["sender"],
        (now - facts.get("sent_ns", now)) / 1e9,
        facts["size"],
        facts.get("payload", 0),
        (now - started_ns) / 1e9 if started_ns else None,
    )
