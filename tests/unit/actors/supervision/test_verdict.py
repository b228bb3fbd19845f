from __future__ import annotations

import os
import signal

import attrs
import pytest

from actors import goodbye
from actors.exits import ExitKind, ExitReason
from actors.supervision.verdict import classify
from tests.support.exit_reasons import (
    INFO,
    LINKED,
    NORMAL,
    RAISED,
    SHUTDOWN,
    SILENT,
    TOO_LATE,
)
from tests.support.wait_statuses import died, exited


def test_classify_reports_the_signal_that_killed_a_real_child() -> None:
    pid = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60")
    os.kill(pid, signal.SIGKILL)

    _, status = os.waitpid(pid, 0)

    assert classify(status, None) == ExitReason(ExitKind.SIGNAL, signal="SIGKILL")


def test_classify_calls_an_unreported_zero_exit_of_a_real_child_abnormal() -> None:
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")

    _, status = os.waitpid(pid, 0)

    assert classify(status, None) == ExitReason(ExitKind.EXIT_CODE, exit_code=0)


@pytest.mark.parametrize("status", [0x137F, 0xFFFF], ids=["stopped", "continued"])
def test_classify_refuses_the_status_of_a_living_process(status: int) -> None:
    with pytest.raises(ValueError, match=r"process|invalid"):
        classify(status, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (exited(3), ExitReason(ExitKind.EXIT_CODE, exit_code=3, during="A.b")),
        (
            died(11, core=True),
            ExitReason(ExitKind.SIGNAL, signal="SIGSEGV", core=True, during="A.b"),
        ),
        (died(15), ExitReason(ExitKind.SIGNAL, signal="SIGTERM", during="A.b")),
        (died(40), ExitReason(ExitKind.SIGNAL, signal="SIGRTMIN+6", during="A.b")),
    ],
)
def test_death_without_goodbye_is_what_the_kernel_says(
    status: int, expected: ExitReason
) -> None:
    assert classify(status, None, during="A.b") == expected


@pytest.mark.parametrize(
    ("status", "goodbye", "kind"),
    [
        (exited(0), NORMAL, "normal"),
        (exited(0), SHUTDOWN, "shutdown"),
        (exited(0), INFO, "shutdown_info"),
        (exited(1), RAISED, "exception"),
        (exited(0), RAISED, "exception"),
        (exited(0), goodbye.from_system_exit(SystemExit(256)), "exit_code"),
        (died(15), SHUTDOWN, "shutdown"),
        (died(15), NORMAL, "normal"),
        # The record survives what happens to the process after it.
        (died(9), RAISED, "exception"),
        (died(11), RAISED, "exception"),
        # A clean end that crashed on its way out was none.
        (exited(3), NORMAL, "exit_code"),
        (died(11), NORMAL, "signal"),
        (died(9), SHUTDOWN, "signal"),
        (died(9), INFO, "signal"),
    ],
)
def test_goodbye_holds_unless_a_clean_one_is_followed_by_a_crash(
    status: int, goodbye: ExitReason, kind: str
) -> None:
    assert classify(status, goodbye).kind == kind


def test_goodbye_that_does_not_hold_is_kept_underneath() -> None:
    reason = classify(died(11), NORMAL, during="A.b")

    assert reason == ExitReason(
        ExitKind.SIGNAL, signal="SIGSEGV", during="A.b", inner=NORMAL
    )


def test_abnormal_goodbye_is_completed_by_what_the_kernel_says() -> None:
    reason = classify(died(6, core=True), RAISED, during="A.b")

    assert reason == attrs.evolve(RAISED, signal="SIGABRT", core=True, during="A.b")


@pytest.mark.parametrize("goodbye", [NORMAL, SHUTDOWN], ids=lambda value: value.kind)
def test_clean_goodbye_while_stopping_is_the_stop_that_was_asked_for(
    goodbye: ExitReason,
) -> None:
    reason = classify(exited(0), goodbye, stopping=True)

    assert reason == ExitReason(ExitKind.SHUTDOWN, exit_code=0, requested=True)


def test_shutdown_that_nobody_in_the_tree_asked_for_is_not_requested() -> None:
    assert not classify(exited(0), SHUTDOWN).requested


def test_normal_end_remembers_that_it_was_requested() -> None:
    goodbye = ExitReason(ExitKind.NORMAL, requested=True)

    assert classify(exited(0), goodbye).requested


def test_death_by_sigterm_while_stopping_is_a_shutdown() -> None:
    reason = classify(died(15), None, stopping=True)

    assert reason == ExitReason(ExitKind.SHUTDOWN, signal="SIGTERM", requested=True)


