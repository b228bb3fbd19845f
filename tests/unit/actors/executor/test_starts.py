"""What the failed start of a worker means for its executor."""

from __future__ import annotations

import pytest

from actors.executor import starts
from actors.exits import ExitKind, ExitReason

RAISED = ExitReason(ExitKind.FAILED_TO_START)
DIED = ExitReason(ExitKind.SIGNAL, signal="SIGKILL")


def test_an_initializer_that_raises_breaks_an_executor_without_workers() -> None:
    assert starts.delay_after(RAISED, failures=1, others=0) is None


@pytest.mark.parametrize(
    ("failures", "delay"), [(1, 0.1), (2, 0.2), (starts.MAX_FAILURES, None)]
)
def test_a_start_that_dies_is_tried_again_so_often_without_workers(
    failures: int, delay: float | None
) -> None:
    assert starts.delay_after(DIED, failures, others=0) == delay


@pytest.mark.parametrize("reason", [RAISED, DIED], ids=["raised", "died"])
def test_a_start_is_tried_again_for_ever_while_others_work(reason: ExitReason) -> None:
    assert starts.delay_after(reason, failures=1, others=1) == 0.1
    assert starts.delay_after(reason, failures=100, others=1) == 30.0
