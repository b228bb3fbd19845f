from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from actors.errors import (
    ActorCrashedError,
    ActorNotFoundError,
    ActorStoppedError,
    AskTimeoutError,
    DecodeError,
    NameTakenError,
    SpawnError,
    SystemClosedError,
    UnhandledMessageError,
)
from actors.exits import ExitKind, ExitReason
from actors.pending import Pending
from actors.runtime import reports
from actors.runtime.lanes import ROOT
from actors.runtime.questions import Questions
from actors.runtime.withdrawn import Withdrawn
from actors.wire import reasons
from actors.wire.frame import Kind
from actors.wire.parcel import Opened
from tests.support.pages import new_page

KILLED = reasons.to_json(ExitReason(ExitKind.KILLED, cause="api"))


def loads(data: bytes | Opened) -> object:
    assert isinstance(data, bytes)
    if data == b"broken":
        raise DecodeError("broken")
    return pickle.loads(data)  # noqa: TID251 - what this test has dumped


@pytest.fixture
def withdrawn() -> Iterator[Withdrawn]:
    page = new_page()
    yield Withdrawn(page)
    page.close()


@pytest.fixture
def questions(withdrawn: Withdrawn) -> Questions:
    return Questions(3, 1, loads, withdrawn)


def ask(
    questions: Questions, timeout: float | None = None, number: int = 7
) -> Pending[Any]:
    pending: Pending[Any] = Pending()
    questions.describe(pending, number, "counter", "Counter.add", timeout)
    questions.number(pending)
    assert questions.enter(pending)
    return pending


def may_ask(questions: Questions, number: int = 7) -> bool:
    pending: Pending[Any] = Pending()
    questions.describe(pending, number, "counter", "Counter.add", None)
    questions.number(pending)
    is_open = questions.enter(pending)
    questions.leave(pending.corr)
    return is_open


def test_a_reply_settles_the_question_it_answers(questions: Questions) -> None:
    first, second = ask(questions), ask(questions)

    questions.settle(second.corr, Kind.REPLY, pickle.dumps([1]))

    assert second.result() == [1]
    assert not first.done()
    assert list(questions.open) == [first.corr]


@pytest.mark.parametrize(
    ("kind", "body"),
    [(Kind.ANSWER, b"{"), (Kind.ERROR, b""), (Kind.ERROR, b"\2\0\0\0{}")],
)
def test_an_answer_that_cannot_be_read_is_an_error_of_whoever_asked(
    questions: Questions, kind: Kind, body: bytes
) -> None:
    pending = ask(questions)

    questions.settle(pending.corr, kind, body)

    with pytest.raises(DecodeError, match="cannot be read"):
        pending.result()


def test_an_answer_of_the_root_is_json(questions: Questions) -> None:
    asked = ask(questions)

    questions.settle(asked.corr, Kind.ANSWER, reports.to_bytes({"number": 3}))

    assert asked.result() == {"number": 3}


def test_an_answer_that_comes_twice_or_to_nobody_is_dropped(
    questions: Questions,
) -> None:
    asked = ask(questions)

    questions.settle(asked.corr, Kind.REPLY, pickle.dumps(1))
    questions.settle(asked.corr, Kind.REPLY, pickle.dumps(2))
    questions.settle(99, Kind.REPLY, pickle.dumps(3))

    assert asked.result() == 1


def test_an_answer_that_does_not_decode_is_an_error(questions: Questions) -> None:
    asked = ask(questions)

    questions.settle(asked.corr, Kind.REPLY, b"broken")

    with pytest.raises(DecodeError):
        asked.result()


