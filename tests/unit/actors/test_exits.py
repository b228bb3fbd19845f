from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import tracemalloc

import attrs
import pytest

from actors import exits, goodbye
from actors.exits import ExitKind, ExitReason
from actors.supervision.verdict import classify

CLEAN = {"normal", "shutdown", "shutdown_info", "auto_shutdown"}

NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)
INFO = ExitReason(ExitKind.SHUTDOWN_INFO, message="done for today")
RAISED = ExitReason(ExitKind.EXCEPTION, exc_type="ValueError", message="bad order id")
TOO_LATE = ExitReason(ExitKind.KILLED, cause="shutdown_timeout")
SILENT = ExitReason(ExitKind.HEARTBEAT_LOST)
LINKED = ExitReason(ExitKind.LINKED, child_id="b")

EVERYTHING = ExitReason(
    ExitKind.INTENSITY_EXCEEDED,
    incarnation=3,
    pid=4711,
    exit_code=70,
    signal="SIGSEGV",
    core=True,
    cause="api",
    exc_type="ValueError",
    message="bad order id",
    traceback="Traceback ...",
    notes=("first", "second"),
    dump="Fatal Python error",
    uptime=1.5,
    during="Counter.add",
    requested=True,
    status="256",
    errno=12,
    child_id="worker",
    count=4,
    period=5.0,
    silent_for=30.5,
    stopped=True,
    oom="suspected",
    max_rss_bytes=2**34,
    cpu_seconds=1.25,
    truncated=True,
    inner=ExitReason(ExitKind.SIGNAL, signal="SIGKILL"),
)


def exited(code: int) -> int:
    return code << 8


def died(number: int, *, core: bool = False) -> int:
    return number | (0x80 if core else 0)


# Kinds.


@pytest.mark.parametrize("kind", ExitKind)
def test_kind_is_clean_when_the_actor_or_its_owner_chose_the_end(
    kind: ExitKind,
) -> None:
    assert exits.is_clean(kind) == (kind in CLEAN)
    assert ExitReason(kind).clean == (kind in CLEAN)


# JSON.


def test_reason_survives_the_way_through_json_with_every_field() -> None:
    text = json.dumps(EVERYTHING.to_json())

    assert exits.from_json(json.loads(text)) == EVERYTHING


def test_example_for_json_has_a_value_in_every_field() -> None:
    unset = [
        field.name
        for field in attrs.fields(ExitReason)
        if field.default == getattr(EVERYTHING, field.name)
    ]

    assert unset == []


def test_json_leaves_out_what_is_not_known() -> None:
    assert NORMAL.to_json() == {"kind": "normal"}


def test_json_with_unknown_keys_and_wrong_types_is_read_as_far_as_it_goes() -> None:
    facts = {
        "kind": "signal",
        "signal": "SIGKILL",
        "colour": "red",
        "pid": "4711",
        "exit_code": True,
        "core": 1,
        "uptime": [],
        "notes": ["kept", 5],
        "inner": "not a reason",
    }

    reason = exits.from_json(facts)

    assert reason == ExitReason(ExitKind.SIGNAL, signal="SIGKILL", notes=("kept",))


@pytest.mark.parametrize("facts", [{}, {"kind": "sulking"}, {"kind": None}], ids=str)
def test_json_without_a_kind_that_we_know_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a valid ExitKind"):
        exits.from_json(facts)


def test_json_is_bounded_and_says_so() -> None:
    reason = ExitReason(ExitKind.EXCEPTION, message="x" * 1_000_000)

    facts = reason.to_json()

    assert len(facts["message"]) == 4096
    assert facts["truncated"] is True


@pytest.mark.parametrize("divisor", [1, 16, 64])
def test_what_is_short_stays_whole_however_much_the_rest_is_cut(divisor: int) -> None:
    """The reason of an actor that had ended a while ago was told as 'killed by SI'."""
    reason = ExitReason(
        ExitKind.SIGNAL, signal="SIGVTALRM", cause="shutdown_timeout", dump="x" * 10**6
    )

    kept = exits.bounded(reason, divisor)

    assert (kept.signal, kept.cause) == ("SIGVTALRM", "shutdown_timeout")
    assert len(kept.dump or "") <= 16 * 1024 // divisor


def test_many_notes_are_cut_to_the_first_ones() -> None:
    reason = ExitReason(ExitKind.EXCEPTION, notes=("short",) * 100)

    facts = reason.to_json()

    assert facts["notes"] == ["short"] * 8
    assert facts["truncated"] is True


