"""Experiments in which senders or receivers of a mailbox are killed at random.

Run as a program with one thread, which may fork.  An experiment is given the descriptor
of a mailbox, which its test makes and removes, and prints one JSON object with what it
saw; the tests judge it.

Receivers have no other memory than the state page: for each sender the last number
accepted and the last number handled.  Handling is one store, so the page always tells
whether a frame was handled, however its receiver died.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import select
import signal
import struct
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tests.support.transports import (
    NAME,
    PATIENCE_SECONDS,
    main,
    map_file,
    new_slot,
    open_directory,
    put_patiently,
    slot_file,
    take_all,
    wait_for_room,
)
from transports import registry, shm
from transports._ring import Slot
from transports.mailbox import Gathering, GatheringOutlet, Mailbox, Outlet, Put

SENDERS = 2
MOST_AT_ONCE = 8  # frames that a sender puts into one message, where it can
LONGEST_LIFE_SECONDS = 0.004
STOP, PROBLEMS, ALIVE, HANDLED_BY, FIRST_SENDER = 0, 1, 2, 3, 8
WORDS = 64 * 1024

_NUMBERED = struct.Struct("=IQ")
_CHECKED = struct.Struct("=III")  # checksum of what follows, sender, number


def fork(function: Callable[..., None], *args: object) -> int:
    """Run *function* in a process of its own and return its number."""
    pid = os.fork()  # noqa: TID251 - one thread, and nothing but this experiment in it
    if not pid:
        _run_and_leave(function, *args)
    return pid


def _run_and_leave(function: Callable[..., None], *args: object) -> NoReturn:
    try:
        function(*args)
    except BaseException:  # noqa: BLE001 - nobody is above us in this process
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def kill(pid: int) -> None:
    """Kill the process and wait for its end."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def state_of(directory: Path) -> memoryview:
    """Map the state page."""
    return memoryview(map_file(directory / "state", 8 * WORDS)).cast("Q")


def report(**seen: object) -> None:
    """Print what the experiment saw."""
    print(json.dumps(seen))  # noqa: T201 - that is how it is handed over


# Receivers are killed.


class Receiver:
    """One incarnation; knows nothing but what shared memory says."""

    def __init__(self, directory: Path, scheme: str, held: int) -> None:
        dir_fd = open_directory(directory)
        self.mailbox: Mailbox = registry.get(scheme).open(held, dir_fd, NAME)
        self.slot: Slot = slot_file(directory)
        self.state = state_of(directory)
        self.slot.prefault()

    def adopt(self) -> None:
        """Handle first what the last incarnation had taken and not started."""
        self.mailbox.settle(self.slot)
        frame = self.slot.frame()
        if frame is not None and not self.slot.started:
            self.handle(frame)
        else:
            self.slot.clear()

    def step(self) -> bool:
        """Take and handle one frame, if there is one."""
        frame = self.mailbox.take(self.slot)
        if frame is not None:
            self.handle(frame)
        return frame is not None

    def handle(self, frame: bytes) -> None:
        """Note that this number is done; anything but the next one is a problem."""
        self.slot.start()
        sender, number = _NUMBERED.unpack(frame)
        if self.state[handled(sender)] != number - 1:  # lost, twice or out of order
            self.state[PROBLEMS] += 1
        self.state[handled(sender)] = number
        self.slot.clear()


def accepted(sender: int) -> int:
    """Return which word holds the last number accepted from *sender*."""
    return FIRST_SENDER + 2 * sender


def handled(sender: int) -> int:
    """Return which word holds the last number handled from *sender*."""
    return accepted(sender) + 1


def kill_receivers(
    directory: Path, scheme: str, given: str, kills: str, seed: str
) -> None:
    """Kill receiver after receiver while senders keep the mailbox full, with several frames at once where that can be."""
    chance, held = random.Random(int(seed)), int(given)
    transport = registry.get(scheme)
    if isinstance(transport, Gathering):
        transport.gather(open_directory(directory), NAME)
    state, slot = state_of(directory), slot_file(directory)
    senders = [fork(_send_numbered, directory, scheme, n) for n in range(SENDERS)]
    in_hand = unhandled = inherited = done = 0
    while not _is_enough(done, int(kills), [state[handled(n)] for n in range(SENDERS)]):
        done += 1
        receiver = fork(_receive_for_ever, directory, scheme, held)
        while state[ALIVE] != receiver:
            os.sched_yield()
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))  # noqa: TID251 - its life
        kill(receiver)
        inherited += slot.filled and not slot.started
        if slot.filled and slot.started:
            in_hand += 1
            unhandled += _write_off(slot, state)
    state[STOP] = 1
    last = Receiver(directory, scheme, held)
    last.adopt()
    for sender in senders:
        while os.waitpid(sender, os.WNOHANG) == (0, 0):
            last.step()
    while last.step():
        pass
    report(
        kills=done,
        in_hand=in_hand,
        unhandled=unhandled,
        inherited=inherited,
        problems=state[PROBLEMS],
        accepted=[state[accepted(n)] for n in range(SENDERS)],
        handled=[state[handled(n)] for n in range(SENDERS)],
    )


