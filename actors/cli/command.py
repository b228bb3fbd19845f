"""The command line: what can be asked for, and with which status the command ends."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from actors.cli import acting, choice, procfs, text
from actors.cli.choice import FAILED, NOT_FOUND, CommandError
from actors.cli.reading import Reader
from actors.cli.snapshot import System, tree_of
from actors.errors import ActorError, RuntimeDirectoryError
from actors.runtime import directory

INTERRUPTED = 130  # as of a program that SIGINT has ended
NOBODY_READS = 141  # likewise, SIGPIPE
ACTION_SECONDS = 30.0
_STATUSES = """exit status: 0 done, 1 no such system or actor, 2 wrong usage or an ambiguous name, 3 it could not be done"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
        sys.stdout.flush()
    except CommandError as exc:
        return _failed(exc.text, exc.status)
    except ActorError as exc:
        return _failed(str(exc), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still in the buffer would be written at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return NOBODY_READS
    return 0


def _failed(reason: str, status: int) -> int:
    print(f"actors: {reason}", file=sys.stderr)
    return status


# What can be asked for.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="actors",
        description="Show the actor systems of this user, and do something about their actors.",
        epilog=_STATUSES,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show it, and exit")
    where = _common(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[Any], None], about: str, *, shows: bool = False
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            parents=[where],
        )
        made.set_defaults(run=run)
        if shows:
            made.add_argument("--json", action="store_true", help="print JSON")
        return made

    command("ls", _ls, "list the systems that run", shows=True)
    for name, run, about in (
        ("ps", _ps, "list the actors of a system, and what they are doing"),
        ("tree", _tree, "show the processes of a system"),
    ):
        shown = command(name, run, about, shows=True)
        shown.add_argument("system", nargs="?", metavar="SYSTEM", help=_SYSTEM)
    waiting = "list the messages that wait for an actor"
    shown = command("mailbox", _mailbox, waiting, shows=True)
    shown.add_argument("actor", metavar="[SYSTEM/]NAME", help=_ACTOR)
    for name, operation, about in (
        ("restart", acting.restart, "replace the process of an actor by a fresh one"),
        ("stop", acting.stop, "end an actor after the messages that wait for it"),
        ("kill", acting.kill, "end an actor at once"),
    ):
        acts = command(name, _act, about)
        acts.set_defaults(operation=operation, name=name)
        acts.add_argument("actor", metavar="[SYSTEM/]NAME", help=_ACTOR)
        acts.add_argument(
            "--timeout",
            type=_seconds,
            default=ACTION_SECONDS,
            metavar="SECONDS",
            help="how long to wait until it is done (default: %(default)g)",
        )
    command("sweep", _sweep, "remove what killed systems have left")
    return parser


class _Version(argparse.Action):
    """Shows the version, for which nobody else has to wait."""

    def __call__(self, *_: object) -> None:
        from importlib import metadata  # noqa: PLC0415 - takes 40 ms

        print(f"actors {metadata.version('actors-runtime')}")
        sys.exit(0)


_SYSTEM = "its name, needed where several run"
_ACTOR = "the actor, with its system where several run"


def _common(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give *parser* the option that may stand before and behind the name of a command, and return it alone."""
    alone = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for each in (parser, alone):
        each.add_argument(
            "--directory",
            type=Path,
            help="where the systems keep their files, if they were told to",
        )
    return alone


def _seconds(given: str) -> float:
    value = float(given)
    if not 0 < value < 1e9:
        raise ValueError
    return value


# Showing.


def _ls(given: argparse.Namespace) -> None:
    found = []
    processes = procfs.processes()
    for path in directory.find_live(given.directory):
        try:
            with _reading(path, processes) as reader:
                found.append(reader.system())
        except CommandError:  # it has ended meanwhile
            continue
        except RuntimeDirectoryError as exc:  # of another version
            print(f"actors: {exc}", file=sys.stderr)
    if given.json:
        _print_json([_without_actors(system) for system in found])
        return
    _print(text.systems(found, _width()))
    if not found:
        print("actors: no system runs", file=sys.stderr)


def _without_actors(system: System) -> dict[str, Any]:
    return {**attrs.asdict(system), "actors": len(system.actors)}


def _ps(given: argparse.Namespace) -> None:
    with _opened(given, given.system, "ps {}") as reader:
        system = reader.system()
    if given.json:
        _print_json([attrs.asdict(actor) for actor in system.actors])
        return
    _print(text.actors(system.actors, _width()))
    if not system.actors:
        print(f"actors: {system.name} has no actors", file=sys.stderr)


def _tree(given: argparse.Namespace) -> None:
    processes = procfs.processes()
    with _opened(given, given.system, "tree {}", processes) as reader:
        system = reader.system()
    root = tree_of(system, processes)
    if given.json:
        _print_json(attrs.asdict(root))
    else:
        _print(text.tree(root, _width()))


def _mailbox(given: argparse.Namespace) -> None:
    wanted, name = choice.split(given.actor)
    with _opened(given, wanted, f"mailbox {{}}/{name}") as reader:
        actor = choice.actor_of(reader.system(), name)
        found = reader.messages(actor)
    if found is None:
        reason = f"{actor.name}: the kernel does not show what waits in a mailbox over {actor.transport!r}"
        raise CommandError(reason, FAILED)
    if given.json:
        _print_json([attrs.asdict(message) for message in found])
        return
    _print(text.messages(found, _width()))
    if not found:
        print(f"actors: nothing waits for {actor.name}", file=sys.stderr)


# Acting.


def _act(given: argparse.Namespace) -> None:
    wanted, name = choice.split(given.actor)
    path = _path(given, wanted, f"{given.name} {{}}/{name}")
    with _reading(path, {}) as reader:
        actor = choice.actor_of(reader.system(), name)
    print(acting.act(path, actor, given.operation, given.timeout))


def _sweep(given: argparse.Namespace) -> None:
    swept = directory.sweep(given.directory)
    for name in swept.removed:
        print(f"removed {name}")
    for left in swept.left:
        print(f"actors: left {left.name}: {left.why}", file=sys.stderr)


# Which system.


def _path(given: argparse.Namespace, wanted: str | None, example: str) -> Path:
    running = {path.name: path for path in directory.find_live(given.directory)}
    return running[choice.system_of(list(running), wanted, f"actors {example}")]


@contextlib.contextmanager
def _opened(
    given: argparse.Namespace,
    wanted: str | None,
    example: str,
    processes: dict[int, Any] | None = None,
) -> Iterator[Reader]:
    path = _path(given, wanted, example)
    known = procfs.processes() if processes is None else processes
    with _reading(path, known) as reader:
        yield reader


@contextlib.contextmanager
def _reading(path: Path, processes: dict[int, Any]) -> Iterator[Reader]:
    """Yield a reader of the system in *path*.

    Raises:
        CommandError: It has ended meanwhile.
        RuntimeDirectoryError: It is not one we may use.
    """
    try:
        reader = Reader(path, processes)
    except RuntimeDirectoryError as exc:
        if path.exists():
            raise
        reason = f"the system {path.name} has just ended"
        raise CommandError(reason, NOT_FOUND) from exc
    with contextlib.closing(reader):
        yield reader


# Printing.


def _width() -> int | None:
    """Return how wide the terminal is; None where there is none, for whoever reads wants all of it."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        # Names of processes and methods are others' words: no escape sequence of theirs gets to the terminal.
        print("".join(each if each.isprintable() else "?" for each in line))


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))
