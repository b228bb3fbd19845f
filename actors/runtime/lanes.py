"""Reply lanes: beside its mailbox every process has a small ring for answers and for notices from its supervisor.

An asker takes a credit for each question to an actor; the answer to it, whatever it is, or its deadline gives the credit back.
An answer never takes more than a credit's bytes (larger ones travel as blobs), so answers find room.
The supervisor's own notices use a share that no credit covers, as do answers to what was in hand at its deadline.
Answers of the supervisor are not covered either: where there is no room they wait in it, and it does not die of what actors do.
"""

from __future__ import annotations

import contextlib
import mmap
import os

from transports import registry, shm
from transports._ring import Slot
from transports.errors import ClosedError, CorruptError, MailboxNotFoundError
from transports.mailbox import Note, Outlet

ROOT = 0  # process number of the root supervisor
CREDIT_BYTES = 1024  # a record: its header, the frame's header, and the body
# For notices of the supervisor, and for answers that come twice.
SHARE_BYTES = 16 * 1024
MAIN_LANE_BYTES = 2**20
ACTOR_LANE_BYTES = 64 * 1024


class DamagedLaneError(CorruptError):
    """The shared bytes of a lane make no sense: its owner will get no answer any more."""

    def __init__(self) -> None:
        super().__init__("the ring for its answers was damaged")


def file_name(number: int) -> str:
    """Return the name of process *number*'s lane."""
    return f"{number}.lane"


def credits_of(lane_bytes: int) -> int:
    """Return how many questions may be open at once on a lane."""
    return (lane_bytes - SHARE_BYTES) // CREDIT_BYTES


def create(dir_fd: int, number: int, lane_bytes: int) -> None:
    """Make the lane of process *number*."""
    os.close(registry.get("shm").create(dir_fd, file_name(number), lane_bytes))


def unlink(dir_fd: int, number: int) -> None:
    """Remove the lane; whoever still answers is told that it is closed."""
    registry.get("shm").unlink(dir_fd, file_name(number))


def replace(dir_fd: int, number: int, lane_bytes: int) -> None:
    """Put an empty lane in the place of that of process *number*, which does not run."""
    unlink(dir_fd, number)
    create(dir_fd, number, lane_bytes)


def connect(dir_fd: int, number: int, note: Note | None) -> Outlet:
    """Return the way to the lane of process *number*.

    Raises:
        MailboxNotFoundError: The process has ended.
        CorruptError: Its lane makes no sense.
    """
    return registry.get("shm").connect(dir_fd, file_name(number), note=note)


def ring_bell(dir_fd: int, number: int) -> None:
    """Ring the bell of process *number*, in the place of a sender that died before it could."""
    with contextlib.suppress(MailboxNotFoundError):  # it has ended
        shm.ring_bell(dir_fd, file_name(number))


def owners(dir_fd: int) -> list[int]:
    """Return the numbers of the processes that have a lane, the root supervisor's included."""
    names = (name.partition(".") for name in os.listdir(dir_fd))
    return [int(number) for number, _, kind in names if kind == "lane"]


def exists(dir_fd: int, number: int) -> bool:
    """Return whether process *number* has a lane, be it a damaged one."""
    return os.access(file_name(number), os.F_OK, dir_fd=dir_fd)


def is_empty(dir_fd: int, number: int) -> bool:
    """Return whether nothing waits in the lane of process *number*, or it has none any more."""
    name = file_name(number)
    try:
        held = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    except FileNotFoundError:
        return True
    try:
        reader = registry.get("shm").open(held, dir_fd, name)
    finally:
        os.close(held)
    try:
        return reader.depth().frames == 0
    finally:
        reader.close()


class Lane:
    """The receiving end."""

    def __init__(self, dir_fd: int, number: int) -> None:
        """Open the lane of this process.

        Raises:
            DamagedLaneError: It makes no sense.
        """
        held = os.open(
            file_name(number), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd
        )
        try:
            self.reader = shm.open_reader(held, dir_fd, file_name(number))
            self.credits = credits_of(shm.capacity(held))
        except CorruptError as exc:
            raise DamagedLaneError from exc
        finally:
            os.close(held)
        # Answers belong to the incarnation that asked: nobody inherits what is in hand here, so the slot is private.
        limit = registry.get("shm").inline_limit
        self._slot = Slot(mmap.mmap(-1, Slot.size(limit)), 0, limit)
        self.reader.settle(self._slot)
        self._slot.clear()

    def take(self) -> bytes | None:
        """Return the next frame, or None; None as well once another thread has closed the lane, or it was damaged.

        Raises:
            DamagedLaneError: It makes no sense; raised once.
        """
        try:
            frame = self.reader.take(self._slot)
        except ClosedError:
            return None
        except CorruptError as exc:
            raise DamagedLaneError from exc
        except ValueError:
            if not self._slot.filled:
                raise
            # Ctrl-C came before it was cleared: nobody has had what it holds.
            frame = self._slot.frame()
        if frame is not None:
            self._slot.clear()
        return frame

    def close(self) -> None:
        """Let go of the ring."""
        self.reader.close()
