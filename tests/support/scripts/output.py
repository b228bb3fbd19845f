"""A program whose actors write to their standard streams in every way there is; the argument says what becomes of that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import structlog

from actors import Actor, ActorCrashedError, ActorSystem


class Writer(Actor):
    def say(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")

    def complain(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")

    def note(self, text: str) -> None:
        structlog.get_logger().info(text)

    def write_from_c(self, text: str) -> None:
        os.write(1, text.encode())

    def start_child(self, text: str) -> None:
        subprocess.run(["sh", "-c", f"echo {text}; echo {text}2 >&2"], check=True)

    def die(self, last_words: str) -> None:
        sys.stdout.write("printed\n")
        os.write(1, last_words.encode())
        os.kill(os.getpid(), signal.SIGKILL)

    def flood(self, lines: int) -> None:
        for number in range(lines):
            sys.stdout.write(f"{number:06} {'x' * 93}\n")


def speak(system: ActorSystem) -> None:
    anna = system.options(name="anna").spawn(Writer).result()
    bert = system.options(name="bert").spawn(Writer).result()
    anna.ask(Writer.say, "one\ntwo").result()
    bert.ask(Writer.complain, "oh").result()
    anna.ask(Writer.note, "noted").result()
    anna.ask(Writer.write_from_c, "half ").result()
    anna.ask(Writer.start_child, "child").result()
    try:
        bert.ask(Writer.die, "last words").result()
    except ActorCrashedError:
        bert.ask(Writer.say, "reborn").result()


def flood(system: ActorSystem) -> None:
    anna = system.options(name="anna").spawn(Writer).result()
    bert = system.options(name="bert").spawn(Writer).result()
    asks = [ref.ask(Writer.flood, 5000) for ref in (anna, bert)]
    for ask in asks:
        ask.result(30)


def drown(system: ActorSystem) -> None:
    """Write more than anybody reads, until standard input says that somebody does."""
    flood(system)
    sys.stderr.write("flooded\n")
    sys.stdin.readline()
    anna = system.lookup("anna", Writer).result()
    anna.ask(Writer.say, "after").result()


WAYS: dict[str, Any] = {"speak": speak, "flood": flood, "drown": drown}

if __name__ == "__main__":
    with ActorSystem(output=sys.argv[2]) as running:  # type: ignore[arg-type]
        WAYS[sys.argv[1]](running)
    if sys.argv[1] != "flood":  # which may find no room, and would wait
        sys.stdout.write("closed\n")
