from __future__ import annotations

import errno

import attrs
import pytest

from actors import exits, goodbye
from actors.exits import ExitKind, ExitReason
from actors.supervision.verdict import classify
from tests.support.exit_reasons import INFO, NORMAL, RAISED, SHUTDOWN, SILENT, TOO_LATE
from tests.support.wait_statuses import died, exited

CLEAN = {"normal", "shutdown", "shutdown_info", "auto_shutdown"}


# Kinds.


@pytest.mark.parametrize("kind", ExitKind)
def test_kind_is_clean_when_the_actor_or_its_owner_chose_the_end(
    kind: ExitKind,
) -> None:
    assert exits.is_clean(kind) == (kind in CLEAN)
    assert ExitReason(kind).clean == (kind in CLEAN)


# One line for people.


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (NORMAL, "stopped"),
        (attrs.evolve(SHUTDOWN, requested=True), "stopped on request"),
        (SHUTDOWN, "stopped by SIGTERM that nobody in the tree had sent"),
        (INFO, "stopped: done for today"),
        (RAISED, "raised ValueError: bad order id"),
        (ExitReason(ExitKind.EXCEPTION, exc_type="KeyError"), "raised KeyError"),
        (TOO_LATE, "killed because it did not stop in time"),
        (ExitReason(ExitKind.KILLED, cause="x"), "killed by its supervisor (x)"),
        (
            classify(died(9), None, during="Counter.add"),
            "killed by SIGKILL while running Counter.add",
        ),
        (classify(died(11, core=True), None), "killed by SIGSEGV (core dumped)"),
        (
            classify(died(4), None, cause=SILENT, during="Counter.add"),
            (
                "killed by SIGILL while being ended "
                "(gave no sign of life while running Counter.add)"
            ),
        ),
        (
            classify(exited(0), None),
            "exited with code 0 without saying goodbye (os._exit?)",
        ),
        (
            classify(exited(3), NORMAL),
            "exited with code 3 after its goodbye; it had said: stopped",
        ),
        (
            goodbye.from_system_exit(SystemExit(256)),
            "exited with SystemExit(256)",
        ),
        (
            classify(died(9), None, oom_kill=True),
            "killed by the kernel because memory ran out",
        ),
        (
            ExitReason(ExitKind.HANDLER_TIMEOUT, during="Shop.order"),
            "took too long while running Shop.order",
        ),
        (
            ExitReason(ExitKind.FAILED_TO_START, child_id="db", inner=RAISED),
            "failed to start: raised ValueError: bad order id",
        ),
        (
            ExitReason(ExitKind.SPAWN_ERROR, errno=errno.EAGAIN),
            "its process could not be started: Resource temporarily unavailable",
        ),
        (
            ExitReason(ExitKind.LINKED, child_id="b", inner=RAISED),
            (
                "ended because b, linked with it, had died: "
                "raised ValueError: bad order id"
            ),
        ),
        (
            ExitReason(
                ExitKind.INTENSITY_EXCEEDED,
                child_id="counter",
                count=4,
                period=5.0,
                inner=classify(died(9), None, during="Counter.add"),
            ),
            (
                "gave up after 4 crashes of counter in 5 s; last: "
                "killed by SIGKILL while running Counter.add"
            ),
        ),
        (
            ExitReason(ExitKind.INTENSITY_EXCEEDED, count=1),
            "gave up after 1 crash",
        ),
        (
            ExitReason(ExitKind.INIT_TIMEOUT, period=0.3),
            "was not ready within 0.3 s (init_timeout)",
        ),
        (ExitReason(ExitKind.NOPROC), "not running"),
    ],
)
def test_reason_is_told_in_one_line(reason: ExitReason, line: str) -> None:
    assert str(reason) == line


@pytest.mark.parametrize("kind", ExitKind)
def test_every_kind_is_told_in_one_line_without_any_detail(kind: ExitKind) -> None:
    line = str(ExitReason(kind))

    assert line.isprintable()
    assert "None" not in line


FOREIGN = "a\nb\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}\ud800{0}%s" + "x" * 10_000


@pytest.mark.parametrize("kind", ExitKind)
def test_foreign_text_is_escaped_and_cut_wherever_it_appears(kind: ExitKind) -> None:
    texts = dict.fromkeys(
        ("signal", "cause", "exc_type", "message", "during", "status", "child_id"),
        FOREIGN,
    )
    reason = ExitReason(kind, **texts)  # type: ignore[arg-type]  # all of them are texts

    line = str(reason)

    assert line.isprintable()
    assert len(line) < 3 * exits.MAX_SHOWN + 100


def test_a_repr_says_what_is_known_and_leaves_out_pages_of_text() -> None:
    reason = ExitReason(
        ExitKind.INTENSITY_EXCEEDED,
        count=4,
        inner=ExitReason(ExitKind.EXCEPTION, message="m", traceback="t", dump="d"),
    )

    assert repr(reason) == (
        "ExitReason('intensity_exceeded', count=4, inner=ExitReason('exception', message='m'))"
    )
