"""From measured values to the table and the JSON object."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from tests.bench.rows import Row

OURS = "ours"

# Of every round: by row, then by system.
Samples = Mapping[str, Mapping[str, Sequence[float]]]


def medians(samples: Samples) -> dict[str, dict[str, float]]:
    """Return the median of the rounds, by row, then by system."""
    return {
        row: {system: statistics.median(values) for system, values in systems.items()}
        for row, systems in samples.items()
    }


def to_json(samples: Samples) -> dict[str, float]:
    """Return the medians under ``<row>.<system>``."""
    return {
        f"{row}.{system}": value
        for row, systems in medians(samples).items()
        for system, value in systems.items()
    }


def to_table(rows: Sequence[Row], systems: Sequence[str], samples: Samples) -> str:
    """Return the medians as a table, and how many times better than each other system we are."""
    values = medians(samples)
    lines = [["", *systems]]
    for row in rows:
        found = values.get(row.name, {})
        cells = [_cell(row, found, system) for system in systems]
        lines.append([row.meaning, *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(line, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
    return "  ".join(cells).rstrip()


def _cell(row: Row, found: Mapping[str, float], system: str) -> str:
    if system not in found:
        return "-"
    value = found[system]
    if system == OURS or OURS not in found:
        return _number(value)
    return f"{_number(value)} ({times_better(row, found[OURS], value):.2g}x)"


def times_better(row: Row, ours: float, theirs: float) -> float:
    """Return how many times better we are; below 1 we are worse."""
    return ours / theirs if row.is_rate else theirs / ours


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
