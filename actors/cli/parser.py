"""What can be typed behind ``actors``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

SHOWING = {
    "ls": "list the systems that run",
    "ps": "list the actors of a system, and what they are doing",
    "tree": "show the processes of a system",
    "mailbox": "list the messages that wait for an actor",
}
ACTING = {
    "stack": "show what the threads of an actor execute",
    "restart": "replace the process of an actor by a fresh one",
    "stop": "end an actor after the messages that wait for it",
    "kill": "end an actor at once",
    "freeze": "stop the process of an actor where it is",
    "thaw": "let the process of an actor run on",
    "signal": "send a signal to the process of an actor",
}
SWEEP = "sweep"
OF_A_SYSTEM = ("ps", "tree")
ACTION_SECONDS = 30.0
MAX_SECONDS = 1e9

_EPILOG = """\
exit status: 0 done, 1 no such system or actor, 2 wrong usage or an ambiguous name, 3 it could not be done"""


def build() -> argparse.ArgumentParser:
    """Return the parser.

    What it returns has ``command``, ``directory`` (None for the usual one) and, by command, ``json``, ``system`` (None for the only
    one), ``actor``, ``timeout`` and ``signum``.
    """
    parser = argparse.ArgumentParser(
        prog="actors",
        description="Show the actor systems of this user, and do something about their actors.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show it, and exit")
    where = _common(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, about in {
        **SHOWING,
        **ACTING,
        SWEEP: "remove what killed systems have left",
    }.items():
        made = commands.add_parser(
            name, help=about, description=_sentence(about), parents=[where]
        )
        if name in OF_A_SYSTEM:
            only = "its name, needed where several run"
            made.add_argument("system", nargs="?", metavar="SYSTEM", help=only)
        if name in ACTING or name == "mailbox":
            which = "the actor, with its system where several run"
            made.add_argument("actor", metavar="[SYSTEM/]NAME", help=which)
        if name == "signal":
            known = "its name or number, such as HUP"
            made.add_argument("signum", type=_signal, metavar="SIGNAL", help=known)
        if name in SHOWING:
            made.add_argument("--json", action="store_true", help="print JSON")
        if name in ACTING:
            made.add_argument(
                "--timeout",
                type=_seconds,
                default=ACTION_SECONDS,
                metavar="SECONDS",
                help="how long to wait until it is done (default: %(default)g)",
            )
    return parser


def _common(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give *parser* the option that may stand before and behind the name of a command, and return it alone."""
    about = "where the systems keep their files, if they were told to"
    parser.add_argument("--directory", type=Path, help=about)
    alone = argparse.ArgumentParser(add_help=False)
    # Without a default: it would replace what stood before the name.
    alone.add_argument("--directory", type=Path, default=argparse.SUPPRESS, help=about)
    return alone


def _sentence(about: str) -> str:
    return f"{about[0].upper()}{about[1:]}."


def _seconds(given: str) -> float:
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_SECONDS:
        msg = f"{given!r}: a number of seconds above 0, and up to {MAX_SECONDS:g}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _signal(given: str) -> int:
    name = f"SIG{given.upper().removeprefix('SIG')}"
    named = signal.Signals.__members__.get(name, -1)
    number = int(given) if given.isdecimal() else int(named)
    if number not in signal.valid_signals():
        msg = f"{given!r}: the name or number of a signal, such as HUP"
        raise argparse.ArgumentTypeError(msg)
    return number


class _Version(argparse.Action):
    """Shows the version, for which nobody else has to wait."""

    def __call__(self, *_: object) -> None:
        from importlib import metadata  # noqa: PLC0415 - takes 40 ms

        print(f"actors {metadata.version('actors-runtime')}")
        sys.exit(0)