def _is_enough(done: int, kills: int, numbers: list[int]) -> bool:
    # On a busy machine many receivers die before they handle anything: go on then.
    return done >= kills and (min(numbers) > kills or done >= 10 * kills)


def _send_numbered(directory: Path, scheme: str, sender: int) -> None:
    outlet = registry.get(scheme).connect(open_directory(directory), NAME)
    state = state_of(directory)
    number = 1
    chance = random.Random(sender)
    while not state[STOP]:
        if isinstance(outlet, GatheringOutlet):
            numbers = range(number, number + chance.randint(1, MOST_AT_ONCE))
            frames = [(_NUMBERED.pack(sender, each),) for each in numbers]
            result, count = outlet.put_some(frames)
        else:
            result, count = outlet.put(_NUMBERED.pack(sender, number)), 1
        if result == Put.ACCEPTED:
            number += count
            state[accepted(sender)] = number - 1
        else:
            wait_for_room(outlet)


def _receive_for_ever(directory: Path, scheme: str, held: int) -> None:
    state_of(directory)[ALIVE] = os.getpid()  # its life begins before it opens anything
    receiver = Receiver(directory, scheme, held)
    receiver.adopt()
    while True:
        receiver.step()


def _write_off(slot: Slot, state: memoryview) -> int:
    """Count the message in hand at a death as done; return 1 if it was not."""
    sender, number = _NUMBERED.unpack(slot.frame() or b"")
    missing = int(state[handled(sender)] == number - 1)
    state[handled(sender)] += missing
    slot.clear()
    return missing


# One of several receivers is killed.


RECEIVERS = 3
MOST = 200_000  # numbers of each sender
BURST = 40
PAUSE_SECONDS = 0.002


def tallies_of(directory: Path) -> mmap.mmap:
    """Map the page that says of each number how often it was handled."""
    return map_file(directory / "tallies", SENDERS * (MOST + 1))


