"""Messages that every process has died of: kept apart, to be looked at, tried again or thrown away.

They belong to the system: it keeps a bounded number, and loses them when it ends.
Nothing here looks into a body.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import attrs

from actors.errors import MailboxFullError
from actors.exits import ExitReason
from actors.pending import Pending
from actors.runtime import reports
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.outgoing import GoneError, Outgoing
from actors.supervision.child import ActorChild, Asker, Handle
from actors.supervision.events import Events
from actors.wire import frame, parcel, reasons
from actors.wire.frame import Codec, Header, Kind
from transports.blob import BlobStore
from transports.errors import NoSpaceError

MAX_MESSAGES = 1000
MAX_BYTES = 64 * 2**20
OWNER = f"{ROOT}.2"  # of their payloads


@attrs.frozen(eq=False)
class Poison:
    """One such message.

    Attributes:
        id: By which it is asked for.
        number: Of the actor.
        actor: Its name.
        method: The message, as ``Class.method``.
        header: As it was sent.
        body: What the handler's arguments are made of, with payloads that are held here.
        size: In bytes, with its payloads.
        deaths: What each process died of.
        time: Wall-clock time of the last one, for people to read.
    """

    id: int
    number: int
    actor: str
    method: str
    header: Header
    body: bytes
    size: int
    deaths: tuple[ExitReason, ...]
    time: float

    @property
    def is_large(self) -> bool:
        """Whether its payload lies outside of the frame."""
        return bool(self.header.flags & frame.BLOB)

    def to_json(self) -> dict[str, Any]:
        """Return what there is to say of it."""
        return {
            "id": self.id,
            "actor": self.actor,
            "method": self.method,
            "is_question": self.header.kind == Kind.ASK,
            "size": self.size,
            "deaths": [reasons.to_json(reason) for reason in self.deaths],
            "time": self.time,
        }


class Quarantine:
    """The poison of one system."""

    def __init__(
        self, directory: RuntimeDirectory, outgoing: Outgoing, events: Events
    ) -> None:
        self._blobs = BlobStore(directory.blob_fd, OWNER)
        self._outgoing = outgoing
        self._events = events
        self._serial = itertools.count(1)
        self._messages: dict[int, Poison] = {}
        self._size = 0
        self.requests: dict[str, Handle] = {
            "poison": self._on_list,
            "poison_inspect": self._on_inspect,
            "poison_replay": self._on_replay,
            "poison_drop": self._on_drop,
        }

    def admit(
        self, child: ActorChild, data: bytes, header: Header, deaths: list[ExitReason]
    ) -> Poison:
        """Take in the message of the frame *data*, with its payload."""
        body, size = data[header.body_at :], len(data)
        if header.flags & frame.BLOB:
            size += parcel.size(body)
            body = parcel.hold(body, self._blobs)
        poison = Poison(
            next(self._serial), child.number, child.label, child.method(header.method),
            header, body, size, tuple(deaths), time.time(),  # noqa: TID251 - for people to read
        )  # fmt: skip
        self._messages[poison.id] = poison
        self._size += size
        while len(self._messages) > MAX_MESSAGES or (
            self._size > MAX_BYTES and len(self._messages) > 1
        ):
            self._make_room()
        return poison

    def _make_room(self) -> None:
        oldest = next(iter(self._messages.values()))
        self._events.warn(
            "quarantine_full", lost=oldest.method, of=oldest.actor, id=oldest.id
        )
        self._remove(oldest)

    def _remove(self, poison: Poison) -> None:
        del self._messages[poison.id]
        self._size -= poison.size
        if poison.is_large:
            parcel.release(poison.body, self._blobs)

    def finish(self) -> None:
        """Say what is lost with the system."""
        counts: dict[str, int] = {}
        for poison in self._messages.values():
            counts[poison.method] = counts.get(poison.method, 0) + 1
        if counts:
            self._events.warn("quarantine_lost", counts=counts)

    # Requests.

    def _on_list(
        self, asker: Asker, _sender: int, _facts: dict[str, Any], _payload: bytes
    ) -> None:
        told = [poison.to_json() for poison in self._messages.values()]
        self._answer(asker, Kind.ANSWER, {"messages": told})

    def _on_inspect(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        poison = self._find(asker, facts["id"])
        if poison is not None and poison.is_large:
            text = f"{poison.size} bytes are too many to be shown; replay() and drop() work"
            self._refuse(asker, poison.id, text)
        elif poison is not None:
            lane, corr = asker
            self._outgoing.answer(lane, Kind.REPLY, corr, poison.body)

    def _on_replay(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        poison = self._find(asker, facts["id"])
        if poison is None:
            return
        try:
            self._send(poison)
        except GoneError:
            self._refuse(asker, poison.id, f"{poison.actor} has ended for good")
        except (MailboxFullError, NoSpaceError, OSError) as exc:
            self._refuse(asker, poison.id, str(exc))
        else:
            self._remove(poison)
            self._answer(asker, Kind.ANSWER, {})

    def _send(self, poison: Poison) -> None:
        """Send it once more, as a message that nobody waits for."""
        route = self._outgoing.route(poison.number)
        header = poison.header
        head = frame.pack(
            Kind.TELL,
            flags=header.flags,
            codec=header.codec,
            sender=header.sender,
            sent_ns=time.monotonic_ns(),
            trace=header.trace,
            method=header.method.encode(),
        )
        cut = frame.HEADER_BYTES
        body = poison.body
        if poison.is_large:
            body = parcel.lend(body, self._blobs, str(poison.number))
        pending: Pending[None] = Pending()
        pending.target = poison.actor
        parts = (head[:cut], head[cut:], body)
        self._outgoing.post(route, parts, pending, is_question=False)

    def _on_drop(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        poison = self._find(asker, facts["id"])
        if poison is not None:
            self._remove(poison)
            self._answer(asker, Kind.ANSWER, {})

    def _find(self, asker: Asker, id_: int) -> Poison | None:
        poison = self._messages.get(id_)
        if poison is None:
            self._refuse(asker, id_, "it is not in quarantine any more")
        return poison

    def _refuse(self, asker: Asker, id_: int, text: str) -> None:
        facts = {"error": "refused", "text": f"message {id_}: {text}"}
        self._answer(asker, Kind.REFUSAL, facts)

    def _answer(self, asker: Asker, kind: Kind, facts: dict[str, Any]) -> None:
        lane, corr = asker
        self._outgoing.answer(lane, kind, corr, reports.to_bytes(facts), Codec.JSON)
