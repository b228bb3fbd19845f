"""The same actors over each transport: what differs, measured on this machine.

    python examples/transports_compared.py [--asks N] [--tells N]

Only the name of the transport changes from row to row.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time

import attrs

from actors import Actor, ActorRef, ActorSystem
from transports import registry

TRANSPORTS = ("shm", "unix", "pipe", "mq")
MIB = 1024 * 1024
LARGE = 64 * MIB
QUEUED = 1_000  # messages that wait when somebody is killed


class Ledger(Actor):
    """Counts what this incarnation has been told."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, _: int) -> None:
        """Count one."""
        self.count += 1

    def noted(self) -> int:
        """Return the count."""
        return self.count

    def echo(self, number: int) -> int:
        """Return *number*."""
        return number

    def size(self, data: bytes) -> int:
        """Return how much has come."""
        return len(data)

    def pid(self) -> int:
        """Return our process."""
        return os.getpid()


class Clerk(Actor):
    """Tells a ledger more than its mailbox may have room for."""

    def send(self, ledger: ActorRef[Ledger], count: int) -> None:
        """Tell *ledger* *count* numbers, without waiting for room."""
        for number in range(count):
            ledger.tell(Ledger.note, number)


@attrs.frozen
class Row:
    """What was measured over one transport."""

    transport: str
    frame_bytes: int
    ask_us: float
    tells_per_s: float
    large_ms: float
    kept_by_receiver: int
    kept_by_sender: int


def median_ask_us(ledger: ActorRef[Ledger], count: int) -> float:
    """Return the median time from an ask to its answer."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        ledger.ask(Ledger.echo, number).result()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def tells_per_second(ledger: ActorRef[Ledger], count: int) -> float:
    """Return how many tells are handled in a second."""
    began = time.perf_counter()
    for number in range(count):
        ledger.tell(Ledger.note, number).result()  # waits for room, if there is none
    ledger.ask(Ledger.noted).result()
    return count / (time.perf_counter() - began)


def large_message_ms(ledger: ActorRef[Ledger]) -> float:
    """Return how long it takes to hand over 64 MiB, which no mailbox has room for."""
    data = bytes(LARGE)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        if ledger.ask(Ledger.size, data).result() != LARGE:
            raise AssertionError
        times.append(time.perf_counter() - began)
    return min(times) * 1e3


def kept_when_receiver_dies(system: ActorSystem) -> int:
    """Return how many of the messages that wait for a receiver outlive it."""
    ledger = system.spawn(Ledger).result()
    pid = ledger.ask(Ledger.pid).result()
    os.kill(pid, signal.SIGSTOP)
    for number in range(QUEUED):
        ledger.tell(Ledger.note, number)
    os.kill(pid, signal.SIGKILL)
    return ledger.ask(Ledger.noted).result()


def kept_when_sender_dies(system: ActorSystem) -> int:
    """Return how many of the messages that a sender has sent outlive it."""
    ledger, clerk = system.spawn(Ledger).result(), system.spawn(Clerk).result()
    pid = ledger.ask(Ledger.pid).result()
    os.kill(pid, signal.SIGSTOP)
    clerk.ask(Clerk.send, ledger, QUEUED).result()
    clerk.kill().result()
    os.kill(pid, signal.SIGCONT)
    return ledger.ask(Ledger.noted).result()


def measure(transport: str, asks: int, tells: int) -> Row:
    """Run everything over *transport*."""
    with ActorSystem(transport=transport) as system:
        ledger = system.spawn(Ledger).result()
        return Row(
            transport,
            registry.get(transport).inline_limit,
            median_ask_us(ledger, asks),
            tells_per_second(ledger, tells),
            large_message_ms(ledger),
            kept_when_receiver_dies(system),
            kept_when_sender_dies(system),
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--asks", type=int, default=2_000, metavar="N")
    parser.add_argument("--tells", type=int, default=20_000, metavar="N")
    args = parser.parse_args()
    print(
        "            one ask    tells   64 MiB  in the mailbox   kept of 1000 queued when"
    )
    print(
        "transport    median  per second  in ms  up to (bytes)  receiver / sender is killed"
    )
    for transport in TRANSPORTS:
        row = measure(transport, args.asks, args.tells)
        print(
            f"{row.transport:9} {row.ask_us:6.1f} µs {row.tells_per_s:11,.0f} {row.large_ms:6.1f} {row.frame_bytes:14,}"
            f" {row.kept_by_receiver:11} / {row.kept_by_sender}",
            flush=True,
        )


if __name__ == "__main__":
    main()
