"""The command ``actors`` beside running systems, also such as hang."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, options
from actors.cli.choice import FAILED, NOT_FOUND, USAGE
from actors.cli.command import main
from actors.runtime import door
from tests.support.actors_under_test import Blocker, Counter, Inbox
from tests.support.asking_actors import Node
from tests.support.controlled import Attentive
from tests.support.gates import SECONDS, Gate, wait_until
from tests.support.programs import terminal

LONG = "an-actor-with-a-name-that-takes-more-than-half-of-a-terminal"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("systems") / "base"


@pytest.fixture(scope="module")
def shop(base: Path) -> Iterator[ActorSystem]:
    with ActorSystem("shop", directory=base, drain=0) as running:
        yield running


def spawn(
    system: ActorSystem, name: str, transport: str | None = None
) -> ActorRef[Inbox]:
    return system.options(name=name, transport=transport).spawn(Inbox).result()


@pytest.fixture
def inbox(shop: ActorSystem, gate: Gate) -> Iterator[ActorRef[Inbox]]:
    """An actor that is busy, with three messages behind that."""
    ref = spawn(shop, "inbox")
    held = ref.within(None).ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    for number in range(3):
        ref.tell(Inbox.keep, number)
    yield ref
    gate.open()
    held.result()
    ref.stop()
    ref.ended().result(SECONDS)


def run(base: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command as a program, and return its status and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "actors", *arguments, "--directory", str(base)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def contents(directory: Path) -> dict[str, bytes]:
    """Return what the files of a system hold."""
    return {
        path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()
    }


@pytest.fixture
def shown(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    """Return what a command shows as JSON."""

    def show(*arguments: str) -> list[dict[str, Any]]:
        assert main(["--directory", str(base), *arguments, "--json"]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return found

    return show


# Reading.


def test_ls_lists_the_systems_that_run(
    shop: ActorSystem, base: Path, inbox: ActorRef[Inbox]
) -> None:
    status, output, _ = run(base, "ls")

    title, row = output.splitlines()
    assert status == 0
    assert title.split() == ["SYSTEM", "PID", "ROOT", "AGE", "ACTORS", "PROGRAMS"]
    name, pid, root, _, actors, programs = row.split()
    assert (name, int(pid), actors, programs) == ("shop", os.getpid(), "1", "1")
    assert Path(f"/proc/{root}/comm").read_text() == "actors:shop\n"


def test_ps_shows_what_an_actor_does_and_what_waits_for_it(
    shown: Callable[..., list[dict[str, Any]]], inbox: ActorRef[Inbox]
) -> None:
    (actor,) = shown("ps")

    (work,) = actor.pop("running")
    assert work["method"] == "Inbox.wait_for"
    assert work["waits_for"] is None
    assert 0 < work["seconds"] < actor["oldest_seconds"] + SECONDS
    assert Path(f"/proc/{actor['pid']}").exists()
    assert actor["rss_bytes"] > 2**20
    facts = ("name", "class_name", "state", "incarnation", "restarts", "queued")
    assert [actor[fact] for fact in facts] == ["inbox", "Inbox", "busy", 1, 0, 3]


def test_ps_shows_whom_an_actor_waits_for(
    shown: Callable[..., list[dict[str, Any]]],
    shop: ActorSystem,
    inbox: ActorRef[Inbox],
) -> None:
    relay = shop.options(name="relay").spawn(Node).result()
    asked = relay.within(None).ask(Node.walk, [inbox])

    wait_until(lambda: shown("ps")[1]["state"] == "waiting", "a wait")

    (work,) = shown("ps")[1]["running"]
    assert (work["method"], work["waits_for"]) == ("Node.walk", "inbox")
    relay.kill().result()
    with pytest.raises(Exception, match="killed"):
        asked.result()


def test_ps_shows_what_waits_for_whoever_of_a_pool_is_free(
    base: Path,
    shown: Callable[..., list[dict[str, Any]]],
    shop: ActorSystem,
    gate: Gate,
) -> None:
    pool = shop.options(size=1, name="crew").pool(Inbox).result()
    held = pool.within(None).ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    for number in range(3):
        pool.tell(Inbox.keep, number)

    shared, worker = shown("ps")

    facts = ("name", "state", "pid", "queued")
    assert [shared[fact] for fact in facts] == ["crew", "shared", 0, 3]
    assert [worker[fact] for fact in ("name", "state", "queued")] == [
        "crew-0",
        "busy",
        0,
    ]
    assert len(shown("mailbox", "crew")) == 3
    (system,) = shown("ls")
    assert (system["actors"], system["program_pids"]) == (1, [])
    assert main(["--directory", str(base), "kill", "crew"]) == USAGE
    gate.open()
    held.result()
    pool.stop().result()


def test_mailbox_lists_what_waits_and_takes_none_of_it(
    shown: Callable[..., list[dict[str, Any]]],
    shop: ActorSystem,
    gate: Gate,
) -> None:
    ref = spawn(shop, "taker")
    held = ref.within(None).ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()
    ref.tell(Inbox.keep, 1)
    answer = ref.ask(Inbox.kept)

    found = [shown("mailbox", "taker") for _ in range(3)][2]

    facts = [(each["kind"], each["method"], each["sender"]) for each in found]
    owner = f"program {os.getpid()}"
    assert facts == [("tell", "Inbox.keep", owner), ("ask", "Inbox.kept", owner)]
    assert found[0]["seconds"] >= found[1]["seconds"] > 0
    gate.open()
    held.result()
    assert answer.result() == [1]
    ref.kill().result()


def test_tree_shows_the_processes_of_a_system(
    base: Path, inbox: ActorRef[Inbox]
) -> None:
    pid = inbox.ask(Inbox.pid)  # behind the gate

    _, output, _ = run(base, "tree")

    program, root, actor = output.splitlines()
    assert f"(program)  {os.getpid()}" in program
    assert root.startswith("└─ actors:shop (root)  ")
    assert actor.startswith("   └─ inbox  ")
    assert actor.endswith("  busy")
    assert not pid.done()


def test_what_a_kernel_does_not_show_is_not_guessed(
    base: Path, shown: Callable[..., list[dict[str, Any]]], shop: ActorSystem
) -> None:
    ref = spawn(shop, "unseen", transport="unix")

    (actor,) = shown("ps")
    status, _, errors = run(base, "mailbox", "unseen")

    assert (actor["transport"], actor["queued"]) == ("unix", None)
    assert status == FAILED
    assert errors == (
        "actors: unseen: the kernel does not show what waits in a mailbox over 'unix'\n"
    )
    ref.kill().result()


def test_everything_can_be_seen_of_a_system_that_hangs(
    base: Path, inbox: ActorRef[Inbox]
) -> None:
    root = int(json.loads(run(base, "ls", "--json")[1])[0]["root_pid"])
    os.kill(root, signal.SIGSTOP)
    try:
        results = [
            run(base, *arguments)
            for arguments in (["ls"], ["ps"], ["tree"], ["mailbox", "inbox"])
        ]
    finally:
        os.kill(root, signal.SIGCONT)

    assert [(status, errors) for status, _, errors in results] == [(0, "")] * 4
    assert "Inbox.wait_for" in results[1][1]
    assert results[3][1].count("Inbox.keep") == 3


def test_reading_changes_no_byte_of_a_system(
    base: Path, inbox: ActorRef[Inbox], shown: Callable[..., list[dict[str, Any]]]
) -> None:
    (system,), (actor,) = shown("ls"), shown("ps")
    stopped = (system["root_pid"], actor["pid"])
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        before = contents(Path(system["directory"]))
        for arguments in (["ls"], ["ps"], ["tree"], ["mailbox", "inbox"]):
            assert run(base, *arguments)[0] == 0
        after = contents(Path(system["directory"]))
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)

    assert after == before


def test_tree_names_supervisors(base: Path, shop: ActorSystem) -> None:
    child = options(name="child").child(Inbox)
    group = shop.options(name="group").supervise(child).result()

    status, output, _ = run(base, "tree")

    supervisor, actor = output.splitlines()[2:]
    assert status == 0
    assert supervisor.startswith("   └─ group (supervisor)  ")
    assert actor.startswith("      └─ child  ")
    group.stop().result()
    group.ended().result(SECONDS)


def test_a_process_that_has_died_unseen_is_told(
    shown: Callable[..., list[dict[str, Any]]], shop: ActorSystem
) -> None:
    ref = spawn(shop, "dying")
    (system,) = shown("ls")
    os.kill(system["root_pid"], signal.SIGSTOP)
    try:
        os.kill(ref.ask(Inbox.pid).result(), signal.SIGKILL)
        wait_until(lambda: shown("ps")[0]["state"] == "dead", "the death")
    finally:
        os.kill(system["root_pid"], signal.SIGCONT)

    wait_until(lambda: shown("ps")[0]["state"] == "idle", "the next process")
    assert shown("ps")[0]["restarts"] == 1
    ref.kill().result()


def test_a_process_that_is_stopped_is_frozen(
    shown: Callable[..., list[dict[str, Any]]], shop: ActorSystem
) -> None:
    ref = spawn(shop, "stopped")
    pid = ref.ask(Inbox.pid).result()

    os.kill(pid, signal.SIGSTOP)

    wait_until(lambda: shown("ps")[0]["state"] == "frozen", "the stop")
    os.kill(pid, signal.SIGCONT)
    ref.kill().result()


# Printing.


def test_nothing_is_cut_where_no_terminal_reads(base: Path, shop: ActorSystem) -> None:
    ref = spawn(shop, LONG)

    _, output, _ = run(base, "ps")

    assert LONG in output
    ref.kill().result()


def test_a_line_fits_into_the_terminal(base: Path, shop: ActorSystem) -> None:
    ref = spawn(shop, LONG)

    with terminal() as (keyboard, screen):
        subprocess.run(
            [sys.executable, "-m", "actors", "ps", "--directory", str(base)],
            stdout=screen,
            env={**os.environ, "COLUMNS": "80"},
            timeout=SECONDS,
            check=True,
        )
        lines = os.read(keyboard, 4096).decode().splitlines()

    assert len(lines) == 2
    assert max(map(len, lines)) == 80
    ref.kill().result()


def test_a_reader_that_goes_away_ends_the_command_quietly(
    base: Path, shop: ActorSystem
) -> None:
    receiver, sender = os.pipe()
    os.close(receiver)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "actors", "ls", "--directory", str(base)],
            stdout=sender,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    finally:
        os.close(sender)

    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


# Acting.


def test_restart_gives_an_actor_a_fresh_process(base: Path, shop: ActorSystem) -> None:
    counter = shop.options(name="counter").spawn(Counter, 1).result()
    before = counter.ask(Counter.pid).result()

    result = run(base, "restart", "counter")

    assert result == (0, "counter has a fresh process\n", "")
    assert counter.ask(Counter.pid).result() != before
    counter.kill().result()


def test_stop_ends_an_actor_behind_what_waits_for_it(
    base: Path, shop: ActorSystem
) -> None:
    ref = spawn(shop, "stopping")

    result = run(base, "stop", "shop/stopping")

    assert result == (0, "stopping has ended: stopped\n", "")
    assert str(ref.ended().result()) == "stopped"


def test_stop_waits_no_longer_than_it_is_told(
    base: Path, inbox: ActorRef[Inbox]
) -> None:
    status, output, errors = run(base, "stop", "inbox", "--timeout", "0.1")

    assert (status, output) == (FAILED, "")
    assert errors == (
        "actors: inbox: not done after 0.1 s; it goes on all the same (--timeout waits longer)\n"
    )


def test_a_frozen_actor_is_shown_as_such_until_it_is_thawed(
    base: Path, shop: ActorSystem, shown: Callable[..., list[dict[str, Any]]]
) -> None:
    ref = spawn(shop, "ice")

    assert run(base, "freeze", "ice") == (0, "ice is frozen\n", "")
    frozen = shown("ps")[0]["state"]
    assert run(base, "thaw", "ice") == (0, "ice runs on\n", "")

    assert (frozen, shown("ps")[0]["state"]) == ("frozen", "idle")
    ref.kill().result()


def test_stack_shows_what_a_busy_actor_executes(
    base: Path, inbox: ActorRef[Inbox]
) -> None:
    status, output, errors = run(base, "stack", "inbox")

    assert (status, errors) == (0, "")
    assert "(inbox, the main one):" in output
    assert "in wait_for" in output


@pytest.mark.parametrize("name", ["USR1", "sigusr1", str(int(signal.SIGUSR1))])
def test_signal_reaches_the_process_of_an_actor(
    base: Path, shop: ActorSystem, name: str
) -> None:
    ref = shop.options(name="attentive").spawn(Attentive).result()

    result = run(base, "signal", "attentive", name)

    assert result == (0, "attentive has been sent SIGUSR1\n", "")
    wait_until(lambda: ref.ask(Attentive.counted).result() == 1, "the signal")
    ref.kill().result()


def test_a_signal_that_another_command_sends_better_is_refused(
    base: Path, shop: ActorSystem
) -> None:
    ref = spawn(shop, "refusing")

    status, _, errors = run(base, "signal", "refusing", "STOP")

    assert status == USAGE
    assert "use freeze()" in errors
    ref.kill().result()


def test_kill_ends_an_actor_that_hangs(
    base: Path, shop: ActorSystem, gate: Gate
) -> None:
    ref = spawn(shop, "hanging")
    ref.tell(Blocker.wait_for, gate.path)
    gate.wait_until_entered()

    result = run(base, "kill", "hanging")

    assert result == (0, "hanging has been killed\n", "")


def test_nothing_can_be_done_by_a_root_that_hangs(
    base: Path,
    inbox: ActorRef[Inbox],
    shown: Callable[..., list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (system,) = shown("ls")
    monkeypatch.setattr(door, "ANSWER_SECONDS", 0.1)

    os.kill(system["root_pid"], signal.SIGSTOP)
    try:
        status = main(["--directory", str(base), "restart", "inbox"])
    finally:
        os.kill(system["root_pid"], signal.SIGCONT)

    assert status == FAILED
    assert capsys.readouterr().err == (
        f"actors: the system {system['full_name']} cannot be joined: "
        "its root supervisor has not answered for 0.1 s; is it stopped?\n"
    )


# What cannot be meant.


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["ps", "web"], NOT_FOUND, "no system 'web' runs; running: shop"),
        (
            ["stop", "nobody"],
            NOT_FOUND,
            "no actor 'nobody' in the system shop; it has: none",
        ),
        (["stop", "web/nobody"], NOT_FOUND, "no system 'web' runs; running: shop"),
    ],
)
def test_what_is_not_there_is_told_in_one_sentence(
    base: Path, shop: ActorSystem, arguments: list[str], status: int, error: str
) -> None:
    assert run(base, *arguments) == (status, "", f"actors: {error}\n")


def test_of_two_systems_one_has_to_be_named(base: Path, shop: ActorSystem) -> None:
    with ActorSystem("web", directory=base):
        result = run(base, "stop", "nobody")

    assert result == (
        USAGE,
        "",
        "actors: several systems run: shop, web; name one, as in: actors stop shop/nobody\n",
    )


def test_no_system_is_no_error_for_ls_and_one_for_ps(tmp_path: Path) -> None:
    assert run(tmp_path / "none", "ls") == (0, "", "actors: no system runs\n")
    assert run(tmp_path / "none", "ls", "--json") == (0, "[]\n", "")
    assert run(tmp_path / "none", "ps") == (
        NOT_FOUND,
        "",
        "actors: no system runs for this user in this directory\n",
    )


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    status, _, errors = run(tmp_path, "ls")

    assert status == FAILED
    assert "required: a real directory of user" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frob"],
        ["stop"],
        ["kill", "a", "--timeout", "x"],
        ["kill", "a", "--timeout", "0"],
        ["signal", "a"],
        ["signal", "a", "FOO"],
        ["signal", "a", "77"],
    ],
)
def test_wrong_usage_is_told_by_the_parser(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as failure:
        main(arguments)

    assert failure.value.code == USAGE
    assert capsys.readouterr().err.startswith("usage: actors ")


def test_the_version_is_that_of_the_distribution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["--version"])

    assert ending.value.code == 0
    assert capsys.readouterr().out == "actors 0.1.0\n"
