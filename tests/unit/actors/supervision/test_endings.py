"""The time that the end, or the start, of a process may take."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from actors.supervision.alarms import Alarms
from actors.supervision.endings import Endings


def test_start_is_timed_from_when_there_is_a_process() -> None:
    """Its order may have waited behind many others."""
    alarms = Alarms()
    options = SimpleNamespace(init_timeout=5.0)
    child: Any = SimpleNamespace(number=7, born=time.monotonic() - 60, options=options)
    before = time.monotonic()

    Endings(cast("Any", None), alarms, lambda _: None).limit_start(child)

    due = alarms.next_due()
    assert due is not None
    assert before + 5 <= due <= time.monotonic() + 5
