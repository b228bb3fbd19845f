"""Mailboxes from outside: looking, purging, exporting and replaying, whatever the actor does meanwhile."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import (
    ActorCrashedError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    MessagePurgedError,
    OptionError,
    QueuedMessage,
)
from tests.support.actors_under_test import Blocker, Inbox
from tests.support.controlled import Attentive, Exporter, Pump, Sink
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.inside import transport_of

TRANSPORTS = ["shm", "unix", "pipe", "mq"]
SHOWN = {"shm", "unix", "pipe"}  # the kernel shows the messages of the others to nobody

pytestmark = pytest.mark.parametrize("system", TRANSPORTS, indirect=True)


@pytest.fixture
def inbox(system: ActorSystem, gate: Gate) -> Iterator[ActorRef[Inbox]]:
    """An actor that has a message in hand, at the gate."""
    ref = system.spawn(Inbox).result()
    ref.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    yield ref
    ref.kill().result()


def fill(ref: ActorRef[Inbox], count: int = 3) -> None:
    for number in range(count):
        ref.tell(Inbox.keep, number).result()


def waiting(ref: ActorRef[Inbox]) -> int:
    return ref.mailbox().inspect().result().messages


# Looking.


def test_inspecting_shows_what_waits_and_what_is_in_hand(
    system: ActorSystem, inbox: ActorRef[Inbox]
) -> None:
    fill(inbox)

    state = inbox.mailbox().inspect().result()

    assert state.messages == 3
    assert [(one.kind, one.method) for one in state.in_hand] == [
        ("tell", "Inbox.wait_for")
    ]
    assert (state.in_hand[0].running or 0) > 0
    if transport_of(system) not in SHOWN:
        assert (state.waiting, state.age) == (None, None)
        return
    assert state.waiting is not None
    assert [one.method for one in state.waiting] == ["Inbox.keep"] * 3
    assert {one.sender for one in state.waiting} == {"main program"}
    assert state.age == state.waiting[0].age > state.waiting[2].age > 0
    assert all(one.running is None and one.size > 48 for one in state.waiting)


def test_inspecting_counts_more_than_it_lists(
    system: ActorSystem, inbox: ActorRef[Inbox]
) -> None:
    fill(inbox)

    state = inbox.mailbox().inspect(limit=1).result()

    assert state.messages == 3
    assert state.waiting is None or len(state.waiting) == 1
    assert (state.waiting is None) == (transport_of(system) not in SHOWN)


async def test_an_idle_actor_has_nothing_waiting_and_nothing_in_hand(
    system: ActorSystem,
) -> None:
    ref = await system.spawn(Inbox)
    await ref.ask(Inbox.hello)

    state = await ref.mailbox().inspect()
    while state.in_hand:  # the answer comes before the message is out of hand
        state = await ref.mailbox().inspect()

    assert (state.messages, state.age) == (0, None)
    assert not state.waiting
    await ref.kill()


def test_a_sender_is_named_as_people_know_it(
    system: ActorSystem, inbox: ActorRef[Inbox], tmp_path: Path
) -> None:
    asker = system.options(name="asker").spawn(Attentive).result()
    question = asker.ask(Attentive.hello_from, inbox, SECONDS)

    def asks() -> list[QueuedMessage]:
        state = inbox.mailbox().inspect().result()
        return [one for one in state.waiting or () if one.kind == "ask"]

    if transport_of(system) in SHOWN:
        wait_until(asks, "the question")
        assert [one.sender for one in asks()] == ["asker"]
    inbox.kill().result()
    with pytest.raises(ActorStoppedError):
        question.result()
    asker.kill().result()


@pytest.mark.parametrize("limit", [-1, 1.5, "all", True])
def test_a_limit_that_is_no_number_is_refused(
    inbox: ActorRef[Inbox], limit: int
) -> None:
    with pytest.raises(OptionError, match="limit="):
        _ = inbox.mailbox().inspect(limit)


# Purging.


def test_purged_tells_are_dead_letters_and_purged_asks_are_answered(
    system: ActorSystem, inbox: ActorRef[Inbox], gate: Gate
) -> None:
    fill(inbox, 2)
    question = inbox.ask(Inbox.kept)
    events = system.events()

    purged = inbox.mailbox().purge().result()

    assert purged == 3
    with pytest.raises(MessagePurgedError, match=r"Inbox\.kept: purged"):
        question.result()
    letters = [events.next().result(SECONDS) for _ in range(2)]
    assert [(one.kind, one.facts["cause"]) for one in letters] == [
        ("dead_letter", "purged")
    ] * 2
    events.close()
    gate.open()
    assert inbox.ask(Inbox.kept).result() == []


def test_purging_makes_room_for_those_who_wait(
    inbox: ActorRef[Inbox], gate: Gate
) -> None:
    waiting = [inbox.within(None).tell(Inbox.keep, n, bytes(900)) for n in range(400)]
    assert not waiting[-1].done()

    while not waiting[-1].done():
        inbox.mailbox().purge().result()
    inbox.mailbox().purge().result()

    gate.open()
    inbox.tell(Inbox.keep, -1)
    assert inbox.ask(Inbox.kept).result() == [-1]


@pytest.mark.parametrize("name", ["hang_in_c", "hang", "spin"])
def test_mailbox_of_an_actor_that_hangs_can_be_purged(
    system: ActorSystem, tmp_path: Path, name: str
) -> None:
    ref = system.spawn(Attentive).result()
    mark = tmp_path / "mark"
    ref.tell(getattr(Attentive, name), str(mark))
    wait_until(mark.exists, "the hang")
    question = ref.ask(Attentive.hello)

    assert ref.mailbox().purge().result() == 1

    with pytest.raises(MessagePurgedError):
        question.result()
    assert ref.mailbox().inspect().result().messages == 0
    ref.kill().result()


def test_frozen_actor_stays_frozen_when_its_mailbox_is_purged(
    system: ActorSystem,
) -> None:
    ref = system.spawn(Inbox).result()
    ref.freeze().result()
    fill(ref)

    assert ref.mailbox().purge().result() == 3

    late = ref.within(None).ask(Inbox.kept)
    with pytest.raises(TimeoutError):
        late.result(timeout=0.1)
    ref.thaw().result()
    assert late.result() == []
    ref.kill().result()


def test_purging_reaches_a_queued_stop_which_takes_effect(
    inbox: ActorRef[Inbox], gate: Gate
) -> None:
    fill(inbox, 2)
    inbox.stop().result()

    assert inbox.mailbox().purge().result() == 2

    gate.open()
    assert inbox.ended().result().clean


def test_purging_under_load_handles_or_drops_each_message_and_never_both(
    system: ActorSystem,
) -> None:
    sink = system.spawn(Sink).result()
    pump = system.spawn(Pump).result()
    sent = purged = 0

    # On a machine that has other things to do, the sink may be through before anybody looks.
    while not purged and sent < 100_000:
        pumping = pump.within(None).ask(Pump.send, sink, 5000)
        sent += 5000
        while not pumping.done():
            purged += sink.mailbox().purge().result()

    handled = sink.ask(Sink.count).result()
    assert 0 < purged < sent
    assert handled + purged == sent
    pump.kill().result()
    sink.kill().result()


# Exporting and replaying.


def test_exported_messages_leave_the_mailbox_and_are_replayed_in_order(
    inbox: ActorRef[Inbox], gate: Gate, tmp_path: Path
) -> None:
    path = tmp_path / "messages"
    fill(inbox)

    assert inbox.mailbox().export(path).result() == 3
    assert inbox.mailbox().inspect().result().messages == 0
    inbox.tell(Inbox.keep, 99)
    assert inbox.mailbox().replay(path).result() == 3

    gate.open()
    assert inbox.ask(Inbox.kept).result() == [99, 0, 1, 2]


def test_large_messages_are_exported_whole(
    inbox: ActorRef[Inbox], gate: Gate, tmp_path: Path
) -> None:
    path = tmp_path / "messages"
    inbox.tell(Inbox.keep, 1, b"x" * 3_000_000)
    inbox.tell(Inbox.keep, 2, b"y" * 30_000)

    assert inbox.mailbox().export(path).result() == 2
    assert path.stat().st_size > 3_030_000
    for _ in range(2):
        assert inbox.mailbox().replay(path).result(timeout=SECONDS) == 2

    gate.open()
    assert inbox.ask(Inbox.kept).result() == [1, 2, 1, 2]


def test_questions_are_not_exported_and_their_askers_are_told(
    inbox: ActorRef[Inbox], tmp_path: Path
) -> None:
    question = inbox.ask(Inbox.kept)

    assert inbox.mailbox().export(tmp_path / "messages").result() == 0

    with pytest.raises(MessagePurgedError):
        question.result()


def test_export_that_cannot_be_written_gives_the_messages_back(
    inbox: ActorRef[Inbox], gate: Gate, tmp_path: Path
) -> None:
    fill(inbox)
    folder = tmp_path / "folder"
    folder.mkdir()
    export = inbox.mailbox().export(folder / "messages")
    # Before the answer is looked at, which is when the file is written.
    folder.rmdir()

    with pytest.raises(FileNotFoundError):
        export.result()

    wait_until(lambda: waiting(inbox) == 3, "the messages")
    gate.open()
    assert inbox.ask(Inbox.kept).result() == [0, 1, 2]


@pytest.fixture
def exporter(system: ActorSystem) -> Iterator[ActorRef[Exporter]]:
    ref = system.options(intensity=math.inf).spawn(Exporter).result()
    yield ref
    ref.kill().result()


def fill_with_large(ref: ActorRef[Inbox]) -> None:
    """Send three, as many as every mailbox has room for."""
    fill(ref, 1)
    ref.tell(Inbox.keep, 1, b"x" * 300_000).result()
    ref.tell(Inbox.keep, 2, b"y" * 30_000).result()


def test_what_was_not_written_when_its_exporter_was_killed_goes_back(
    inbox: ActorRef[Inbox], exporter: ActorRef[Exporter], gate: Gate, tmp_path: Path
) -> None:
    fill_with_large(inbox)

    with pytest.raises(ActorCrashedError):
        exporter.ask(Exporter.save, inbox, str(tmp_path / "file"), "before").result()

    wait_until(lambda: waiting(inbox) == 3, "the messages")
    gate.open()
    assert inbox.ask(Inbox.kept).result() == [0, 1, 2]
    assert not (tmp_path / "file").exists()


def test_what_was_written_when_its_exporter_was_killed_is_in_the_file(
    inbox: ActorRef[Inbox], exporter: ActorRef[Exporter], gate: Gate, tmp_path: Path
) -> None:
    fill_with_large(inbox)

    with pytest.raises(ActorCrashedError):
        exporter.ask(Exporter.save, inbox, str(tmp_path / "file"), "after").result()

    wait_until(lambda: waiting(inbox) == 3, "the messages")
    gate.open()
    assert inbox.mailbox().replay(tmp_path / "file").result(SECONDS) == 3
    assert inbox.ask(Inbox.kept).result() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("kills", [4, pytest.param(150, marks=pytest.mark.slow)])
def test_each_message_is_in_the_file_or_in_the_mailbox_whenever_its_exporter_is_killed(
    inbox: ActorRef[Inbox],
    exporter: ActorRef[Exporter],
    tmp_path: Path,
    kills: int,
    system: ActorSystem,
) -> None:
    directory = system._opened().directory.path
    fill_with_large(inbox)
    for lap in range(kills):
        path = tmp_path / str(lap)
        pid = exporter.ask(Exporter.pid).result()
        saving = exporter.ask(Exporter.save, inbox, str(path), "never")
        time.sleep(random.uniform(0, 0.006))  # noqa: TID251 - where it strikes
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ActorCrashedError):
            saving.result()
        exporter.ask(Exporter.pid).result()  # what died before has been settled

        wait_until(lambda: path.exists() or waiting(inbox) == 3, "the messages")  # noqa: B023 - called at once
        if waiting(inbox) == 0:
            assert inbox.mailbox().replay(path).result(SECONDS) == 3
        assert waiting(inbox) == 3
    assert len(list(directory.glob("blob/*@*"))) == 2
    assert list(directory.glob("blob/0.1+*")) == []


def test_export_to_what_exists_is_refused_and_takes_nothing(
    inbox: ActorRef[Inbox], tmp_path: Path
) -> None:
    fill(inbox)
    (tmp_path / "messages").touch()

    with pytest.raises(FileExistsError, match="exists already"):
        _ = inbox.mailbox().export(tmp_path / "messages")
    with pytest.raises(NotADirectoryError):
        _ = inbox.mailbox().export(tmp_path / "nowhere" / "messages")

    assert inbox.mailbox().inspect().result().messages == 3


def test_file_that_is_no_export_is_refused(
    inbox: ActorRef[Inbox], tmp_path: Path
) -> None:
    path = tmp_path / "messages"
    path.write_bytes(b"something else")

    with pytest.raises(OptionError, match="is no file of messages"):
        _ = inbox.mailbox().replay(path)


# Ends.


def test_mailbox_of_an_actor_that_has_ended_says_so(
    system: ActorSystem, tmp_path: Path
) -> None:
    ref = system.spawn(Blocker).result()
    path = tmp_path / "messages"
    ref.tell(Blocker.hello)
    ref.kill().result()

    for pending in (
        ref.mailbox().inspect(),
        ref.mailbox().purge(),
        ref.mailbox().export(path),
    ):
        with pytest.raises(ActorStoppedError):
            pending.result()
    assert not path.exists()
