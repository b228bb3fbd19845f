"""Messages larger than a mailbox: copied once, looked at where they are, and gone when nobody looks any more."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

from actors import ActorCrashedError, ActorRef, ActorStoppedError, ActorSystem
from actors.errors import ActorError, MailboxFullError, MessageTooLargeError
from actors.runtime import status
from tests.support.actors_under_test import Inbox
from tests.support.gallery import Gallery, Image, Studio
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.inside import blob_bytes, blobs_of, transport_of

MIB = 2**20

pytestmark = pytest.mark.parametrize(
    "system", ["shm", "unix", "pipe", "mq"], indirect=True, scope="module"
)


@pytest.fixture
def gallery(system: ActorSystem) -> Iterator[ActorRef[Gallery]]:
    ref = system.spawn(Gallery).result().within(SECONDS)
    yield ref
    ref.kill().result()


@pytest.fixture
def small_system(system: ActorSystem) -> Iterator[ActorSystem]:
    """A system that takes messages of a MiB."""
    transport = transport_of(system)
    with ActorSystem(transport=transport, drain=0, max_message_bytes=MIB) as small:
        yield small


def files(system: ActorSystem) -> set[str]:
    return {path.name for path in blobs_of(system).iterdir()}


def on_their_way(system: ActorSystem) -> set[str]:
    return {name for name in files(system) if "@" in name}


def image(size: int = MIB, value: int = 1) -> Image:
    return np.full(size, value, np.uint8)


def test_array_arrives_as_a_view_that_cannot_be_written_to(
    gallery: ActorRef[Gallery],
) -> None:
    assert gallery.ask(Gallery.is_view, image()).result() == (True, False)
    with pytest.raises(ValueError, match="read-only") as caught:
        gallery.ask(Gallery.scribble, image()).result()
    assert "Gallery.writable_buffers = True" in caught.value.__notes__[0]


def test_actor_that_asks_for_writable_buffers_changes_a_copy_of_its_own(
    system: ActorSystem,
) -> None:
    studio = system.spawn(Studio).result().within(SECONDS)
    mine = image()

    assert studio.ask(Studio.scribble, mine).result() == 7
    assert mine[0] == 1
    studio.kill().result()


def test_what_was_written_to_a_copy_is_sent_on(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    studio = system.spawn(Studio).result().within(SECONDS)

    studio.ask(Studio.scribble_and_hand_on, image(), gallery).result()

    assert gallery.ask(Gallery.sums).result() == [MIB + 6]
    studio.kill().result()


def test_array_may_be_kept_and_stays_what_it_was_when_it_was_sent(
    gallery: ActorRef[Gallery],
) -> None:
    mine = image()
    for value in range(1, 9):
        mine[:] = value
        gallery.tell(Gallery.add, mine)

    assert gallery.ask(Gallery.sums).result() == [v * MIB for v in range(1, 9)]


def test_result_is_a_view_that_outlives_the_actor(
    gallery: ActorRef[Gallery],
) -> None:
    gallery.ask(Gallery.add, image(value=3)).result()

    result = gallery.ask(Gallery.get, 0).result()
    gallery.kill().result()

    assert not result.flags.owndata
    assert int(result.sum()) == 3 * MIB


def test_array_that_is_handed_on_is_not_copied(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    other = system.spawn(Gallery).result().within(SECONDS)
    gallery.ask(Gallery.hand_on, image(8 * MIB), other).result()
    wait_until(
        lambda: other.ask(Gallery.sums).result() == [8 * MIB], "the array has arrived"
    )
    before = blob_bytes(system)

    for _ in range(5):
        gallery.tell(Gallery.add, other.ask(Gallery.get, 0).result())

    assert gallery.ask(Gallery.sums).result() == [8 * MIB] * 5
    assert blob_bytes(system) == before


def test_bytes_of_any_size_arrive(system: ActorSystem) -> None:
    inbox = system.spawn(Inbox).result().within(SECONDS)

    for size in (0, 1, 1000, 4096, 16_000, 16_384, 16_400, 65_535, 65_536, MIB, 9**7):
        data = random.Random(size).randbytes(size)
        assert inbox.ask(Inbox.echo, data).result() == data
        many = [data, [data], {"data": data}]
        assert inbox.ask(Inbox.echo, many).result() == many


def test_memory_does_not_grow_with_the_number_of_messages(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    largest, before = 0, blob_bytes(system)

    for value in range(200):
        assert gallery.ask(Gallery.look, image(4 * MIB, value)).result() == value
        largest = max(largest, blob_bytes(system))

    assert largest - before <= 4 * 4.1 * MIB


@pytest.mark.slow
def test_a_thousand_arrays_of_64_mib_take_a_few_segments(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    largest, before, data = 0, blob_bytes(system), image(64 * MIB)

    for value in range(1000):
        data[-1] = value % 256
        assert gallery.ask(Gallery.look, data).result() == value % 256
        largest = max(largest, blob_bytes(system))

    assert largest - before <= 4 * 65 * MIB


def test_killed_receivers_leave_nothing(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    crasher = system.options(intensity=1000).spawn(Gallery).result().within(SECONDS)

    for _ in range(10):
        crasher.tell(Gallery.add, image()).result()
        crasher.tell(Gallery.die_with, image()).result()
    wait_until(
        lambda: crasher.ask(Gallery.sums).result() == [], "the last crash is over"
    )

    wait_until(lambda: not on_their_way(system), "nothing is on its way")
    crasher.kill().result()
    assert not [
        name for name in files(system) if name.startswith(f"{crasher._number}.")
    ]


def busy_pid(system: ActorSystem, ref: ActorRef[Gallery], last: int) -> int:
    """Return the process of *ref* that comes after *last*, once it handles a message."""
    page = status.StatusPage.open(system._opened().directory.fd, ref._number)
    slot = next(iter(page.slots()))
    wait_until(
        lambda: slot.started and page.words[status.PID] not in {0, last},
        "a message in hand",
    )
    return page.words[status.PID]


def test_killed_senders_leave_nothing(
    system: ActorSystem, gallery: ActorRef[Gallery]
) -> None:
    chance, pid = random.Random(1), 0
    sender = system.options(intensity=1000).spawn(Gallery).result().within(SECONDS)

    for _ in range(10):
        sender.tell(Gallery.send_for_ever, image(MIB + 1), gallery)
        pid = busy_pid(system, sender, pid)
        time.sleep(chance.uniform(0, 0.02))  # noqa: TID251 - the moment is what is random
        os.kill(pid, signal.SIGKILL)
    sender.kill().result()

    # The looks after what dead senders have sent are a second apart.
    number = str(sender._number)
    wait_until(
        lambda: not [n for n in on_their_way(system) if f"@{number}." in n],
        "what was sent is gone",
    )
    assert not [name for name in files(system) if name.startswith(f"{number}.")]
    assert gallery.ask(Gallery.look, image(value=9)).result() == 9


def test_messages_that_nobody_takes_leave_nothing(
    system: ActorSystem, gate: Gate
) -> None:
    inbox = system.spawn(Inbox).result()
    inbox.tell(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    refused = 0
    payload = b"x" * MIB
    for number in range(60):
        try:
            inbox.tell(Inbox.keep, number, payload)
        except MailboxFullError:
            refused += 1
    waiting = inbox.within(0.05).ask(Inbox.echo, payload) if not refused else None
    gate.open()
    if waiting is not None:
        with contextlib.suppress(ActorError):
            waiting.result()

    inbox.kill().result()
    with pytest.raises(ActorStoppedError):
        inbox.ask(Inbox.echo, payload).result()

    wait_until(lambda: not on_their_way(system), "nothing is on its way")


def test_large_message_in_hand_of_a_killed_actor_fails_its_ask(
    gallery: ActorRef[Gallery],
) -> None:
    with pytest.raises(ActorCrashedError, match="SIGKILL"):
        gallery.ask(Gallery.die_with, image()).result()

    assert gallery.ask(Gallery.look, image(value=5)).result() == 5


def test_message_that_is_too_large_is_refused_where_it_is_sent(
    small_system: ActorSystem,
) -> None:
    gallery = small_system.spawn(Gallery).result().within(SECONDS)

    for send in (gallery.tell, gallery.ask):
        with pytest.raises(MessageTooLargeError, match="max_message_bytes") as caught:
            send(Gallery.look, image(2 * MIB))
        assert (caught.value.size >= 2 * MIB, caught.value.limit) == (True, MIB)

    assert gallery.ask(Gallery.look, image(MIB - 4096)).result() == 1
    wait_until(lambda: not files(small_system), "nothing is left")


def test_result_that_is_too_large_fails_its_ask_and_the_actor_goes_on(
    small_system: ActorSystem,
) -> None:
    gallery = small_system.spawn(Gallery).result().within(SECONDS)

    with pytest.raises(MessageTooLargeError, match="2097") as caught:
        gallery.ask(Gallery.make, 2 * MIB).result()

    assert "the result of Gallery.make" in caught.value.__notes__[0]
    assert gallery.ask(Gallery.make, 7).result().size == 7


def test_error_that_is_too_large_fails_its_ask_with_what_was_lost(
    small_system: ActorSystem,
) -> None:
    gallery = small_system.spawn(Gallery).result().within(SECONDS)

    with pytest.raises(ActorError, match="the answer is lost"):
        gallery.ask(Gallery.fail_with, 2 * MIB).result()

    assert gallery.ask(Gallery.make, 7).result().size == 7