@pytest.mark.parametrize(
    ("kind", "facts", "error"),
    [
        (Kind.CRASHED, {"reason": KILLED, "attempt": 2, "begun": 0}, ActorCrashedError),
        (Kind.STOPPED, {"reason": KILLED}, ActorStoppedError),
        (Kind.UNHANDLED, {"text": "no such thing"}, UnhandledMessageError),
        (
            Kind.REFUSAL,
            {"error": "spawn", "name": "counter", "reason": KILLED},
            SpawnError,
        ),
        (Kind.REFUSAL, {"error": "name_taken", "text": "taken"}, NameTakenError),
        (Kind.REFUSAL, {"error": "not_found", "text": "none"}, ActorNotFoundError),
        (Kind.REFUSAL, {"error": "closing", "text": "late"}, SystemClosedError),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_failure_becomes_its_error(
    questions: Questions, kind: Kind, facts: dict[str, Any], error: type[Exception]
) -> None:
    asked = ask(questions)

    questions.settle(asked.corr, kind, reports.to_bytes(facts))

    with pytest.raises(error):
        asked.result()
    assert questions.open == {}


def test_a_crash_says_which_message_and_which_attempt(questions: Questions) -> None:
    asked = ask(questions)
    facts = {"reason": KILLED, "attempt": 2, "begun": 0}

    questions.settle(asked.corr, Kind.CRASHED, reports.to_bytes(facts))

    with pytest.raises(ActorCrashedError) as failure:
        asked.result()
    assert (failure.value.name, failure.value.method, failure.value.attempt) == (
        "counter",
        "Counter.add",
        2,
    )
    assert failure.value.reason.cause == "api"


def test_there_are_as_many_credits_as_allowed(questions: Questions) -> None:
    asked = [ask(questions) for _ in range(3)]
    assert not may_ask(questions)

    questions.settle(asked[0].corr, Kind.REPLY, pickle.dumps(None))

    assert may_ask(questions)


def test_an_actor_that_answers_nothing_leaves_credits_for_the_others(
    withdrawn: Withdrawn,
) -> None:
    """It held them all: no other actor could be asked any more."""
    questions = Questions(16, 1, loads, withdrawn)

    while may_ask(questions, 7):
        ask(questions, number=7)
    while may_ask(questions, 8):
        ask(questions, number=8)

    numbers = [pending.number for pending in questions.all()]
    assert (numbers.count(7), numbers.count(8)) == (12, 2)
    assert may_ask(questions, 9)


def test_requests_to_the_root_need_no_credit(questions: Questions) -> None:
    """They waited for one: an actor that hangs could not be killed, nor the system closed."""
    while may_ask(questions):
        ask(questions)

    request = ask(questions, number=ROOT)
    questions.settle(request.corr, Kind.ANSWER, b"{}")

    assert request.result() == {}
    assert not may_ask(questions)


def test_incarnations_number_their_questions_apart(withdrawn: Withdrawn) -> None:
    first, second = (Questions(1, n, loads, withdrawn) for n in (1, 2))

    assert first.number(Pending()) != second.number(Pending())


def test_an_overdue_question_fails_and_gives_its_credit_back(
    questions: Questions,
) -> None:
    late, kept = ask(questions, 0), ask(questions, 60)
    waiting: Pending[Any] = Pending()
    questions.describe(waiting, 7, "counter", "Counter.add", 0)

    questions.expire([waiting])

    for pending in (late, waiting):
        with pytest.raises(AskTimeoutError, match="within 0 s"):
            pending.result()
    assert not kept.done()
    assert set(questions.open) == {kept.corr}
    assert questions.next_deadline_ns == kept.deadline_ns


def test_an_overdue_question_that_was_withdrawn_gives_credit_and_mark_back(
    questions: Questions,
) -> None:
    late = ask(questions, 0)
    questions.withdraw(late)

    questions.expire([])

    assert (questions.open, questions.withdrawn) == ({}, {})
    with pytest.raises(asyncio.CancelledError):  # no failure that anybody must hear of
        late.result()


def test_nothing_expires_without_a_deadline(questions: Questions) -> None:
    asked = ask(questions, None)

    questions.expire([])

    assert not asked.done()
    assert questions.next_deadline_ns == 0


def test_all_fail_with_the_error_of_the_end(questions: Questions) -> None:
    asked = [ask(questions) for _ in range(2)]

    questions.fail_all(SystemClosedError("closed"))

    for pending in asked:
        with pytest.raises(SystemClosedError, match="closed"):
            pending.result()
    assert questions.open == {}
