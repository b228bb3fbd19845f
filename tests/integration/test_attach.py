"""Programs that join a running system: what they can do in it, what they leave, and how it ends for them."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
import pickle
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import (
    ActorError,
    ActorRef,
    ActorStoppedError,
    ActorSystem,
    AttachError,
    Events,
    OptionError,
    SystemClosedError,
    SystemFailedError,
    SystemNotFoundError,
)
from actors.errors import RuntimeDirectoryError
from actors.runtime import door
from actors.runtime.client import Client
from actors.session import _open
from tests.support.actors_under_test import Blocker, Counter, Inbox
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.inside import directory_of, root_pid
from tests.support.programs import SCRIPTS, Program
from transports import shm

NOBODY = 65534
ENDS_WAITING = ["wait", "events", "thread", "asyncio", "run"]


@pytest.fixture
def base(base: Path) -> Iterator[Path]:
    """The same, and nothing may be left in it."""
    yield base
    assert not list(base.iterdir())


@pytest.fixture
def shop(base: Path) -> Iterator[ActorSystem]:
    """A system that others join."""
    system = ActorSystem("shop", directory=base, drain=0).start()
    system.options(name="counter").spawn(Counter).result()
    yield system
    try:
        system.close()
    except ActorError:  # the test has ended it
        ActorSystem(directory=base).start().close()  # sweeps


@pytest.fixture
def counter(shop: ActorSystem) -> ActorRef[Counter]:
    """The actor of the shop that is there from the start."""
    return shop.lookup("counter", Counter).result()


@pytest.fixture
def start(base: Path) -> Iterator[Callable[..., Program]]:
    """Return a function that starts a program which joins the shop."""
    started: list[Program] = []

    def start_program(how: str, *arguments: str) -> Program:
        script = str(SCRIPTS / "attached.py")
        started.append(Program(script, str(base), how, *arguments))
        return started[-1]

    yield start_program
    for program in started:
        program.kill()


def files(system: ActorSystem) -> set[str]:
    """Return the names of what is there for somebody."""
    directory = directory_of(system)
    unborn = directory / "spare"
    return {
        path.name
        for path in directory.rglob("*")
        if path != unborn and unborn not in path.parents
    }


def text_of(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


# Taking part.


def test_another_program_looks_up_asks_tells_and_spawns(
    shop: ActorSystem, counter: ActorRef[Counter], start: Callable[..., Program]
) -> None:
    status, output, errors = start("use").wait()

    assert (status, output, errors) == (0, "2\n", "")
    assert counter.ask(Counter.add, 1).result() == 3
    mine = shop.lookup("mine", Counter).result()
    assert mine.ask(Counter.add, 0).result() == 42


async def test_an_attachment_works_in_a_coroutine(
    shop: ActorSystem, counter: ActorRef[Counter]
) -> None:
    async with ActorSystem.attach(
        "shop", directory=directory_of(shop).parent
    ) as attached:
        same = await attached.lookup("counter", Counter)
        results = await asyncio.gather(*(same.ask(Counter.add, 1) for _ in range(100)))

    assert results == list(range(1, 101))
    assert await counter.ask(Counter.add, 0) == 100


def test_a_pickled_ref_works_in_another_program_and_comes_back_equal(
    counter: ActorRef[Counter], start: Callable[..., Program]
) -> None:
    pickled = base64.b64encode(pickle.dumps(counter)).decode()

    total, again = start("use-ref", pickled).line()

    assert total == "1"
    assert pickle.loads(base64.b64decode(again)) == counter  # noqa: TID251 - what we have sent


def test_an_attached_program_hears_the_events_of_the_system(
    shop: ActorSystem, base: Path
) -> None:
    with ActorSystem.attach("shop", directory=base) as attached:
        events = attached.events()
        attached.lookup("counter", Counter).result()  # behind the subscription

        shop.options(name="new").spawn(Counter).result()

        seen = [events.next().result(SECONDS) for _ in range(2)]
        assert [(event.kind, event.actor) for event in seen] == [
            ("child_starting", "new"),
            ("child_ready", "new"),
        ]


def test_an_actor_spawned_by_an_attached_program_takes_the_transport_of_the_system(
    base: Path,
) -> None:
    with (
        ActorSystem("shop", directory=base, transport="unix", drain=0) as shop,
        ActorSystem.attach("shop", directory=base) as attached,
    ):
        spawned = attached.spawn(Counter).result()

        mail = directory_of(shop) / f"{spawned._number}.mail"
        assert mail.is_socket()


def test_an_actor_spawned_by_an_attached_program_outlives_it(
    shop: ActorSystem, base: Path
) -> None:
    with ActorSystem.attach("shop", directory=base) as attached:
        attached.options(name="mine").spawn(Counter, 5).result()

    assert shop.lookup("mine", Counter).result().ask(Counter.add, 1).result() == 6


def test_two_attachments_of_one_program_do_not_depend_on_each_other(
    base: Path, counter: ActorRef[Counter]
) -> None:
    with ActorSystem.attach("shop", directory=base) as first:
        second = ActorSystem.attach("shop", directory=base)
        second.lookup("counter", Counter).result()
        second.close()

        arrived: ActorRef[Counter] = pickle.loads(pickle.dumps(counter))  # noqa: TID251 - our own

        assert arrived.ask(Counter.add, 1).result() == 1
        same = first.lookup("counter", Counter).result()
        assert same.ask(Counter.add, 1).result() == 2


def test_refs_work_when_a_program_keeps_nothing_else(
    shop: ActorSystem, base: Path
) -> None:
    others = set(_open)
    attach = ActorSystem.attach
    counter = attach("shop", directory=base).lookup("counter", Counter).result()
    gc.collect()

    assert counter.ask(Counter.add, 1).result() == 1
    (attached,) = _open - others
    attached.close(0)


# Leaving.


def test_leaving_removes_everything_the_attachment_had(
    shop: ActorSystem, base: Path, open_descriptors: Callable[[], int]
) -> None:
    before = files(shop), open_descriptors()
    attached = ActorSystem.attach("shop", directory=base)
    attached.lookup("counter", Counter).result()
    assert len(files(shop)) == len(before[0]) + 4  # status, lane, bell, room

    attached.close()

    assert (files(shop), open_descriptors()) == before


def test_what_waits_for_room_is_sent_before_an_attachment_ends(
    shop: ActorSystem, base: Path, gate: Gate
) -> None:
    inbox = shop.options(mailbox_bytes=4096).spawn(Inbox).result()
    blocked = inbox.ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    attached = ActorSystem.attach("shop", directory=base)
    ref: ActorRef[Inbox] = ActorRef(
        attached._opened(), inbox._system, inbox._number, inbox.name, Inbox
    )
    for number in range(100):
        ref.tell(Inbox.keep, number, bytes(1000))
    assert attached._opened().outgoing.backlog
    gate.open()
    assert blocked.result() == "released"

    attached.close()

    assert inbox.ask(Inbox.kept).result() == list(range(100))


def test_an_attachment_that_was_left_refuses_everything(
    shop: ActorSystem, base: Path
) -> None:
    attached = ActorSystem.attach("shop", directory=base)
    counter = attached.lookup("counter", Counter).result()
    attached.close()

    attached.close()

    for use in (
        lambda: attached.lookup("counter", Counter),
        lambda: counter.ask(Counter.add, 1),
        attached.events,
        attached.start,
        attached.__enter__,
    ):
        with pytest.raises(SystemClosedError):
            use()
    assert shop.lookup("counter", Counter).result().ask(Counter.add, 1).result() == 1


def test_a_question_that_is_open_when_its_program_leaves_fails(
    shop: ActorSystem, base: Path, gate: Gate
) -> None:
    shop.options(name="blocker").spawn(Blocker).result()
    with ActorSystem.attach("shop", directory=base) as attached:
        blocker = attached.lookup("blocker", Blocker).result()
        pending = blocker.ask(Blocker.wait_for, gate.path)
        gate.wait_until_entered()

    with pytest.raises(SystemClosedError):
        pending.result()
    gate.open()
    kept = shop.lookup("blocker", Blocker).result()
    assert kept.ask(Blocker.hello).result() == "hello"


@pytest.mark.parametrize("how", ["wait", "events", "thread", "asyncio", "run", "fill"])
def test_a_killed_program_leaves_nothing_but_the_messages_it_has_sent(
    shop: ActorSystem, start: Callable[..., Program], gate: Gate, how: str
) -> None:
    shop.options(shutdown=0.05, name="held").spawn(Inbox).result()
    shop.options(name="inbox").spawn(Inbox).result()
    events = shop.events()
    before = files(shop)
    program = start(how, gate.path)
    assert program.line() == ["ready"]
    assert files(shop) > before

    program.signal(signal.SIGKILL)

    kinds = [events.next().result(SECONDS).kind for _ in range(2)]
    assert kinds == ["program_attached", "program_left"]
    assert files(shop) == before


def test_a_signal_to_an_attached_program_does_not_hurry_the_system(
    base: Path, counter: ActorRef[Counter]
) -> None:
    pid = counter.ask(Counter.pid).result()
    with ActorSystem.attach("shop", directory=base) as attached:
        attached._opened().notify_root("hurry", {})

        attached.lookup("counter", Counter).result()
        assert counter.ask(Counter.pid).result() == pid


# Not getting in.


def test_a_system_that_does_not_run_is_an_error_that_names_those_that_do(
    shop: ActorSystem, base: Path
) -> None:
    with pytest.raises(SystemNotFoundError) as failure:
        ActorSystem.attach("shops", directory=base)

    assert "name='shops'" in text_of(failure)
    assert str(base) in text_of(failure)
    assert directory_of(shop).name in text_of(failure)


def test_a_base_that_does_not_exist_has_no_systems(tmp_path: Path) -> None:
    with pytest.raises(SystemNotFoundError, match="running: none"):
        ActorSystem.attach("shop", directory=tmp_path / "none")


def test_of_several_systems_of_a_name_one_is_joined_by_its_full_name(
    shop: ActorSystem, base: Path
) -> None:
    with ActorSystem("shop", directory=base, drain=0) as other:
        names = [directory_of(system).name for system in (shop, other)]

        with pytest.raises(SystemNotFoundError) as failure:
            ActorSystem.attach("shop", directory=base)

        assert all(name in text_of(failure) for name in names)
        with ActorSystem.attach(names[1], directory=base) as attached:
            spawned = attached.options(name="here").spawn(Counter).result()
        assert other.lookup("here", Counter).result() == spawned


@pytest.mark.parametrize("name", ["", "Shop", "../shop", "shop.x", "shop.", 3, None])
def test_what_cannot_be_the_name_of_a_system_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"^name={re.escape(repr(name))}: the name"):
        ActorSystem.attach(name)


def test_an_argument_that_attach_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(OptionError, match=r"transport='unix': no such option; there "):
        ActorSystem.attach("shop", transport="unix")  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("drain", [-1, "5"])
def test_a_bad_drain_is_refused_before_anything_is_joined(drain: float) -> None:
    with pytest.raises(OptionError, match=r"^drain="):
        ActorSystem.attach("shop", drain=drain)


def test_a_system_that_others_can_enter_is_not_joined(
    shop: ActorSystem, base: Path
) -> None:
    directory_of(shop).chmod(0o755)

    with pytest.raises(
        RuntimeDirectoryError, match=r"mode 0755; required: .* mode 070"
    ):
        ActorSystem.attach("shop", directory=base)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_system_of_another_user_is_not_joined(shop: ActorSystem, base: Path) -> None:
    os.chown(base, NOBODY, NOBODY)
    try:
        with pytest.raises(RuntimeDirectoryError, match=f"user {NOBODY}"):
            ActorSystem.attach("shop", directory=base)
    finally:
        os.chown(base, os.geteuid(), os.getegid())


def test_a_root_that_does_not_answer_is_an_error_after_a_while(
    shop: ActorSystem, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ANSWER_SECONDS", 0.05)
    before = files(shop)
    os.kill(root_pid(shop), signal.SIGSTOP)
    try:
        with pytest.raises(AttachError, match=r"has not answered for 0\.05 s; is it"):
            ActorSystem.attach("shop", directory=base)
    finally:
        os.kill(root_pid(shop), signal.SIGCONT)

    # It takes the program in, and notices that it has hung up.
    wait_until(lambda: files(shop) == before, "the root to forget the program")
    assert shop.lookup("counter", Counter).result().ask(Counter.add, 1).result() == 1


def test_a_root_that_dies_with_a_program_at_its_door_is_an_error_at_once(
    shop: ActorSystem, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = door._send

    def send_and_kill(dir_fd: int, line_fd: int) -> None:
        os.kill(root_pid(shop), signal.SIGSTOP)
        send(dir_fd, line_fd)
        os.kill(root_pid(shop), signal.SIGKILL)

    monkeypatch.setattr(door, "_send", send_and_kill)

    with pytest.raises(AttachError, match="it has just ended"):
        ActorSystem.attach("shop", directory=base)


def test_a_system_that_is_closing_lets_nobody_in(
    shop: ActorSystem, base: Path, gate: Gate
) -> None:
    blocker = shop.spawn(Blocker).result()
    blocked = blocker.within(None).ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    closing = shop._opened().finish(SECONDS)

    with pytest.raises(SystemClosedError, match="is closing"):
        ActorSystem.attach("shop", directory=base)

    gate.open()
    assert blocked.result() == "released"
    closing.result()


def test_a_stranger_at_the_door_does_no_harm(
    shop: ActorSystem, base: Path, counter: ActorRef[Counter]
) -> None:
    path = directory_of(shop) / door.NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.connect(str(path))
        stranger.send(b"hello")
        socket.send_fds(stranger, [b"join"], [0])
        socket.send_fds(stranger, [b"join"], [0, 0])
        pidfd = os.pidfd_open(os.getpid())
        socket.send_fds(stranger, [b"join"], [pidfd, 0])
        os.close(pidfd)

    with ActorSystem.attach("shop", directory=base) as attached:
        attached.lookup("counter", Counter).result()
    assert counter.ask(Counter.add, 1).result() == 1


# The end of the system.


@pytest.mark.parametrize("how", ENDS_WAITING)
def test_a_program_that_waits_when_the_system_is_closed_is_told(
    shop: ActorSystem, start: Callable[..., Program], gate: Gate, how: str
) -> None:
    shop.options(shutdown=0.05, name="held").spawn(Inbox).result()
    program = start(how, gate.path)
    assert program.line() == ["ready"]
    if how != "events":
        gate.wait_until_entered()

    shop.close()

    status, output, errors = program.wait()
    assert (status, errors) == (0, "")
    # A question in the hands of an actor ends with the actor, and events with the system.
    told = "no more events" if how == "events" else "ActorCrashedError: held died in "
    assert output.startswith(told)


@pytest.mark.parametrize("how", ENDS_WAITING)
def test_a_program_that_waits_when_the_root_is_killed_is_told(
    shop: ActorSystem, start: Callable[..., Program], gate: Gate, how: str
) -> None:
    shop.options(name="held").spawn(Inbox).result()
    program = start(how, gate.path)
    assert program.line() == ["ready"]

    os.kill(root_pid(shop), signal.SIGKILL)

    status, output, errors = program.wait()
    assert status == (70 if how == "run" else 0)  # what actors.run promises
    told = "SystemFailedError: the actor system has ended"
    assert told in (errors if how == "run" else output)


def test_a_program_is_told_that_the_owner_of_its_system_was_killed(
    base: Path, tmp_path: Path
) -> None:
    owner = Program(
        str(SCRIPTS / "program.py"), str(base), str(tmp_path / "log"), "script"
    )
    assert owner.line() == ["ready"]
    with ActorSystem.attach("program", directory=base) as attached:
        events = attached.events()

        owner.signal(signal.SIGKILL)
        owner.process.wait()

        with pytest.raises(SystemFailedError, match="that owns the system has ended"):
            for _ in events:
                pass
    owner.wait_until_all_is_gone(SECONDS)
    owner.kill()


def test_leaving_a_system_that_has_ended_is_quiet(
    shop: ActorSystem, base: Path, open_descriptors: Callable[[], int]
) -> None:
    before = open_descriptors()
    attached = ActorSystem.attach("shop", directory=base)
    counter = attached.lookup("counter", Counter).result()
    shop.close()
    with pytest.raises((SystemClosedError, ActorStoppedError)):
        counter.ask(Counter.add, 1).result()

    attached.close()

    assert open_descriptors() <= before


def test_a_program_that_has_never_slept_is_told_that_the_system_has_ended(
    shop: ActorSystem, base: Path
) -> None:
    """The bell was opened by the first wait, and its file was gone by then."""
    with ActorSystem.attach("shop", directory=base) as attached:
        lane = directory_of(shop) / f"{attached._opened().number}.lane"
        first = attached.lookup("counter", Counter)
        with lane.open("rb") as file:
            wait_until(lambda: shm.depth(file.fileno()).frames, "the answer")
        first.result()
        shop.close()

        with pytest.raises(SystemClosedError):
            attached.lookup("counter", Counter).result()


async def drained(events: Events) -> None:
    async for _ in events:
        pass


async def test_a_loop_is_told_of_the_end_of_its_system_once(
    shop: ActorSystem, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[Client] = []
    lose_root = Client.lose_root

    def count(client: Client) -> None:
        losses.append(client)
        lose_root(client)

    monkeypatch.setattr(Client, "lose_root", count)
    async with ActorSystem.attach("shop", directory=base) as attached:
        events = attached.events()
        waiting = asyncio.ensure_future(events.next())
        await attached.lookup("counter", Counter)
        await asyncio.to_thread(shop.close)
        await waiting  # the first of several
        await drained(events)
        mine = losses.count(attached._opened())

        for _ in range(100):
            await asyncio.sleep(0)

        assert losses.count(attached._opened()) == mine