def kill_one_of_several(
    directory: Path, scheme: str, given: str, kills: str, seed: str
) -> None:
    """Kill a receiver, settle its seat beside the others, and start it again, while senders go on."""
    chance, held = random.Random(int(seed)), int(given)
    transport, dir_fd = registry.get(scheme), open_directory(directory)
    state, tallies = state_of(directory), tallies_of(directory)
    slots = [slot_file(directory, seat=seat) for seat in range(RECEIVERS)]
    senders = [fork(_send_bursts, directory, scheme, n) for n in range(SENDERS)]
    receivers = [_start_receiver(directory, scheme, held, n) for n in range(RECEIVERS)]
    in_hand = unhandled = inherited = 0
    for _ in range(int(kills)):
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))  # noqa: TID251 - its life
        seat = chance.randrange(RECEIVERS)
        kill(receivers[seat])
        mailbox = transport.open(held, dir_fd, NAME, seat)
        mailbox.settle(slots[seat])
        mailbox.close()
        if slots[seat].filled and slots[seat].started:
            in_hand += 1
            at = _place_of(slots[seat].frame() or b"")
            unhandled += not tallies[at]
            tallies[at] = 1
            slots[seat].clear()
        inherited += slots[seat].filled
        receivers[seat] = _start_receiver(directory, scheme, held, seat)
    state[STOP] = 1
    for sender in senders:
        os.waitpid(sender, 0)
    told = [state[accepted(n)] for n in range(SENDERS)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (counts := _tally(tallies, told))["missing"]:
        if time.monotonic() > deadline:
            break
    for receiver in receivers:
        kill(receiver)
    report(
        in_hand=in_hand,
        unhandled=unhandled,
        inherited=inherited,
        accepted=told,
        shares=[state[HANDLED_BY + seat] for seat in range(RECEIVERS)],
        **counts,
    )


def _tally(tallies: mmap.mmap, told: list[int]) -> dict[str, int]:
    """Count the accepted numbers that were not handled, and those that were more than once."""
    parts = [
        tallies[sender * (MOST + 1) + 1 : sender * (MOST + 1) + 1 + most]
        for sender, most in enumerate(told)
    ]
    handled = b"".join(parts)
    missing, once = handled.count(0), handled.count(1)
    return {"missing": missing, "twice": len(handled) - missing - once}


def _place_of(frame: bytes) -> int:
    sender, number = _NUMBERED.unpack(frame)
    return int(sender * (MOST + 1) + number)


def _start_receiver(directory: Path, scheme: str, held: int, seat: int) -> int:
    return fork(_receive_beside_others, directory, scheme, held, seat)


def _receive_beside_others(directory: Path, scheme: str, held: int, seat: int) -> None:
    mailbox = registry.get(scheme).open(held, open_directory(directory), NAME, seat)
    slot, state = slot_file(directory, seat=seat), state_of(directory)
    tallies = tallies_of(directory)
    frame, fd = slot.frame(), mailbox.fileno()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        if frame is None:
            poll.poll()
        else:
            slot.start()
            tallies[_place_of(frame)] += 1
            state[HANDLED_BY + seat] += 1
            slot.clear()
        frame = mailbox.take(slot)


def _send_bursts(directory: Path, scheme: str, sender: int) -> None:
    outlet = registry.get(scheme).connect(open_directory(directory), NAME)
    state, chance = state_of(directory), random.Random(sender)
    for number in range(1, MOST + 1):
        put_patiently(outlet, _NUMBERED.pack(sender, number))
        state[accepted(sender)] = number
        if state[STOP]:
            break
        if not chance.randrange(BURST):  # so that receivers fall asleep
            time.sleep(chance.uniform(0, PAUSE_SECONDS))  # noqa: TID251 - its pause


# Senders are killed.


class Ledger:
    """What one receiver has seen of all senders."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}
        self.frames = self.torn = self.gaps = 0

    def note(self, frame: bytes) -> None:
        """Check one frame against its checksum and against the one before."""
        check, sender, number = _CHECKED.unpack_from(frame)
        self.frames += 1
        self.torn += check != zlib.crc32(frame[4:])
        self.gaps += number != self.last.get(sender, 0) + 1
        self.last[sender] = number


def kill_senders(
    directory: Path, scheme: str, given: str, kills: str, seed: str
) -> None:
    """Kill sender after sender while this process receives."""
    chance, held = random.Random(int(seed)), int(given)
    transport, dir_fd = registry.get(scheme), open_directory(directory)
    mailbox, slot, ledger = transport.open(held, dir_fd, NAME), new_slot(), Ledger()
    running = [fork(_send_checked, directory, scheme, n) for n in range(SENDERS)]
    for serial in range(SENDERS, SENDERS + int(kills)):
        deadline = time.monotonic() + chance.uniform(0, LONGEST_LIFE_SECONDS)
        while time.monotonic() < deadline:
            _take_into(ledger, mailbox, slot)
        kill(running.pop(0))
        running.append(fork(_send_checked, directory, scheme, serial))
    for sender in running:
        kill(sender)
    for frame in take_all(mailbox, slot):
        ledger.note(frame)
    state = state_of(directory)
    told = {n: state[accepted(n)] for n in range(SENDERS + int(kills))}
    report(
        frames=ledger.frames,
        torn=ledger.torn,
        gaps=ledger.gaps,
        lost=sum(ledger.last.get(n, 0) < told[n] for n in told),
        ghosts=sum(ledger.last.get(n, 0) > told[n] + 1 for n in told),
        still_usable=transport.connect(dir_fd, NAME).put(b"") == Put.ACCEPTED,
        recoveries=shm.recoveries(held) if scheme == "shm" else None,
    )


def _take_into(ledger: Ledger, mailbox: Mailbox, slot: Slot) -> None:
    frame = mailbox.take(slot)
    if frame is not None:
        slot.clear()
        ledger.note(frame)


def _send_checked(directory: Path, scheme: str, sender: int) -> None:
    transport = registry.get(scheme)
    outlet: Outlet = transport.connect(open_directory(directory), NAME)
    state = state_of(directory)
    # Large frames, so that many a kill hits the copy.
    filling = random.Random(sender).randbytes(transport.inline_limit - _CHECKED.size)
    number = 1
    while True:
        rest = _CHECKED.pack(0, sender, number)[4:] + filling[: -number % 4096 or None]
        check = struct.pack("=I", zlib.crc32(rest))
        put_patiently(outlet, check, rest)
        state[accepted(sender)] = number
        number += 1


if __name__ == "__main__":
    main(
        {
            "kill_one_of_several": kill_one_of_several,
            "kill_receivers": kill_receivers,
            "kill_senders": kill_senders,
        }
    )
