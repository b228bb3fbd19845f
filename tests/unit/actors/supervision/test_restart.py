from __future__ import annotations

import pytest

from actors.exits import ExitKind, ExitReason
from actors.supervision.restart import Decision, RestartType, decide

CLEAN = [
    ExitKind.NORMAL,
    ExitKind.SHUTDOWN,
    ExitKind.SHUTDOWN_INFO,
    ExitKind.AUTO_SHUTDOWN,
]
ABNORMAL = [kind for kind in ExitKind if kind not in {*CLEAN, ExitKind.NOPROC}]


@pytest.mark.parametrize("kind", [*CLEAN, *ABNORMAL])
def test_permanent_child_restarts_after_every_end(kind: ExitKind) -> None:
    assert decide(RestartType.PERMANENT, ExitReason(kind)) is Decision.RESTART


@pytest.mark.parametrize("kind", ABNORMAL)
def test_transient_child_restarts_after_an_abnormal_end(kind: ExitKind) -> None:
    assert decide(RestartType.TRANSIENT, ExitReason(kind)) is Decision.RESTART


@pytest.mark.parametrize("kind", CLEAN)
def test_transient_child_stays_down_after_a_clean_end(kind: ExitKind) -> None:
    assert decide(RestartType.TRANSIENT, ExitReason(kind)) is Decision.END


@pytest.mark.parametrize("kind", [*CLEAN, *ABNORMAL])
def test_temporary_child_is_forgotten_after_every_end(kind: ExitKind) -> None:
    assert decide(RestartType.TEMPORARY, ExitReason(kind)) is Decision.REMOVE


@pytest.mark.parametrize("kind", [ExitKind.SHUTDOWN, ExitKind.SIGNAL])
@pytest.mark.parametrize("asked", [{"stopping": True}, {"final": True}], ids=str)
@pytest.mark.parametrize(
    ("restart_type", "decision"),
    [
        (RestartType.PERMANENT, Decision.END),
        (RestartType.TRANSIENT, Decision.END),
        (RestartType.TEMPORARY, Decision.REMOVE),
    ],
)
def test_no_child_restarts_when_its_end_was_asked_for(
    restart_type: RestartType,
    decision: Decision,
    asked: dict[str, bool],
    kind: ExitKind,
) -> None:
    assert decide(restart_type, ExitReason(kind), **asked) is decision


def test_restart_type_may_be_given_as_the_word_of_an_option() -> None:
    assert decide("permanent", ExitReason(ExitKind.NORMAL)) is Decision.RESTART