def test_deep_chain_in_json_is_read_as_far_as_it_may_travel() -> None:
    facts: dict[str, object] = {"kind": "normal"}
    for _ in range(5000):
        facts = {"kind": "linked", "inner": facts}

    reason = exits.from_json(facts)
    depth, last = 0, reason
    while last.inner is not None:
        depth, last = depth + 1, last.inner

    assert depth == exits.MAX_INNER
    assert last.truncated


def test_long_traceback_keeps_its_end() -> None:
    reason = ExitReason(ExitKind.EXCEPTION, traceback="x" * 100_000 + "ValueError")

    assert reason.to_json()["traceback"].endswith("xValueError")


# The goodbye record.


def test_goodbye_survives_the_way_through_bytes() -> None:
    assert exits.from_bytes(EVERYTHING.to_bytes()) == EVERYTHING


@pytest.mark.parametrize("char", ["x", "\0", "\N{SNOWMAN}", "\ud800"], ids=ascii)
def test_goodbye_is_bounded_whatever_its_texts_hold(char: str) -> None:
    text = char * 100_000
    reason = RAISED
    for _ in range(20):
        reason = ExitReason(
            ExitKind.LINKED,
            message=text,
            traceback=text,
            dump=text,
            notes=(text,) * 100,
            inner=reason,
        )

    data = reason.to_bytes()
    read = exits.from_bytes(data)

    assert len(data) <= exits.MAX_BYTES
    assert read is not None
    assert read.kind is ExitKind.LINKED
    assert read.truncated
    assert read.message is not None
    assert len(read.message) >= 64


def test_goodbye_of_a_bare_exception_is_far_from_the_bound() -> None:
    reason = goodbye.from_exception(ValueError("x"))

    assert len(reason.to_bytes()) < 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        b"null",
        b"[]",
        b'{"kind": "nor',
        b'{"kind": "sulking"}',
        b"{}",
        b"\xff\xfe\xfd",
        b"[" * 50_000,
        b'{"kind": "normal", "pid": ' + b"9" * 5000 + b"}",
        b'{"kind": "normal"}' + b" " * exits.MAX_BYTES,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_garbage_is_no_goodbye(data: bytes) -> None:
    assert exits.from_bytes(data) is None


def test_half_a_goodbye_is_none_wherever_it_was_cut() -> None:
    data = EVERYTHING.to_bytes()

    read = [exits.from_bytes(data[:length]) for length in range(len(data))]

    assert read == [None] * len(data)


def test_altered_goodbye_never_raises() -> None:
    rng = random.Random(5)
    data = EVERYTHING.to_bytes()

    for _ in range(2000):
        altered = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            altered[rng.randrange(len(data))] = rng.randrange(256)
        read = exits.from_bytes(bytes(altered))

        assert read is None or str(read).isprintable()


# Exceptions.


