"""A cell is killed at each line, or each instruction, that it executes between a take and the end of an answer.

Run as a program with one thread, which forks.
Plays the root supervisor as well: reads in the slots what a dead incarnation had in hand, and lets the next one go on.
Prints one JSON object with what it saw; the test judges it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import attrs

from actors import Actor, ActorRef
from actors.options import Options
from actors.pending import Pending
from actors.runtime import lanes, status, systems
from actors.runtime.cell import Cell
from actors.runtime.client import Client
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.lanes import ROOT
from actors.runtime.loop import RingLoop
from actors.runtime.outgoing import mailbox_name
from actors.supervision.estate import Estate
from tests.support.pages import page_of
from tests.support.transport_kills import fork

if TYPE_CHECKING:  # only checkers know it
    from _typeshed import TraceFunction

ASKER, NUMBER = 1, 7
MESSAGES = 3
TOLD = 1  # the one that nobody waits for; the others are questions

counts = mmap.mmap(-1, 4096)  # how often each message was handled


class Counting(Actor):
    """Counts each message, with one store."""

    def handle(self, number: int) -> int:
        if any(counts[later] for later in range(number + 1, MESSAGES)):
            counts[MESSAGES] = 1  # out of order
        counts[number] += 1
        return number


@attrs.define(eq=False)
class Killer:
    """Ends this process after so many lines or instructions."""

    left: int
    each: str

    def __call__(self, frame: FrameType, event: str, arg: object) -> TraceFunction:
        """Count them; it is a trace function."""
        del arg
        frame.f_trace_opcodes = self.each == "opcode"
        if event == self.each:
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        return self


def live(directory: RuntimeDirectory, estate: Estate, killer: Killer | None) -> None:
    """One incarnation: handle everything there is."""
    loop = RingLoop()
    client = Client(directory, NUMBER)
    mailbox = estate.transport.open(
        estate.mailbox_fd, directory.fd, mailbox_name(NUMBER)
    )
    cell = Cell(client, mailbox, loop)
    client.waiting.drive(loop, cell)
    cell.open(Counting())
    sys.settrace(killer)
    while cell.drain():
        pass
    sys.settrace(None)


@contextlib.contextmanager
def new_system(transport: str) -> Iterator[tuple[RuntimeDirectory, Estate, Client]]:
    """Make the files of a system with one actor and one that asks it."""
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
        directory = systems.create(Path(base) / "base", "bench")
        stack.callback(directory.close)
        stack.callback(directory.remove)
        for number in (ROOT, ASKER):
            page_of(number, directory).close()
            lanes.create(directory.fd, number, lanes.MAIN_LANE_BYTES)
        estate = Estate.create(directory, NUMBER, Options(transport=transport), slots=1)
        stack.callback(estate.page.close)
        stack.callback(estate.close, lambda _: None)
        asker = Client(directory, ASKER)
        stack.callback(asker.close)
        yield directory, estate, asker


def one_death(transport: str, step: int, each: str, seen: dict[str, int]) -> bool:
    """Kill one incarnation at this step, and take account of every message; False when it got through."""
    counts[: MESSAGES + 1] = bytes(MESSAGES + 1)
    with new_system(transport) as (directory, estate, asker):
        path = str(directory.path)
        ref: ActorRef[Counting] = ActorRef(
            asker, path, NUMBER, "counting", Counting
        ).within(None)
        asked: list[Pending[Any]] = [
            ref.tell(Counting.handle, number)
            if number == TOLD
            else ref.ask(Counting.handle, number)
            for number in range(MESSAGES)
        ]
        _, ended = os.waitpid(fork(live, directory, estate, Killer(step, each)), 0)
        estate.page.words[status.SENDING] = 0
        before = counts[:MESSAGES]
        hands = {header.corr for header, _ in estate.in_hand()}  # 0 of what is told
        seen["inherited"] += any(slot.filled for slot in estate.page.slots())
        _, again = os.waitpid(fork(live, directory, estate, None), 0)
        assert not again
        asker.drain()
        seen["in_hand"] += len(hands)
        seen["unordered"] += counts[MESSAGES]
        for number, pending in enumerate(asked):
            is_told = number == TOLD
            in_hand = (0 if is_told else pending.corr) in hands
            is_settled = bool(counts[number]) if is_told else pending.done()
            seen["lost"] += not in_hand and not is_settled
            seen["answered_in_hand"] += in_hand and is_settled and not is_told
            seen["twice"] += counts[number] > 1
            seen["named_and_handled_later"] += (
                in_hand and counts[number] > before[number]
            )
        return os.WIFSIGNALED(ended)


def main(transport: str, each: str, begin: str, stride: str) -> None:
    """Kill at each *stride*-th step from *begin* on, until the work is done before."""
    seen: dict[str, int] = Counter()
    for step in itertools.count(int(begin), int(stride)):
        if not one_death(transport, step, each, seen):
            break
        seen["deaths"] += 1
    print(json.dumps(seen))  # noqa: T201 - that is how it is handed over


if __name__ == "__main__":
    main(*sys.argv[1:])
