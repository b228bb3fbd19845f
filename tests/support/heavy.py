"""Actors that send large messages to one of them, and note which were accepted where the test can see it after any death."""

from __future__ import annotations

import asyncio
import mmap
import os
from pathlib import Path

from actors import Actor, ActorRef

LOAD_BYTES = 40 * 1024
SENDERS = 8
NUMBERS = 1 << 16  # as many as one sender may send
_STOP, _PID, _NEXT, _ROWS = 0, 8, 24, 64


class Board:
    """A file that everybody has mapped."""

    def __init__(self, path: str) -> None:
        """Use the file *path*, made by ``create``."""
        self.path = path
        with Path(path).open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        with memoryview(self._map) as view:
            self._words = view[: 8 * _ROWS].cast("Q")
            self._rows = view[8 * _ROWS :]

    @classmethod
    def create(cls, path: Path) -> Board:
        """Make the file."""
        path.write_bytes(bytes(8 * _ROWS + SENDERS * NUMBERS))
        return cls(str(path))

    def close(self) -> None:
        """Let go of the file."""
        self._words.release()
        self._rows.release()
        self._map.close()

    @property
    def is_over(self) -> bool:
        """Whether senders are to end."""
        return bool(self._words[_STOP])

    def end(self) -> None:
        """Let senders end."""
        self._words[_STOP] = 1

    def begin(self, sender: int) -> None:
        """Say that this process is *sender*."""
        self._words[_PID + sender] = os.getpid()

    def pid(self, sender: int) -> int:
        """Return the process of *sender*; 0 once it has ended."""
        return self._words[_PID + sender]

    def leave(self, sender: int) -> None:
        """Say that *sender* sends no more."""
        self._words[_PID + sender] = 0

    def next_number(self, sender: int) -> int:
        """Return a number that *sender* has not sent."""
        number = self._words[_NEXT + sender]
        self._words[_NEXT + sender] = number + 1
        return number

    def accept(self, sender: int, number: int) -> None:
        """Note that *number* of *sender* has been accepted."""
        self._rows[sender * NUMBERS + number] = 1

    def accepted(self, sender: int) -> set[int]:
        """Return the numbers of *sender* that have been accepted."""
        row = bytes(self._rows[sender * NUMBERS :][:NUMBERS])
        return {number for number, mark in enumerate(row) if mark}


class Depot(Actor):
    """Takes loads."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int]] = []

    def store(self, sender: int, number: int, load: bytes) -> None:
        assert len(load) == LOAD_BYTES
        self.taken.append((sender, number))

    def all(self) -> list[tuple[int, int]]:
        return self.taken


class Carrier(Actor):
    """Sends loads."""

    def __init__(self, depot: ActorRef[Depot], sender: int, board: str) -> None:
        self.depot = depot.within(None)
        self.sender = sender
        self.board = Board(board)

    def throw(self, count: int) -> None:
        """Send without waiting for room."""
        for number in range(count):
            self.depot.tell(Depot.store, self.sender, number, bytes(LOAD_BYTES))

    async def on_start(self) -> None:
        if self.board.is_over:
            return
        self.start_task(self.carry())

    async def carry(self) -> None:
        """Send one load after the other, until it is over."""
        board, sender = self.board, self.sender
        board.begin(sender)
        while not board.is_over:
            number = board.next_number(sender)
            await self.depot.tell(Depot.store, sender, number, bytes(LOAD_BYTES))
            board.accept(sender, number)
            await asyncio.sleep(0)
        board.leave(sender)
