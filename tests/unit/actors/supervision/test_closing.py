"""What the supervisor says at its end."""

from __future__ import annotations

from actors.runtime import reports
from actors.supervision.closing import MAX_COUNTS_BYTES, shortened


def test_few_counts_are_told_as_they_are() -> None:
    counts = {"counter": 2, "gateway": 1}

    assert shortened(counts) == counts


def test_counts_without_room_are_told_together() -> None:
    counts = {f"{number}{'é' * 100}": 2 for number in range(1000)}

    told = shortened(counts)

    assert sum(told.values()) == 2000
    assert told["others"] < 2000 or len(told) == 1
    assert len(reports.to_bytes(told)) < 2 * MAX_COUNTS_BYTES
