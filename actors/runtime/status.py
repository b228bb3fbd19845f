"""The status page: what a process of the system is doing, in shared memory, readable by anyone at no cost to it.

One file per process: a page of 64-bit words, the slots of its mailbox, the waits of their handlers, the questions it has withdrawn.
The owner writes words with plain stores; the supervisor resets them between incarnations.
Whoever reaps the process reads here what it was sending and which messages it had in hand.

Layout (64-bit words of the first page):

    ==== =========================================================================
    word meaning
    ==== =========================================================================
    0    magic and version
    1    pid
    2    incarnation
    3    closed: 1 once the mailbox takes nothing more, for ever; of the root: how the system ended
    4    sending: number of the mailbox being put to + 1, 0 when none (architecture: a sender killed before the bell)
    5    handled: messages finished by this incarnation
    6    outbox: messages that wait in this process for room somewhere
    7    busy: handlers running that hold no slot (timers)
    8    number of slots
    9    limit of a frame in a slot, in bytes
    10   scheme of the mailbox's transport, ASCII, zero-padded
    11   ready: 1 once this incarnation takes messages
    12   withdrawn: how many of the questions it has asked it does not want handled any more
    13   the largest message that the system takes, in bytes
    14   freezes: how often its process has been frozen
    15   heartbeat: its last sign of life (ns, CLOCK_MONOTONIC), 0 where it gives none
    16   of the last eight freezes: from when to when (ns, CLOCK_MONOTONIC; 0: it still lasts)
    32   holds up: a number, while siblings of the actor that have the same in ``held up`` wait for its process to end, or to be ready
    33   held up: likewise; this actor has no process meanwhile, and answers nothing
    34   lost: 1 once this incarnation cannot write to its supervisor's record any more
    35   companion: pid of the supervisor that has its children, 0 where it has none
    ==== =========================================================================

Further parts:

    ============== ===============================================================
    part           meaning
    ============== ===============================================================
    byte 1024      name of the actor, UTF-8, zero-padded, cut to 256 bytes
    byte 1280      name of its class, likewise
    byte 1536      the ledger of its mailbox: see ``transports.ledger``
    byte 4096      the slots
    behind them    for each slot three words: the question that the handler waits for
                   (correlation id, 0 for none), whom it has asked, since when (ns)
    behind those   one word for each question that may be open: the correlation id of a
                   withdrawn one, or 0
    ============== ===============================================================
"""

from __future__ import annotations

import mmap
import os
import struct
import time

from actors.runtime.pauses import Freeze
from actors.wire.parcel import MAX_MESSAGE_BYTES
from transports import ledger
from transports._ring import Slot
from transports.errors import CorruptError, limit_behind
from transports.ledger import Ledger

_NO_SENSE = "the status page makes no sense"
MAGIC = 0x5441_5453_0000_0001
WORDS_BYTES = 4096
(
    MAGIC_WORD,
    PID,
    INCARNATION,
    CLOSED,
    SENDING,
    HANDLED,
    OUTBOX,
    BUSY,
    SLOTS,
    LIMIT,
    SCHEME,
    READY,
    WITHDRAWN,
    MAX_MESSAGE,
    FREEZES,
    HEARTBEAT,
) = range(16)
FREEZE_AT, FREEZES_KEPT = 16, 8
# Of freezes: whatever is written over the word, one more fits into it.
_COUNT_BITS = 2**32 - 1
HOLDS_UP, HELD_UP = 32, 33
LOST = 34
COMPANION = 35
# How a system ended, in the word ``closed`` of its root: the program that owns it closed it, or died.
BY_OWNER, WITH_OWNER, BY_SIGNAL = 1, 2, 3
NAME_AT, CLASS_AT, NAME_BYTES = 1024, 1280, 256
LEDGER_AT = 1536
# The words of a wait.
CORR, TARGET, SINCE = range(3)
_MADE_WITH = MAGIC_WORD, SLOTS, LIMIT, SCHEME, MAX_MESSAGE
WAIT_WORDS = 3


def size(slots: int, limit: int, questions: int) -> int:
    """Return the bytes of a status page with *slots* slots for frames of at most *limit* bytes.

    Args:
        slots: How many messages may be in hand at once.
        limit: The largest frame.
        questions: How many questions may be open at once.
    """
    return _waits_at(slots, limit) + 8 * (WAIT_WORDS * slots + questions)


def _waits_at(slots: int, limit: int) -> int:
    return WORDS_BYTES + (slots * Slot.size(limit) if slots else 0)


def file_name(number: int) -> str:
    """Return the name of process *number*'s page."""
    return f"{number}.status"


def outside_name(number: int) -> str:
    """Return the name of the FIFO of those who wait until less waits outside of mailbox *number*."""
    return f"{number}.outside"


