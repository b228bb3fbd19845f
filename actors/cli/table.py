"""Tables, trees and quantities as text.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

GAP = "  "
MIN_FLEXIBLE = 8  # columns that a cell which may be cut keeps
_UNITS = ("B", "K", "M", "G", "T")


@attrs.frozen
class Column:
    """A column of a table.

    Attributes:
        title: Above it.
        is_number: It is aligned at its end.
        is_flexible: It is cut where the line would be too long.
    """

    title: str
    is_number: bool = False
    is_flexible: bool = False


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> list[str]:
    """Return the lines of a table.

    Args:
        columns: Of each row, in order.
        rows: The cells.
        width: What a line may take; None for whatever it needs.
    """
    cells = [[column.title for column in columns], *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        widths = _fitted(columns, widths, width)
    return [_line(columns, row, widths) for row in cells]


def _fitted(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Take from the widest flexible column until the line fits, or nothing is left to be taken."""
    widths = list(widths)
    flexible = [at for at, column in enumerate(columns) if column.is_flexible]
    while flexible and sum(widths) + len(GAP) * (len(widths) - 1) > width:
        widest = max(flexible, key=lambda at: widths[at])
        if widths[widest] <= MIN_FLEXIBLE:
            break
        widths[widest] -= 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[str], widths: list[int]) -> str:
    cells = []
    for column, text, width in zip(columns, row, widths, strict=True):
        fitted = cut(text, width)
        cells.append(fitted.rjust(width) if column.is_number else fitted.ljust(width))
    return GAP.join(cells).rstrip()


def cut(text: str, width: int | None) -> str:
    """Return *text*, with dots at its end if it is longer than *width*."""
    return (
        text if width is None or len(text) <= width else text[: max(0, width - 1)] + "…"
    )


def seconds(value: float | None) -> str:
    """Return a duration for people: the largest unit of which there is one, ``-`` for None."""
    if value is None:
        return "-"
    if value < 0.9995:
        return f"{value * 1000:.0f}ms"
    if value < 99.95:
        return f"{value:.1f}s"
    for unit, size, limit in (
        ("s", 1, 600),
        ("min", 60, 5 * 3600),
        ("h", 3600, 172_800),
    ):
        if value < limit:
            return f"{value / size:.0f}{unit}"
    return f"{value / 86_400:.0f}d"


def size(value: int) -> str:
    """Return a number of bytes for people, in powers of 1024."""
    amount = float(value)
    for unit in _UNITS[:-1]:
        if amount < 999.5:
            return f"{amount:.0f}{unit}"
        amount /= 1024
    return f"{amount:.0f}{_UNITS[-1]}"
