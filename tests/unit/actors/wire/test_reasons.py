from __future__ import annotations

import json
import random

import attrs
import pytest

from actors import goodbye
from actors.exits import ExitKind, ExitReason
from actors.wire import reasons
from tests.support.exit_reasons import NORMAL, RAISED

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


# JSON.


def test_reason_survives_the_way_through_json_with_every_field() -> None:
    text = json.dumps(reasons.to_json(EVERYTHING))

    assert reasons.from_json(json.loads(text)) == EVERYTHING


def test_example_for_json_has_a_value_in_every_field() -> None:
    unset = [
        field.name
        for field in attrs.fields(ExitReason)
        if field.default == getattr(EVERYTHING, field.name)
    ]

    assert unset == []


def test_json_leaves_out_what_is_not_known() -> None:
    assert reasons.to_json(NORMAL) == {"kind": "normal"}


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

    reason = reasons.from_json(facts)

    assert reason == ExitReason(ExitKind.SIGNAL, signal="SIGKILL", notes=("kept",))


@pytest.mark.parametrize("facts", [{}, {"kind": "sulking"}, {"kind": None}], ids=str)
def test_json_without_a_kind_that_we_know_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a valid ExitKind"):
        reasons.from_json(facts)


def test_json_is_bounded_and_says_so() -> None:
    reason = ExitReason(ExitKind.EXCEPTION, message="x" * 1_000_000)

    facts = reasons.to_json(reason)

    assert len(facts["message"]) == 4096
    assert facts["truncated"] is True


@pytest.mark.parametrize("divisor", [1, 16, 64])
def test_what_is_short_stays_whole_however_much_the_rest_is_cut(divisor: int) -> None:
    """The reason of an actor that had ended a while ago was told as 'killed by SI'."""
    reason = ExitReason(
        ExitKind.SIGNAL, signal="SIGVTALRM", cause="shutdown_timeout", dump="x" * 10**6
    )

    kept = reasons.bounded(reason, divisor)

    assert (kept.signal, kept.cause) == ("SIGVTALRM", "shutdown_timeout")
    assert len(kept.dump or "") <= 16 * 1024 // divisor


def test_many_notes_are_cut_to_the_first_ones() -> None:
    reason = ExitReason(ExitKind.EXCEPTION, notes=("short",) * 100)

    facts = reasons.to_json(reason)

    assert facts["notes"] == ["short"] * 8
    assert facts["truncated"] is True


def test_deep_chain_in_json_is_read_as_far_as_it_may_travel() -> None:
    facts: dict[str, object] = {"kind": "normal"}
    for _ in range(5000):
        facts = {"kind": "linked", "inner": facts}

    reason = reasons.from_json(facts)
    depth, last = 0, reason
    while last.inner is not None:
        depth, last = depth + 1, last.inner

    assert depth == reasons.MAX_INNER
    assert last.truncated


def test_long_traceback_keeps_its_end() -> None:
    reason = ExitReason(ExitKind.EXCEPTION, traceback="x" * 100_000 + "ValueError")

    assert reasons.to_json(reason)["traceback"].endswith("xValueError")


# The goodbye record.


def test_goodbye_survives_the_way_through_bytes() -> None:
    assert reasons.from_bytes(reasons.to_bytes(EVERYTHING)) == EVERYTHING


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

    data = reasons.to_bytes(reason)
    read = reasons.from_bytes(data)

    assert len(data) <= reasons.MAX_BYTES
    assert read is not None
    assert read.kind is ExitKind.LINKED
    assert read.truncated
    assert read.message is not None
    assert len(read.message) >= 64


def test_goodbye_of_a_bare_exception_is_far_from_the_bound() -> None:
    reason = goodbye.from_exception(ValueError("x"))

    assert len(reasons.to_bytes(reason)) < 200


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
        b'{"kind": "normal"}' + b" " * reasons.MAX_BYTES,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_garbage_is_no_goodbye(data: bytes) -> None:
    assert reasons.from_bytes(data) is None


def test_half_a_goodbye_is_none_wherever_it_was_cut() -> None:
    data = reasons.to_bytes(EVERYTHING)

    read = [reasons.from_bytes(data[:length]) for length in range(len(data))]

    assert read == [None] * len(data)


def test_altered_goodbye_never_raises() -> None:
    rng = random.Random(5)
    data = reasons.to_bytes(EVERYTHING)

    for _ in range(2000):
        altered = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            altered[rng.randrange(len(data))] = rng.randrange(256)
        read = reasons.from_bytes(bytes(altered))

        assert read is None or str(read).isprintable()
