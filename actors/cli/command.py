"""The command ``actors``: carries out what was typed, and says how that went."""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from actors.cli import acting, choice, parser, procfs, text
from actors.cli.choice import FAILED, NOT_FOUND, CommandError
from actors.cli.reading import Reader
from actors.cli.snapshot import Process, System, tree_of
from actors.errors import ActorError, RuntimeDirectoryError
from actors.runtime import systems
from transports.errors import TransportError

INTERRUPTED = 130  # as of a program that SIGINT has ended
NOBODY_READS = 141  # likewise, SIGPIPE


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    given = parser.build().parse_args(arguments)
    try:
        _RUN[given.command](given)
        sys.stdout.flush()
    except CommandError as exc:
        return _failed(exc.text, exc.status)
    except BrokenPipeError:
        # What is still in the buffer would be written at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return NOBODY_READS
    except (ActorError, TransportError, OSError) as exc:
        return _failed(str(exc), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _failed(reason: str, status: int) -> int:
    print(f"actors: {reason}", file=sys.stderr)
    return status


# Showing.


def _ls(given: argparse.Namespace) -> None:
    found = []
    processes = procfs.processes()
    for path in systems.find_live(given.directory):
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
    return {**attrs.asdict(system), "actors": system.count}


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
    with _opened(given, given.system, "tree {}") as reader:
        root = tree_of(reader.system(), reader.processes)
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
    path = _path(given, wanted, f"{given.command} {{}}/{name}")
    with _reading(path, {}) as reader:
        actor = choice.actor_of(reader.system(), name)
    choice.check_alone(actor)
    operation = acting.OPERATIONS.get(given.command) or functools.partial(
        acting.signal, signum=given.signum
    )
    _print(acting.act(path, actor, operation, given.timeout).splitlines())


def _sweep(given: argparse.Namespace) -> None:
    swept = systems.sweep(given.directory)
    for name in swept.removed:
        print(f"removed {name}")
    for left in swept.left:
        print(f"actors: left {left.name}: {left.why}", file=sys.stderr)


# Which system.


def _path(given: argparse.Namespace, wanted: str | None, example: str) -> Path:
    running = {path.name: path for path in systems.find_live(given.directory)}
    return running[choice.system_of(list(running), wanted, f"actors {example}")]


@contextlib.contextmanager
def _opened(
    given: argparse.Namespace, wanted: str | None, example: str
) -> Iterator[Reader]:
    path = _path(given, wanted, example)
    with _reading(path, procfs.processes()) as reader:
        yield reader


@contextlib.contextmanager
def _reading(path: Path, processes: dict[int, Process]) -> Iterator[Reader]:
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


_RUN: dict[str, Callable[[argparse.Namespace], None]] = {
    "ls": _ls,
    "ps": _ps,
    "tree": _tree,
    "mailbox": _mailbox,
    **dict.fromkeys(parser.ACTING, _act),
    parser.SWEEP: _sweep,
}
