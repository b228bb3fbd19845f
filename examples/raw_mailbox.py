"""A mailbox between programs that know nothing of actors, or of each other.

    python examples/raw_mailbox.py receive shm:/dev/shm/notes/inbox
    python examples/raw_mailbox.py send shm:/dev/shm/notes/inbox "Hello" "How are you?"

Any of the transports will do: ``pipe:``, ``unix:``, ``mq:``.  Ctrl-C ends the receiver.
"""

from __future__ import annotations

import os
import sys

from transports.ends import Receiver, Sender
from transports.errors import TransportError


def receive(address: str) -> None:
    """Print what comes, until Ctrl-C."""
    with Receiver(address) as inbox:
        print(f"process {os.getpid()} receives at {inbox.address}", flush=True)
        for frame in inbox:
            print(frame.decode(errors="replace"), flush=True)


def send(address: str, *texts: str) -> None:
    """Send each text as one frame."""
    with Sender(address) as outlet:
        for text in texts:
            outlet.send(text.encode(), timeout=5)


def main() -> int:
    """Do what the command line says."""
    try:
        match sys.argv[1:]:
            case ["receive", address]:
                receive(address)
            case ["send", address, *texts]:
                send(address, *texts)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (TransportError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