class StatusPage:
    """One process's page, mapped.

    Attributes:
        slot_count: How many slots there are.  This and the next two are read once: whoever writes over the page must not bring down
            those who look at it.
        limit: Of a frame in a slot, in bytes.
        scheme: Of the mailbox's transport; empty for a process that has none.
    """

    def __init__(self, fd: int) -> None:
        """Map the whole file *fd*; the descriptor is not kept.

        Raises:
            CorruptError: It makes no sense, or is just being made.
        """
        whole = os.fstat(fd).st_size
        if whole < WORDS_BYTES:
            raise CorruptError(_NO_SENSE)
        self.map = mmap.mmap(fd, whole)
        self._view = memoryview(self.map)
        self.words = self._view[:WORDS_BYTES].cast("Q")
        slots, limit = self.words[SLOTS], self.words[LIMIT]
        scheme = self.words[SCHEME].to_bytes(8, "little").rstrip(b"\0")
        if (
            self.words[MAGIC_WORD] != MAGIC
            or not scheme.isascii()
            or slots > whole
            or (slots and limit > whole)
            or size(slots, limit, 0) > whole
        ):
            self.words.release()
            self._view.release()
            self.map.close()
            raise CorruptError(_NO_SENSE)
        self.slot_count, self.limit, self.scheme = slots, limit, scheme.decode("ascii")
        self._made_with = self._what_it_was_made_with()
        waits_at = _waits_at(slots, limit)
        withdrawn_at = waits_at + 8 * WAIT_WORDS * slots
        self.waits = self._view[waits_at:withdrawn_at].cast("Q")
        self.withdrawn = self._view[withdrawn_at:].cast("Q")
        self._ledger = self._view[LEDGER_AT:][: 8 * ledger.WORDS].cast("Q")

    @classmethod
    def format(
        cls,
        fd: int,
        slots: int,
        limit: int,
        scheme: str,
        names: tuple[str, str] = ("", ""),
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> StatusPage:
        """Write the first contents of a new page of ``size(slots, limit, …)`` bytes; *names* are the actor's and its class's."""
        # First what says where the parts lie.
        header = [0] * (MAX_MESSAGE + 1)
        header[MAX_MESSAGE] = max_message_bytes
        header[MAGIC_WORD] = MAGIC
        header[SLOTS], header[LIMIT] = slots, limit
        header[SCHEME] = int.from_bytes(
            scheme.encode("ascii").ljust(8, b"\0"), "little"
        )
        os.pwrite(fd, struct.pack(f"={len(header)}Q", *header), 0)
        for name, at in zip(names, (NAME_AT, CLASS_AT), strict=True):
            os.pwrite(fd, name.encode()[:NAME_BYTES], at)
        return cls(fd)

    @classmethod
    def open(cls, dir_fd: int, number: int) -> StatusPage:
        """Map the page of process *number*.

        Raises:
            FileNotFoundError: It has ended for good.
            CorruptError: It makes no sense, or is just being made.
            LimitError: This process has too many open files.
        """
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(file_name(number), flags, dir_fd=dir_fd)
            try:
                return cls(fd)
            finally:
                os.close(fd)
        except OSError as exc:
            limit = limit_behind(exc, f"the way to process {number}")
            if limit is not None:
                raise limit from exc
            raise

    @property
    def name(self) -> str:
        """The actor's name; empty for a process that is no actor."""
        return self._text(NAME_AT)

    @property
    def class_name(self) -> str:
        """The name of the actor's class, likewise."""
        return self._text(CLASS_AT)

    def _text(self, at: int) -> str:
        text = bytes(self._view[at : at + NAME_BYTES])
        return text.rstrip(b"\0").decode(errors="ignore")

    def ledger(self, dir_fd: int, number: int) -> Ledger:
        """Return what waits outside of the mailbox *number*, whose page this is, in the directory *dir_fd*."""
        return Ledger(self._ledger, dir_fd, outside_name(number))

    def slot(self, place: int) -> Slot:
        """Return one slot of the mailbox."""
        at = WORDS_BYTES + place * Slot.size(self.limit)
        return Slot(self.map, at, self.limit)

    def slots(self) -> list[Slot]:
        """Return the slots of the mailbox."""
        return [self.slot(place) for place in range(self.slot_count)]

    def is_intact(self) -> bool:
        """Return whether it still says what it was made with; nobody writes over that on purpose."""
        return self._what_it_was_made_with() == self._made_with

    def _what_it_was_made_with(self) -> list[int]:
        return [self.words[word] for word in _MADE_WITH]

    def begin(self, incarnation: int) -> None:
        """Reset what belongs to an incarnation, and what the last one may have written over; the slots are settled by the reaper."""
        for word, value in zip(_MADE_WITH, self._made_with, strict=True):
            self.words[word] = value
        for word in (
            CLOSED, HANDLED, OUTBOX, BUSY, SENDING, READY, WITHDRAWN, HEARTBEAT, LOST,
        ):  # fmt: skip
            self.words[word] = 0
        for table in (self.waits, self.withdrawn):
            table[:] = memoryview(bytes(table.nbytes)).cast("Q")
        self.words[INCARNATION] = incarnation

    # Freezes; entered by the supervisor.

    def freeze(self) -> None:
        """Enter that the process is frozen from now on."""
        count = self.words[FREEZES] & _COUNT_BITS
        at = self._freeze_at(count)
        self.words[at + 1] = 0
        self.words[at] = time.monotonic_ns()
        self.words[FREEZES] = count + 1

    def thaw(self) -> None:
        """Enter that it is not any more."""
        if self.is_frozen():
            self.words[self._freeze_at(self.words[FREEZES] - 1) + 1] = (
                time.monotonic_ns()
            )

    def is_frozen(self) -> bool:
        """Return whether the process is frozen."""
        count = self.words[FREEZES]
        return count > 0 and self.words[self._freeze_at(count - 1) + 1] == 0

    def freezes(self) -> list[Freeze]:
        """Return when it was frozen, the last eight times."""
        kept = range(min(self.words[FREEZES], FREEZES_KEPT))
        places = [FREEZE_AT + 2 * place for place in kept]
        return [(self.words[at], self.words[at + 1]) for at in places]

    @staticmethod
    def _freeze_at(count: int) -> int:
        return FREEZE_AT + 2 * (count % FREEZES_KEPT)

    def close(self) -> None:
        """Unmap it; slots must not be used any more."""
        for view in (
            self.words,
            self.waits,
            self.withdrawn,
            self._ledger,
            self._view,
        ):
            view.release()
        self.map.close()