def caught(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301 - only a raised exception has a traceback
    except BaseException as exc:  # noqa: BLE001 - any exception may be asked for
        return exc


def test_goodbye_tells_what_was_raised_and_where() -> None:
    error = ValueError("bad order id")
    error.add_note("order 7")

    reason = goodbye.from_exception(caught(error), during="Shop.order")

    assert reason.kind is ExitKind.EXCEPTION
    assert reason.exc_type == "ValueError"
    assert reason.message == "bad order id"
    assert reason.notes == ("order 7",)
    assert reason.during == "Shop.order"
    assert not reason.truncated
    assert reason.traceback is not None
    assert reason.traceback.endswith("ValueError: bad order id\norder 7\n")
    assert "in caught" in reason.traceback


def test_goodbye_tells_the_whole_chain_and_every_member_of_a_group() -> None:
    error = ExceptionGroup("both", [KeyError("left"), TypeError("right")])
    error.__cause__ = OSError("below")

    text = goodbye.from_exception(caught(error)).traceback

    assert text is not None
    assert all(word in text for word in ("below", "left", "right", "direct cause"))


class Unprintable(Exception):  # noqa: N818 - as short as a user's
    def __str__(self) -> str:
        msg = "no text"
        raise RuntimeError(msg)


class Exiting(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        raise SystemExit(3)


class WrongType(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 - the point


class Endless(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        return str(self)


class Sly(str):
    __slots__ = ()

    def __getitem__(self, key: object) -> str:
        msg = "no slices"
        raise MemoryError(msg)


class Slyly(Exception):  # noqa: N818 - named for what it does
    def __str__(self) -> str:
        return Sly("sly")


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]  # the point
        msg = "no name"
        raise AttributeError(msg)


class WithoutName(Exception, metaclass=Nameless):  # noqa: N818 - named for what it does
    pass


class BadNotes(Exception):  # noqa: N818 - named for what it does
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]  # the point
        msg = "no notes"
        raise RuntimeError(msg)


@pytest.mark.parametrize(
    "error",
    [
        Unprintable(),
        Exiting(),
        WrongType(),
        Endless(),
        Slyly(),
        WithoutName(),
        BadNotes(),
        MemoryError(),
        KeyboardInterrupt(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "\ud800"),
    ],
    ids=lambda error: type.__dict__["__name__"].__get__(type(error)),
)
def test_goodbye_is_made_of_whatever_was_raised(error: BaseException) -> None:
    reason = goodbye.from_exception(caught(error), during="Shop.order")

    assert reason.kind is ExitKind.EXCEPTION
    assert reason.during == "Shop.order"
    assert exits.from_bytes(reason.to_bytes()) == reason
    assert str(reason).isprintable()


def test_text_that_is_a_strange_string_is_kept_as_a_plain_one() -> None:
    reason = goodbye.from_exception(caught(Slyly()))

    assert reason.message == "sly"
    assert type(reason.message) is str


def test_goodbye_keeps_type_and_place_when_the_text_cannot_be_made() -> None:
    reason = goodbye.from_exception(caught(Unprintable()))

    assert reason.exc_type == "Unprintable"
    assert reason.message == "<its text could not be made>"
    assert reason.traceback is not None
    assert "in caught" in reason.traceback


def recurse(depth: int) -> None:
    if depth % 2:
        recurse(depth - 1)  # two lines take turns, so nothing can be folded
    recurse(depth - 1)


def test_goodbye_of_a_runaway_recursion_keeps_the_innermost_frames() -> None:
    with pytest.raises(RecursionError) as raised:
        recurse(10_000)

    reason = goodbye.from_exception(raised.value)

    assert reason.exc_type == "RecursionError"
    assert reason.truncated
    assert reason.traceback is not None
    assert reason.traceback.count(" in recurse\n") in range(50, 101)


def test_goodbye_of_a_chain_without_end_is_made_of_its_last_exception() -> None:
    error = ValueError("first")
    for number in range(5000):
        error, error.__cause__ = ValueError(str(number)), error

    reason = goodbye.from_exception(caught(error))

    assert reason.message == "4999"
    assert reason.truncated


def test_goodbye_of_a_chain_that_bites_its_tail_is_made() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    reason = goodbye.from_exception(first)

    assert reason.message == "first"


def test_goodbye_needs_no_memory_in_proportion_to_the_failure() -> None:
    error = ValueError("x" * (16 << 20))
    error.add_note("y" * (16 << 20))
    raised = caught(error)
    tracemalloc.start()

    try:
        reason = goodbye.from_exception(raised)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1 << 20
    assert reason.message == "x" * 4096
    assert reason.notes == ("y" * 1024,)
    assert reason.truncated
    assert reason.traceback is not None
    assert "in caught" in reason.traceback


def test_goodbye_is_made_when_memory_is_short() -> None:
    """A failed allocation while formatting must not hide what was raised."""
    script = """
import resource
from actors import exits, goodbye

error = ValueError("x" * 30_000)
try:
    raise error
except ValueError as exc:
    hoard, size = [], 1 << 20
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
    while size:
        try:
            hoard.append(bytearray(size))
        except MemoryError:
            size //= 2
    reason = goodbye.from_exception(exc, during="Shop.order")
    del hoard
print(reason.kind, reason.exc_type, reason.during)
"""

    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == "exception ValueError Shop.order\n"


@pytest.mark.parametrize("code", [None, 0, False])
def test_system_exit_without_a_failure_is_normal(code: int | None) -> None:
    assert goodbye.from_exception(SystemExit(code)) == NORMAL


@pytest.mark.parametrize(
    ("code", "kept", "status"),
    [
        (3, 3, "3"),
        (256, 0, "256"),
        (-1, 255, "-1"),
        (True, 1, "True"),
        ("no disk", 1, "no disk"),
        (Unprintable(), 1, "<Unprintable>"),
        (10**5000, 0, "<int>"),
    ],
    ids=["3", "256", "-1", "True", "text", "unprintable", "huge"],
)
def test_system_exit_with_a_failure_keeps_its_value(
    code: object, kept: int, status: str
) -> None:
    error = SystemExit(code)

    reason = goodbye.from_system_exit(error, during="Shop.order")

    assert reason == ExitReason(
        ExitKind.EXIT_CODE, exit_code=kept, status=status, during="Shop.order"
    )


# Which story wins.


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
