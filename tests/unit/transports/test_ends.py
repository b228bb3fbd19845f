"""Both ends of a mailbox without actors, in one process and in several."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.transports import PATIENCE_SECONDS, eventually
from transports.ends import Receiver, Sender
from transports.errors import (
    ClosedError,
    EndpointError,
    FrameTooLargeError,
    MailboxExistsError,
    MailboxNotFoundError,
)

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "raw_mailbox.py"
SCHEMES = ["memory", "mq", "pipe", "shm", "unix"]
ACROSS_PROCESSES = SCHEMES[1:]


@pytest.fixture(params=SCHEMES)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}:{tmp_path}/notes/inbox"


@pytest.fixture(params=ACROSS_PROCESSES)
def reachable(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address that other processes find too."""
    return f"{request.param}:{tmp_path}/notes/inbox"


@pytest.fixture
def inbox(address: str) -> Iterator[Receiver]:
    with Receiver(address) as made:
        yield made


@pytest.fixture
def outlet(inbox: Receiver) -> Iterator[Sender]:
    with Sender(inbox.address) as made:
        yield made


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture
def receiving(reachable: str) -> Iterator[subprocess.Popen[str]]:
    """The example, receiving."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), "receive", reachable],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert (
        process.stdout.readline() == f"process {process.pid} receives at {reachable}\n"
    )
    yield process
    process.kill()
    process.communicate()


def fill(outlet: Sender) -> int:
    """Send numbers until there is no room; return how many there was room for."""
    for number in itertools.count():
        try:
            outlet.send(b"%06d" % number, timeout=0)
        except TimeoutError:
            return number
    raise AssertionError


def send_for_ever(outlet: Sender) -> None:
    while True:
        outlet.send(bytes(1000))


def names(address: str) -> list[str]:
    folder = Path(address.partition(":")[2]).parent
    return sorted(path.name for path in folder.iterdir())


def test_frames_come_whole_and_in_order(inbox: Receiver, outlet: Sender) -> None:
    for text in (b"first", b"", b"third"):
        outlet.send(text)

    assert inbox.depth().frames >= 1
    assert [inbox.receive(timeout=5) for _ in range(3)] == [b"first", b"", b"third"]


def test_a_receiver_that_waits_in_vain_says_so(inbox: Receiver) -> None:
    with pytest.raises(
        TimeoutError, match=r"/notes/inbox: nothing came within 0\.01 s"
    ):
        inbox.receive(timeout=0.01)


def test_a_sender_waits_for_room_and_then_says_that_there_is_none(
    inbox: Receiver, outlet: Sender
) -> None:
    sent = fill(outlet)
    with pytest.raises(TimeoutError, match="no room within 0 s"):
        outlet.send(bytes(6), timeout=0)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no room within 0\.05 s"):
        outlet.send(bytes(6), timeout=0.05)

    assert time.monotonic() - began >= 0.05
    assert [inbox.receive(timeout=5) for _ in range(sent)] == [
        b"%06d" % n for n in range(sent)
    ]
    outlet.send(b"there is room again", timeout=5)
    assert inbox.receive(timeout=5) == b"there is room again"


def test_a_frame_over_the_limit_is_refused(inbox: Receiver, outlet: Sender) -> None:
    with pytest.raises(FrameTooLargeError, match="the limit is"):
        outlet.send(bytes(1 << 20))

    with pytest.raises(TimeoutError):
        inbox.receive(timeout=0)


def test_a_receiver_that_closes_takes_everything_with_it(address: str) -> None:
    with Receiver(address) as inbox, Sender(inbox.address) as outlet:
        inbox.close()

        with pytest.raises(MailboxNotFoundError, match="nobody receives at"):
            outlet.send(b"late")
        with pytest.raises(ClosedError):
            inbox.receive(timeout=0)

    assert names(address) == []


def test_nobody_sends_where_nobody_receives(address: str) -> None:
    Receiver(address).close()

    with pytest.raises(MailboxNotFoundError, match="nobody receives at"):
        Sender(address)


def test_two_do_not_receive_at_one_address(inbox: Receiver, outlet: Sender) -> None:
    with pytest.raises(MailboxExistsError, match="another program receives at inbox"):
        Receiver(inbox.address)

    outlet.send(b"unharmed")
    assert inbox.receive(timeout=5) == b"unharmed"


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_directory_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)

    with pytest.raises(EndpointError, match="not a directory of yours with mode 0700"):
        Receiver(f"shm:{tmp_path}/inbox")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_is_a_number_of_seconds(
    inbox: Receiver, outlet: Sender, timeout: float
) -> None:
    said = r"timeout=(-1|nan): seconds, 0 or more, or None"
    with pytest.raises(EndpointError, match=said):
        inbox.receive(timeout)
    with pytest.raises(EndpointError, match=said):
        outlet.send(b"", timeout)


def test_programs_that_know_nothing_of_each_other_exchange_messages(
    reachable: str, receiving: subprocess.Popen[str]
) -> None:
    first = run("send", reachable, "hello", "how are you?")
    second = run("send", reachable, "and goodbye")

    assert (first.returncode, second.returncode) == (0, 0)
    assert receiving.stdout is not None
    printed = [receiving.stdout.readline() for _ in range(3)]
    receiving.send_signal(signal.SIGINT)
    assert printed == ["hello\n", "how are you?\n", "and goodbye\n"]
    assert receiving.wait(PATIENCE_SECONDS) == 130
    assert names(reachable) == []


def test_of_a_receiver_that_was_killed_nothing_stands_in_the_way(
    reachable: str, receiving: subprocess.Popen[str]
) -> None:
    with Sender(reachable) as outlet:
        os.kill(receiving.pid, signal.SIGSTOP)
        outlet.send(b"never read")
        receiving.send_signal(signal.SIGKILL)
        receiving.wait()

        with pytest.raises(MailboxNotFoundError, match="nobody receives at"):
            # It is full some day, where the kernel does not tell before.
            send_for_ever(outlet)
    done = run("send", reachable, "hello")
    assert done.returncode == 1
    assert done.stderr == f"MailboxNotFoundError: nobody receives at {reachable}\n"

    with Receiver(reachable) as inbox, Sender(reachable) as outlet:
        outlet.send(b"new")
        assert inbox.receive(timeout=5) == b"new"
    eventually(lambda: names(reachable) == [])


def test_the_example_says_how_it_is_used() -> None:
    done = run("receive")

    assert done.returncode == 2
    assert "raw_mailbox.py send shm:" in done.stderr
