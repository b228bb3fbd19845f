"""The command ``actors``: what runs on this host for this user, read from the runtime directory."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from actors.errors import RuntimeDirectoryError
from actors.runtime import directory, status

EXIT_FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="actors", description="Show and clean up the actor systems of this user."
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=None,
        help="where the systems keep their files",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "ls", help="list the systems that run, with the processes of their actors"
    )
    commands.add_parser("sweep", help="remove what killed systems have left")
    given = parser.parse_args(arguments)
    try:
        return (
            _ls(given.directory) if given.command == "ls" else _sweep(given.directory)
        )
    except RuntimeDirectoryError as exc:
        print(f"actors: {exc}", file=sys.stderr)
        return EXIT_FAILED


def _ls(base: Path | None) -> int:
    systems = directory.find_live(base)
    if not systems:
        print("no system runs")
    for path in systems:
        print(path.name)
        with contextlib.suppress(RuntimeDirectoryError):  # it has ended meanwhile
            _show(directory.RuntimeDirectory.open(path))
    return 0


def _show(opened: directory.RuntimeDirectory) -> None:
    try:
        numbers = sorted(
            int(name.removesuffix(".status"))
            for name in os.listdir(opened.fd)  # noqa: PTH208 - by descriptor, not by path
            if name.endswith(".status")
        )
        for number in numbers:
            with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
                words = status.StatusPage.open(opened.fd, number).words
                if words[status.SLOTS]:  # the root and the program have none
                    print(
                        f"  actor {number:<5} pid {words[status.PID]:<7} incarnation {words[status.INCARNATION]:<4} "
                        f"{words[status.HANDLED]} messages handled"
                    )
    finally:
        opened.close()


def _sweep(base: Path | None) -> int:
    swept = directory.sweep(base)
    for name in swept.removed:
        print(f"removed {name}")
    for left in swept.left:
        print(f"left {left.name}: {left.why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