@pytest.mark.parametrize(
    ("status", "goodbye", "kind"),
    [
        (exited(1), RAISED, "exception"),
        (exited(0), INFO, "shutdown_info"),
        (exited(0), None, "exit_code"),
        (died(9), None, "signal"),
        (died(11), SHUTDOWN, "signal"),
    ],
)
def test_any_other_death_while_stopping_keeps_its_own_reason(
    status: int, goodbye: ExitReason | None, kind: str
) -> None:
    assert classify(status, goodbye, stopping=True).kind == kind


# Rule (a): cause before signal.

CAUSES = {
    "killed": ("SIGKILL",),
    "supervisor_died": ("SIGKILL",),
    "heartbeat_lost": ("SIGABRT", "SIGSEGV", "SIGKILL"),
    "handler_timeout": ("SIGABRT", "SIGSEGV", "SIGKILL"),
    "init_timeout": ("SIGABRT", "SIGSEGV", "SIGKILL"),
    "control_lost": ("SIGTERM", "SIGKILL"),
    "linked": ("SIGTERM", "SIGKILL"),
}


@pytest.mark.parametrize("name", ["SIGABRT", "SIGKILL", "SIGTERM", "SIGSEGV", "SIGILL"])
@pytest.mark.parametrize("kind", CAUSES)
def test_cause_wins_exactly_when_its_signals_can_have_killed(
    kind: str, name: str
) -> None:
    cause = ExitReason(ExitKind(kind))

    reason = classify(died(signal.Signals[name]), None, cause=cause)

    assert reason.kind == (kind if name in CAUSES[kind] else "signal")
    assert reason.signal == name


def test_overtaken_cause_is_told_with_the_reason_that_overtook_it() -> None:
    reason = classify(died(4), None, cause=SILENT, during="Counter.add")

    assert reason == ExitReason(
        ExitKind.SIGNAL,
        signal="SIGILL",
        cause="heartbeat_lost",
        during="gave no sign of life while running Counter.add",
    )


def test_overtaken_cause_tells_of_the_message_it_was_about() -> None:
    cause = ExitReason(ExitKind.HANDLER_TIMEOUT, during="Shop.order")

    reason = classify(died(4), None, cause=cause, during="Counter.add")

    assert reason.during == "took too long while running Shop.order"


def test_exit_in_the_moment_of_our_kill_is_an_exit() -> None:
    reason = classify(exited(0), NORMAL, cause=TOO_LATE, stopping=True)

    assert reason.kind is ExitKind.SHUTDOWN
    assert reason.cause == "shutdown_timeout"


def test_kill_at_the_deadline_wins_over_the_honoured_stop() -> None:
    reason = classify(died(9), SHUTDOWN, cause=TOO_LATE, stopping=True, during="A.b")

    assert reason == attrs.evolve(TOO_LATE, signal="SIGKILL", during="A.b")


@pytest.mark.parametrize("goodbye", [NORMAL, INFO, RAISED], ids=lambda r: r.kind)
def test_end_by_itself_keeps_its_reason_when_it_is_killed_for_lingering(
    goodbye: ExitReason,
) -> None:
    reason = classify(died(9), goodbye, cause=TOO_LATE)

    assert reason == attrs.evolve(goodbye, signal="SIGKILL")


def test_end_by_itself_that_lingers_into_a_stop_is_that_stop() -> None:
    reason = classify(died(9), NORMAL, cause=TOO_LATE, stopping=True)

    assert reason.kind is ExitKind.SHUTDOWN


@pytest.mark.parametrize("goodbye", [SHUTDOWN, None], ids=["honoured", "died"])
def test_cause_that_sends_sigterm_wins_over_both_results_of_it(
    goodbye: ExitReason | None,
) -> None:
    status = exited(0) if goodbye else died(15)

    assert classify(status, goodbye, cause=LINKED).kind is ExitKind.LINKED


def test_end_by_itself_in_the_moment_of_a_sigterm_is_an_end_by_itself() -> None:
    assert classify(exited(0), NORMAL, cause=LINKED).kind is ExitKind.NORMAL


def test_cause_that_names_its_message_keeps_it() -> None:
    cause = ExitReason(ExitKind.HANDLER_TIMEOUT, during="Shop.order")

    assert classify(died(6), None, cause=cause, during="x").during == "Shop.order"


@pytest.mark.parametrize(
    ("status", "cause", "kind"),
    [
        (died(9), None, "oom_kill"),
        (died(9), TOO_LATE, "killed"),
        (died(11), None, "signal"),
        (exited(0), None, "exit_code"),
    ],
)
def test_memory_is_to_blame_only_for_a_sigkill_that_is_not_ours(
    status: int, cause: ExitReason | None, kind: str
) -> None:
    assert classify(status, None, cause=cause, oom_kill=True).kind == kind
