"""The command: what to measure, in which order, and where the result goes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import report, scale
from tests.bench.measuring import Cores, time_limit
from tests.bench.rows import ROWS, SYSTEMS, Row

ROUNDS = 5
ACTORS = 1000  # of --scale


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; ``--json`` saves the medians too."""
    options = parse(arguments)
    if options.scale:
        for name, value in scale.measure(options.scale).items():
            print(f"{name:20}  {value:,.2f}")
        return
    cores = Cores(*options.pin) if options.pin else Cores()
    samples = measure(options.rows, options.rounds, cores)
    systems = [s for s in SYSTEMS if any(s in found for found in samples.values())]
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {placement(cores)}"
    )
    print(f"rounds: {options.rounds}, medians; (2x): ours is twice as good\n")
    print(report.to_table(options.rows, systems, samples))
    if options.json:
        result = report.to_json(samples)
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return ``rows``, ``rounds``, ``json``, and ``pin`` as two cores or None."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure actors beside what Python brings along, in one run, in turns.",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="save the medians as <row>.<system>"
    )
    parser.add_argument(
        "--rows", type=rows_named, default=ROWS, metavar="A,B", help="only these rows"
    )
    parser.add_argument(
        "--rounds", type=at_least_one, default=ROUNDS, help=f"{ROUNDS} by default"
    )
    parser.add_argument(
        "--pin", action="store_true", help="keep the two ends on different cores"
    )
    parser.add_argument(
        "--scale",
        type=at_least_one,
        nargs="?",
        const=ACTORS,
        metavar="N",
        help=f"instead: N actors at once, {ACTORS} by default",
    )
    options = parser.parse_args(arguments)
    if options.pin:
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            parser.error("--pin needs two cores")
        options.pin = usable[:2]
    return options


def rows_named(text: str) -> tuple[Row, ...]:
    """Return the rows of a list like ``ask_us_p50,spawn_ms``."""
    known = {row.name: row for row in ROWS}
    unknown = [name for name in text.split(",") if name not in known]
    if unknown:
        msg = f"no row {unknown[0]!r}; there are {', '.join(known)}"
        raise argparse.ArgumentTypeError(msg)
    return tuple(known[name] for name in text.split(","))


def at_least_one(text: str) -> int:
    """Return a number of rounds."""
    if not text.isdecimal() or int(text) < 1:
        msg = f"{text!r} is not a number of rounds"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def measure(
    rows: Sequence[Row], rounds: int, cores: Cores
) -> dict[str, dict[str, list[float]]]:
    """Return what each round gave, by row, then by system.

    The systems take turns within a round, so that whatever else the machine does hits all of them.
    """
    samples: dict[str, dict[str, list[float]]] = {row.name: {} for row in rows}
    for number in range(rounds):
        for name in dict.fromkeys(row.measure for row in rows):
            for system, measures in SYSTEMS.items():
                if name in measures:
                    what = f"round {number + 1} of {rounds}: {name}, {system}"
                    say(what)
                    with time_limit(what):
                        values = measures[name](cores)
                    for row in values.keys() & samples.keys():
                        samples[row].setdefault(system, []).append(values[row])
    say("")
    return samples


def say(what: str) -> None:
    """Show what is going on to somebody who watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def placement(cores: Cores) -> str:
    """Return where the two ends ran."""
    if cores.near is None:
        return "ends not pinned"
    return f"ends on cores {cores.near} and {cores.far}"
