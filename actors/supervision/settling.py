"""What is outside the process of an actor, after a death and at the end: answers, dead letters, and the estate itself."""

from __future__ import annotations

import contextlib
import time

import attrs

from actors.errors import MailboxFullError
from actors.exits import ExitKind, ExitReason
from actors.runtime import lanes, reports
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import GoneError, Outgoing
from actors.runtime.pauses import is_overdue
from actors.supervision.child import ActorChild
from actors.supervision.events import Events
from actors.supervision.payloads import Payloads
from actors.supervision.quarantine import Quarantine
from actors.supervision.redelivery import Redelivery
from actors.supervision.shared import Owner
from actors.wire import frame, reasons
from actors.wire.frame import Codec, FrameError, Header, Kind
from transports.errors import TransportError

MAX_REMEMBERED = 10_000  # ends that are still told to those who ask
SHORTENED = 16  # their texts are cut to this part of what they may be: some KiB each


class Settling:
    """The estates of one system."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        outgoing: Outgoing,
        events: Events,
        payloads: Payloads,
    ) -> None:
        """Answer through *outgoing*."""
        self._ended: dict[int, ExitReason] = {}
        self._dropped: dict[str, int] = {}
        self._dropped_tells: dict[tuple[int, int], None] = {}  # an ordered set
        self._directory = directory
        self._outgoing = outgoing
        self._events = events
        self._payloads = payloads
        self.quarantine = Quarantine(directory, outgoing, events)
        self._redelivery = Redelivery(self.quarantine)

    # After a death.

    def died(self, child: ActorChild, reason: ExitReason) -> tuple[ExitReason, bool]:
        """Settle what the incarnation had in hand.

        Returns:
            The reason of its death, with the message; and whether somebody wanted it to end for good.
        """
        # What it had not acknowledged, its successor never will.
        self._events.unsubscribe(child.number)
        sending_to = child.estate.was_sending_to()
        if sending_to is not None:
            lanes.ring_bell(self._directory.fd, sending_to)
        self._payloads.died(child.number, child.incarnation)
        reason = _about_message(child, reason)
        kept = self._redelivery.keep(child, reason)
        started = list(child.estate.in_hand())
        is_final = any(header.kind == Kind.STOP for header, _ in started)
        # A notice that was in hand was for nobody else.
        hands = [each for each in started if each[0].kind in {Kind.TELL, Kind.ASK}]
        child.hands, child.kept = [header for header, _ in hands], kept
        for header, begun in hands:
            self._crashed(child, header, begun, reason)
        self._payloads.taken(child.number)
        if child.shared is not None:
            self._payloads.taken(child.shared.number)
        # ref.stop() is final for every restart type, however the process got to its end.
        return reason, is_final

    def _crashed(
        self, child: ActorChild, header: Header, begun: int, reason: ExitReason
    ) -> None:
        if header.kind == Kind.ASK:
            facts = {
                "reason": reasons.to_json(reason),
                "attempt": header.attempt + 1,
                "begun": begun,
            }
            self._outgoing.answer(
                header.lane,
                Kind.CRASHED,
                header.corr,
                reports.to_bytes(facts),
                Codec.JSON,
            )
        elif header.kind == Kind.TELL:
            self._remember_tell(header)
        poison = self._redelivery.poison(child, header)
        if poison is None:
            self._dead_letter(child, header, "crashed")
            return
        self._dead_letter(child, header, "poison", **poison)
        method = child.method(header.method)
        self._events.warn("message_quarantined", child, method=method, id=poison["id"])

    def replace_mailbox(self, child: Owner) -> None:
        """Give *child* an empty mailbox, and tell everybody who may have put something into the damaged one."""
        try:
            inode = child.estate.replace_mailbox()
        except (TransportError, OSError) as exc:
            # The next incarnation finds it as it is, and intensity ends that.
            self._events.warn("mailbox_not_replaced", child, error=str(exc))
            return
        body = reports.to_bytes({"inode": inode})
        for number in lanes.owners(self._directory.fd):
            # Who has ended waits for nothing, nor does one that takes none of what we send.
            with contextlib.suppress(GoneError, MailboxFullError):
                if number not in {lanes.ROOT, child.number}:
                    self._outgoing.notify(number, Kind.LOST, body)
        self._events.publish("mailbox_lost", child)
        self._events.warn(
            "mailbox_lost", child, text="it was damaged; what was queued is lost"
        )

    def replace_lane(self, child: ActorChild) -> None:
        """Give *child*, which has no process, an empty lane in the place of one that may be damaged."""
        self._outgoing.forget_lane(child.number)
        try:
            child.estate.replace_lane()
        except (TransportError, OSError) as exc:  # as above
            self._events.warn("lane_not_replaced", child, error=str(exc))

    def clear(self, child: ActorChild) -> None:
        """Let the next incarnation begin with an empty mailbox; what is tried again, and a stop, are not dropped."""
        tells = asks = 0
        for data in child.estate.take_out(has_process=False, spares_tried=True):
            try:
                header = frame.read(data)
            except FrameError:
                continue
            if header.kind == Kind.STOP:
                self._outgoing.put_back(child.number, data)
                continue
            child.estate.drop_blob(data, header)
            self.purged(child, header, "cleared")
            tells += header.kind == Kind.TELL
            asks += header.kind == Kind.ASK
        self.log_purge(child, tells, asks)

    # While it is down, and the end.

    def suspend(self, child: ActorChild, reason: ExitReason) -> None:
        """Let nothing in any more; what was queued is answered or becomes dead letters."""
        child.estate.suspend(lambda header: self._drop(child, header, reason))
        self._payloads.ended(child.number)

    def resume(self, child: ActorChild, reason: ExitReason) -> None:
        """Let messages in again; those that came too early end as those before them did."""
        child.estate.resume(lambda header: self._drop(child, header, reason))

    def end(self, child: ActorChild, reason: ExitReason) -> None:
        """Remove everything that was *child*'s."""
        self.end_mailbox(child, reason)
        self._payloads.release(child.arguments)

    def end_mailbox(self, owner: Owner, reason: ExitReason) -> None:
        """Remove the mailbox of *owner*; what is in it is answered or becomes dead letters."""
        owner.estate.close(lambda header: self._drop(owner, header, reason))
        for data in self._outgoing.take_back(owner.number):
            self._drop(owner, frame.read(data), reason)
        self._payloads.ended(owner.number)
        self._outgoing.forget(owner.number)

    # What is taken out of a mailbox.

    def purged(self, child: ActorChild, header: Header, cause: str) -> None:
        """A message has been taken out of the mailbox of *child*, unhandled: tell who waits for its answer, or everybody."""
        if header.kind == Kind.ASK and not self._is_overdue(child, header):
            text = f"{child.method(header.method)}: purged from the mailbox of {child.label}; it was not handled"
            self._outgoing.answer(
                header.lane,
                Kind.REFUSAL,
                header.corr,
                reports.to_bytes({"error": "purged", "text": text}),
                Codec.JSON,
            )
        elif header.kind == Kind.TELL:
            self._dead_letter(child, header, cause)

    def log_purge(self, child: ActorChild, tells: int, asks: int) -> None:
        """Log how many messages have been taken out of the mailbox of *child*."""
        if tells or asks:
            self._events.warn("mailbox_purged", child, tells=tells, asks=asks)

    def remember(self, number: int, reason: ExitReason) -> None:
        """Keep the reason why *number* has ended."""
        self._ended[number] = reasons.bounded(reason, SHORTENED)
        while len(self._ended) > MAX_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def recall(self, number: int) -> ExitReason:
        """Return why *number* has ended, as far as it is remembered."""
        return self._ended.get(number) or ExitReason(ExitKind.NOPROC)

    def hand_on(self, number: int, data: bytes) -> None:
        """Put the frame *data*, which has been taken out of mailbox *number*, back as soon as there is room."""
        self._outgoing.put_back(number, data)

    def holds(self, number: int) -> bool:
        """Return whether anything that was handed on waits here for room in mailbox *number*."""
        return self._outgoing.holds(number)

    def _drop(self, child: Owner, header: Header, reason: ExitReason) -> None:
        if header.kind == Kind.ASK:
            if self._is_overdue(child, header):
                return  # its asker has seen to that itself
            self._outgoing.answer(
                header.lane,
                Kind.STOPPED,
                header.corr,
                reports.to_bytes({"reason": reasons.to_json(reason)}),
                Codec.JSON,
            )
        elif header.kind == Kind.TELL:
            self._dropped[child.label] = self._dropped.get(child.label, 0) + 1
            self._remember_tell(header)
            self._dead_letter(child, header, "stopped")

    def _is_overdue(self, child: Owner, header: Header) -> bool:
        now = time.monotonic_ns()
        if not 0 < header.deadline_ns <= now:
            return False
        asker = self._outgoing.asker(header.lane)
        pages = child.estate.page, None if asker is None else asker.asker
        return is_overdue(header.deadline_ns, header.sent_ns, now, pages)

    def _remember_tell(self, header: Header) -> None:
        self._dropped_tells[header.sender, header.sent_ns] = None
        while len(self._dropped_tells) > MAX_REMEMBERED:
            del self._dropped_tells[next(iter(self._dropped_tells))]

    def has_dropped(self, sender: int, sent_ns: int) -> bool:
        """Return whether a tell has been found in the hands or the mailbox of somebody who was ending, and is a dead letter already.

        Its sender, who saw the mailbox close while it put, does not know that it was accepted.
        """
        return (sender, sent_ns) in self._dropped_tells

    def take_dropped(self) -> dict[str, int]:
        """Return how many tells were dropped at the end of each actor, and forget."""
        dropped, self._dropped = self._dropped, {}
        return dropped

    def _dead_letter(
        self, child: Owner, header: Header, cause: str, **facts: object
    ) -> None:
        self._events.publish(
            "dead_letter", child, cause=cause, method=child.method(header.method), sender=header.sender,
            attempt=header.attempt + 1, is_question=header.kind == Kind.ASK, **facts,
        )  # fmt: skip


def _about_message(child: ActorChild, reason: ExitReason) -> ExitReason:
    """Return *reason* with what the process had in hand, if it does not say so itself."""
    hands = [header for slot, header in child.estate.taken() if slot.started]
    if not hands or reason.during is not None:
        return reason
    return attrs.evolve(reason, during=child.method(hands[0].method))
