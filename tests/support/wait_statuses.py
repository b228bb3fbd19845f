"""Wait statuses, as the kernel gives them for a process that has ended."""

from __future__ import annotations


def exited(code: int) -> int:
    return code << 8


def died(number: int, *, core: bool = False) -> int:
    return number | (0x80 if core else 0)
