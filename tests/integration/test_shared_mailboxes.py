"""Several actors that take from one mailbox: whoever is free takes the next message, and each message is taken once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import (
    ActorCrashedError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    AskTimeoutError,
    Event,
    MailboxLostError,
    SpawnError,
    planting,
)
from actors.options import Options
from actors.runtime import status
from actors.runtime.outgoing import mailbox_name
from actors.supervision.settings import split
from tests.support.crews import Opener, Worker, hire
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.inside import transport_of
from tests.support.lives import notes

TRANSPORTS = [
    "shm",
    "unix",
    pytest.param("pipe", marks=pytest.mark.slow),
    pytest.param("mq", marks=pytest.mark.slow),
]
NextEvent = Callable[[str, str], Event]
KILLS = [
    pytest.param(6, id="6-kills"),
    pytest.param(500, id="500-kills", marks=pytest.mark.slow),
]

pytestmark = pytest.mark.parametrize("system", TRANSPORTS, indirect=True)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notes")


def test_whoever_is_free_takes_the_next_message(
    system: ActorSystem, path: str, gate: Gate
) -> None:
    crew = hire(system, Worker, 3, path)
    busy = crew.everybody.ask(Worker.hold, gate.path)
    gate.wait_until_entered()

    answered = [crew.everybody.ask(Worker.record, n).result() for n in range(30)]

    assert answered == list(range(30))
    assert not busy.done()
    assert len({pid for pid, _ in notes(path)}) <= 2
    gate.open()
    busy.result()
    crew.stop()


def test_messages_are_shared_out_among_those_who_wait(
    system: ActorSystem, path: str, tmp_path: Path
) -> None:
    crew = hire(system, Worker, 3, path)
    gates = [Gate(tmp_path / str(number)) for number in range(3)]

    holding = [crew.everybody.ask(Worker.await_gate, gate.path) for gate in gates]

    wait_until(lambda: all(map(is_busy, crew.workers)), "all of them to be busy")
    for gate, each in zip(gates, holding, strict=True):
        gate.open()
        each.result()
    crew.stop()


def test_message_does_not_wait_for_a_worker_that_awaits_something_else(
    system: ActorSystem, path: str, gate: Gate
) -> None:
    """A worker whose handler awaits sleeps as well, and must not be the one that is woken."""
    crew = hire(system, Worker, 2, path)
    for number in range(20):
        awaiting = crew.everybody.ask(Worker.await_gate, gate.path)

        assert crew.everybody.ask(Worker.record, number).result() == number

        gate.open()
        awaiting.result()
    crew.stop()


def test_worker_looks_into_its_own_mailbox_first(
    system: ActorSystem, path: str, gate: Gate
) -> None:
    crew = hire(system, Worker, 1, path)
    holding = crew.everybody.ask(Worker.hold, gate.path)
    gate.wait_until_entered()
    shared = crew.everybody.ask(Worker.record, 1)
    own = crew.workers[0].ask(Worker.record, 2)

    gate.open()
    for each in (holding, shared, own):
        each.result()

    assert [text for _, text in notes(path)] == ["2", "1"]
    crew.stop()


def test_ask_that_nobody_takes_says_that_it_is_queued(
    system: ActorSystem, path: str, gate: Gate
) -> None:
    crew = hire(system, Worker, 1, path)
    holding = crew.everybody.ask(Worker.hold, gate.path)
    gate.wait_until_entered()

    with pytest.raises(AskTimeoutError, match="queued") as caught:
        crew.everybody.within(0.01).ask(Worker.pid).result()

    assert "starting" not in str(caught.value)
    gate.open()
    holding.result()
    crew.stop()


def test_large_message_reaches_a_worker(system: ActorSystem, path: str) -> None:
    crew = hire(system, Worker, 2, path)

    assert crew.everybody.ask(Worker.measure, bytes(3_000_000)).result() == 3_000_000

    crew.stop()


def test_worker_that_dies_costs_the_message_in_hand(
    system: ActorSystem, path: str, gate: Gate
) -> None:
    crew = hire(system, Worker, 2, path)
    pid = crew.workers[0].ask(Worker.pid).result()
    holding = [
        worker.ask(Worker.hold, each)
        for worker, each in zip(crew.workers, (gate.path, gate.path), strict=True)
    ]
    wait_until(lambda: all(map(is_busy, crew.workers)), "both to be busy")
    asked = [crew.everybody.ask(Worker.record, n) for n in range(3)]

    os.kill(pid, signal.SIGKILL)

    assert [each.result() for each in asked] == [0, 1, 2]
    with pytest.raises(ActorCrashedError):
        holding[0].result()
    gate.open()
    holding[1].result()
    crew.stop()


def test_a_mailbox_whose_opener_has_died_before_it_had_workers_is_removed(
    system: ActorSystem, path: str
) -> None:
    """It stayed until the end of the system."""
    opener = system.spawn(Opener, path).result()
    number = opener.ask(Opener.open).result()
    place = system._opened().directory
    file = status.file_name(number)
    assert os.access(file, os.F_OK, dir_fd=place.fd)

    opener.kill().result()

    wait_until(lambda: not os.access(file, os.F_OK, dir_fd=place.fd), "its removal")


def is_busy(worker: ActorRef[Worker]) -> bool:
    in_hand = worker.mailbox().inspect().result().in_hand
    return bool({one.method for one in in_hand} & {"Worker.hold", "Worker.await_gate"})


@pytest.mark.parametrize("kills", KILLS)
def test_each_message_is_handled_once_or_fails_with_the_worker_that_had_it(
    system: ActorSystem, path: str, kills: int
) -> None:
    crew = hire(system, Worker, 3, path, intensity=10**6)
    chance = random.Random(kills)
    patient, asked = crew.everybody.within(None), []
    for number in range(40 * kills):
        asked.append(patient.ask(Worker.record, number))
        if number % 40 == 39:
            worker = chance.choice(crew.workers)
            os.kill(worker.ask(Worker.pid).result(), signal.SIGKILL)
            time.sleep(chance.uniform(0, 0.002))  # noqa: TID251 - where the next one strikes
    answers = Counter[str]()
    for number, each in enumerate(asked):
        try:
            answers[str(each.result(SECONDS) == number)] += 1
        except ActorCrashedError:
            answers["crashed"] += 1

    handled = Counter(text for _, text in notes(path))
    assert max(handled.values()) == 1
    assert answers["crashed"] <= kills
    assert answers["True"] + answers["crashed"] == 40 * kills
    assert answers["True"] <= len(handled) <= 40 * kills
    crew.stop()


def test_stops_behind_the_queue_end_all_workers_after_it(
    system: ActorSystem, path: str
) -> None:
    crew = hire(system, Worker, 3, path)
    told = [crew.everybody.tell(Worker.record, n) for n in range(50)]

    crew.stop()

    for each in told:
        each.result()
    assert sorted(int(text) for _, text in notes(path)) == list(range(50))
    with pytest.raises(ActorStoppedError):
        crew.everybody.ask(Worker.pid).result()


def test_worker_that_is_stopped_leaves_the_queue_to_the_others(
    system: ActorSystem, path: str
) -> None:
    crew = hire(system, Worker, 2, path)

    asked = [crew.everybody.ask(Worker.record, n) for n in range(50)]
    crew.workers[0].stop().result()
    asked += [crew.everybody.ask(Worker.record, n) for n in range(50, 100)]

    assert [each.result() for each in asked] == list(range(100))
    assert crew.workers[0].ended().result().clean
    crew.workers[1].kill().result()


def test_last_worker_takes_the_mailbox_along_and_whoever_asked_is_told(
    system: ActorSystem, path: str, gate: Gate, next_event: NextEvent
) -> None:
    crew = hire(system, Worker, 1, path)
    crew.everybody.tell(Worker.hold, gate.path).result()
    gate.wait_until_entered()
    asked = crew.everybody.ask(Worker.record, 1)
    told = crew.everybody.tell(Worker.record, 2)

    crew.workers[0].kill().result()

    told.result()
    with pytest.raises(ActorStoppedError):
        asked.result()
    letter = next_event("dead_letter", "crew")
    assert letter.facts["method"] == "Worker.record"
    assert letter.facts["cause"] == "stopped"
    directory = system._opened().directory.path
    assert list(directory.glob(f"{crew.number}.*")) == []


def test_nobody_can_join_a_mailbox_that_has_ended(
    system: ActorSystem, path: str
) -> None:
    crew = hire(system, Worker, 1, path)
    crew.workers[0].kill().result()
    client, settings = system._opened(), split(Options())

    late = planting.spawn(client, settings, Worker, (path,), {}, shared=crew.number)

    with pytest.raises(SpawnError, match="share"):
        late.result()


def test_damaged_mailbox_is_replaced_and_everybody_goes_on(
    system: ActorSystem, path: str
) -> None:
    if transport_of(system) != "shm":
        pytest.skip("the kernel's own are out of reach")
    crew = hire(system, Worker, 2, path, intensity=10**6)
    crew.everybody.ask(Worker.pid).result()
    directory = system._opened().directory.path
    fd = os.open(directory / mailbox_name(crew.number), os.O_RDWR)
    os.pwrite(fd, os.urandom(448), 0)
    os.close(fd)

    def is_mended() -> bool:
        try:
            return crew.everybody.within(1).ask(Worker.record, 1).result() == 1
        except (MailboxLostError, ActorCrashedError, TimeoutError):
            return False

    wait_until(is_mended, "another mailbox")
    for worker in crew.workers:
        worker.ask(Worker.pid).result()
    crew.stop()


def test_closing_waits_until_the_shared_mailbox_is_empty(
    system: ActorSystem, path: str
) -> None:
    with ActorSystem(transport=transport_of(system)) as other:
        crew = hire(other, Worker, 2, path)
        for number in range(100):
            crew.everybody.tell(Worker.record, number).result()

    assert sorted(int(text) for _, text in notes(path)) == list(range(100))
