"""Giving a message that a process has died of to the next one, and knowing when that is enough.

The message stays in its slot, as one that was taken and not started: the next incarnation handles it before all others.
How often it was handed over stands in its header; what came of it each time is remembered here for as long as it is in hand.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Any

from actors.exits import ExitReason
from actors.options import Redeliver
from actors.supervision.child import ActorChild
from actors.supervision.quarantine import Quarantine
from actors.wire import frame, reasons
from actors.wire.frame import Header, Kind
from transports._ring import Slot

SHORTENED = 4  # texts of a death are cut to this part of what they may be
RECORD_BYTES = 16  # of a slot, before the frame
_MARK = slice(0, 4)  # of a record: makes it count
_ATTEMPT = struct.Struct("<H")


class Redelivery:
    """What is to be tried again, of one supervisor's children."""

    def __init__(self, quarantine: Quarantine) -> None:
        """Put what was tried often enough into *quarantine*."""
        self._quarantine = quarantine

    def keep(self, child: ActorChild, reason: ExitReason) -> list[Header]:
        """Let what *child* has died of be tried again, unless that was often enough; return what is.

        Its process has died for *reason*, and the next is not started yet.
        """
        child.poison = {}
        policy = child.options.on_crash
        if not isinstance(policy, Redeliver):
            return []
        deaths, kept = {}, []
        for slot, header in child.estate.taken():
            if header.kind == Kind.NOTICE:
                continue  # for the incarnation that has died
            earlier = child.deaths.get(_key(header), [])
            if not slot.started:
                deaths[_key(header)] = earlier
                continue
            deaths[_key(header)] = [*earlier, reasons.bounded(reason, SHORTENED)]
            if header.attempt + 1 < policy.max_deliveries:
                _put_back(slot, header.attempt + 1)
                kept.append(header)
            else:
                self._quarantine_slot(child, slot, header, deaths[_key(header)])
        child.deaths = deaths  # what is in no slot any more has been handled
        return kept

    def _quarantine_slot(
        self, child: ActorChild, slot: Slot, header: Header, deaths: list[ExitReason]
    ) -> None:
        data = slot.frame()
        # A payload that its sender has taken back, or that makes no sense.
        with contextlib.suppress(OSError, ValueError):
            poison = self._quarantine.admit(child, data or b"", header, deaths)
            child.poison[_key(header)] = poison.id

    @staticmethod
    def poison(child: ActorChild, header: Header) -> dict[str, Any] | None:
        """Return what there is to say of a message that was tried often enough; None for another."""
        deaths = child.deaths.get(_key(header))
        if not deaths:
            return None
        return {"id": child.poison.get(_key(header)), "deaths": [*map(str, deaths)]}


def _key(header: Header) -> tuple[int, int, int]:
    return header.sender, header.corr, header.sent_ns


def _put_back(slot: Slot, attempt: int) -> None:
    """Make *slot* one that was taken and not started, with the number of deliveries in its header."""
    record = slot.record
    mark = bytes(record[_MARK])
    at = RECORD_BYTES + frame.ATTEMPT_AT
    record[at : at + _ATTEMPT.size] = _ATTEMPT.pack(attempt)
    slot.clear()  # the mark, and that it was started; nothing else
    record[_MARK] = mark
    record.release()
