"""What somebody does to what waits for an actor: look, purge, export.

The supervisor holds the mailbox, so it can do that whatever the actor does: works, hangs, is frozen, or has no process.
To take something out of it, it is one more receiver for a moment.
"""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import attrs

from actors.runtime.client import MAIN
from actors.runtime.outgoing import mailbox_name
from actors.supervision.child import ActorChild
from actors.supervision.exports import Exports, Held
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.request import Request
from actors.supervision.shared import Owner
from actors.wire import frame, parcel
from actors.wire.frame import FrameError, Header, Kind
from transports.errors import TransportError

_HEAD_BYTES = frame.HEADER_BYTES + frame.MAX_METHOD_BYTES + parcel.SIZE_BYTES


class Mailboxes:
    """Carries out the requests about mailboxes of one supervisor's children."""

    def __init__(self, lifecycle: Lifecycle, exports: Exports) -> None:
        """Refuse what is dropped through *lifecycle*, and hold what is kept in *exports*."""
        self._lifecycle = lifecycle
        self.exports = exports

    def inspect(self, child: Owner, request: Request) -> None:
        """Say what waits for *child*, and what it has in hand."""
        estate = child.estate
        try:
            contents = estate.transport.inspect(
                estate.directory.fd,
                mailbox_name(child.number),
                held=estate.mailbox_fd,
                head_bytes=_HEAD_BYTES,
                limit=request.facts["limit"],
            )
        except TransportError as exc:
            request.settle(f"{child.label}: {exc}")
            return
        waiting = contents.frames
        request.settle(
            depth=attrs.asdict(contents.depth),
            outside=attrs.asdict(estate.ledger.outside()),
            waiting=None
            if waiting is None
            else [self._facts(child, one.head, one.size) for one in waiting],
            in_hand=[
                {
                    **self._facts(child, data, len(data)),
                    "started_ns": slot.started_ns,
                }
                for slot in estate.page.slots()
                if (data := slot.frame()) is not None
            ],
        )

    def _facts(self, child: Owner, data: bytes, size: int) -> dict[str, Any]:
        try:
            header = frame.read(data)
            kind = Kind(header.kind).name.lower()
        except ValueError:
            return {"kind": "unknown", "method": "", "sender": "", "size": size}
        return {
            "kind": kind,
            "method": child.method(header.method) if header.method else "",
            "sender": self._name(header.sender),
            "sent_ns": header.sent_ns,
            "size": size,
            "payload": _payload_of(data, header),
        }

    def _name(self, number: int) -> str:
        sender = self._lifecycle.census.children.get(number)
        if sender is not None:
            return sender.label
        return "main program" if number == MAIN else f"process {number}"

    def purge(self, child: ActorChild, request: Request) -> None:
        """Drop what waits for *child*; answer with what is to be kept."""
        try:
            frames = child.estate.take_out(has_process=child.is_alive)
        except TransportError as exc:
            request.settle(f"{child.label}: {exc}")
            return
        to = request.facts["to"]
        kept: list[Held] = []
        counts = {Kind.TELL: 0, Kind.ASK: 0, Kind.STOP: 0}
        for data in frames:
            with contextlib.suppress(FrameError):
                header = frame.read(data)
                if header.kind == Kind.NOTICE:
                    self._lifecycle.kin.watches.put_back(child, data)
                    continue
                held = self._held(child, data, header, to)
                if held is None:
                    child.estate.drop_blob(data, header)
                    self._lifecycle.settling.purged(child, header, "purged")
                else:
                    kept.append(held)
                if header.kind in counts:
                    counts[Kind(header.kind)] += 1
        self._lifecycle.settling.log_purge(child, counts[Kind.TELL], counts[Kind.ASK])
        messages = counts[Kind.TELL] + counts[Kind.ASK]
        if to is None:
            request.settle(messages=messages)
        else:
            request.settle(
                frames=[base64.b64encode(each.copy).decode() for each in kept],
                ticket=self.exports.begin(child, to, kept),
            )
        if counts[Kind.STOP]:  # nothing is before it any more
            self._lifecycle.stop(child)

    def _held(
        self, child: ActorChild, data: bytes, header: Header, to: str | None
    ) -> Held | None:
        """Hold the message of the frame *data* for the process *to*; None if it is not to be kept, or cannot be."""
        if to is None or header.kind != Kind.TELL:
            return None
        held = self.exports.hold(data, header, to)
        if held is not None and held.is_large:
            child.estate.release_payload(data, header)
        return held


def _payload_of(data: bytes, header: Header) -> int:
    """Return how many bytes wait outside of the mailbox for a frame that begins with *data*."""
    body = data[header.body_at : header.body_at + parcel.SIZE_BYTES]
    is_large = header.flags & frame.BLOB and len(body) == parcel.SIZE_BYTES
    return parcel.size(body) if is_large else 0
