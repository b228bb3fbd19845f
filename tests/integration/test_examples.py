"""Examples that run by themselves, and what they say."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gates import SECONDS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, *arguments: str, status: int = 0) -> list[str]:
    """Run an example in a folder that is not ours; return its lines."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines()


def test_transports_compared_shows_what_each_keeps() -> None:
    _, _, *rows = run("transports_compared.py", "--asks", "20", "--tells", "500")

    found = {
        row.split()[0]: (int(kept[1]), int(kept[2]))
        for row in rows
        if (kept := re.search(r"(\d+) / (\d+)$", row))
    }
    assert {name: kept for name, (kept, _) in found.items()} == dict.fromkeys(
        ("shm", "unix", "pipe", "mq"), 1000
    )
    # What the mailbox had no room for waited in the sender.
    assert found["shm"][1] == 1000
    assert all(0 < found[name][1] < 1000 for name in ("unix", "pipe", "mq"))


def test_the_producer_goes_no_faster_than_the_consumer() -> None:
    *lines, last = run("producer_consumer.py", "--items", "300")

    between = [
        int(found[1])
        for line in lines
        if (found := re.search(r"between them +(\d+)", line))
    ]
    assert last == "lost: 0, in order: yes"
    assert len(between) == len(lines) >= 2
    assert 0 < max(between) < 100


def test_the_tree_restarts_those_who_come_after_and_survives_its_supervisors() -> None:
    lines = run("supervision_tree.py")

    assert lines == [
        "left: 9",
        "left: 9",  # of a new shelf
        "stock: 2 of 2 run",
        "    shelf: life 2",
        "    clerk: life 2",
        "left: 9",
        "sum: 7",
        "shop: 2 of 2 run",
        "    till: life 1",
        "    stock: life 2",
    ]


def test_a_crash_costs_one_message() -> None:
    *lines, last = run("crash_and_restart.py", "--crashes", "4")

    answered = [line for line in lines if "answered: 5 of 5" in line]
    assert len(answered) == 4
    assert last == "lives: 5"


def test_a_service_that_is_told_to_end_finishes_what_is_queued() -> None:
    lines = run("graceful_shutdown.py", status=-signal.SIGTERM)

    assert lines == [
        "SIGTERM: no more orders",
        "stubborn: killed because it did not stop in time",
        "ledger: closed: stopped on request",
        "written: 100, in order: yes",
        "lost: 0",
    ]


def test_a_service_without_time_to_finish_says_what_it_has_not_done() -> None:
    *_, written, lost = run(
        "graceful_shutdown.py", "--drain", "0.05", status=-signal.SIGTERM
    )

    found = re.fullmatch(r"written: (\d+), in order: yes", written)
    assert found is not None
    assert lost == f"lost: {100 - int(found[1])}"
    assert int(found[1]) < 100  # even none, where the machine is slow


def test_poison_is_put_aside_and_printed_once_its_cause_is_gone() -> None:
    died = "killed by SIGSEGV while running Printer.print_page"

    lines = run("poison_message.py")

    assert lines == [
        "page 0 is printed",
        f"page 1 was tried 2 times: {died}",
        "page 2 is printed",
        f"page 3 was tried 2 times: {died}",
        "page 4 is printed",
        "in quarantine: page 1, gothic; died of SIGSEGV, SIGSEGV",
        "    sent again: page 1",
        "in quarantine: page 3, torn; died of SIGSEGV, SIGSEGV",
        "    dropped: page 3",
        "on paper:",
        "    page 0, plain",
        "    page 2, plain",
        "    page 4, plain",
        "    page 1, gothic",
        "lost: 1",
    ]


def test_the_pipeline_loses_no_row_with_its_processes() -> None:
    lines = run("pipeline.py", "--rows", "1500")

    assert lines[:2] == [
        "killed transform; lives: load 1, transform 2, extract 2",
        "killed extract; lives: load 1, transform 2, extract 3",
    ]
    assert lines[3:] == ["loaded: 1500, in order: yes", "lost: 0"]


def test_the_gateway_fills_each_order_once() -> None:
    lines = run("gateway.py")

    assert lines[:5] == [
        "filled 5",
        "refused: no price, its process was killed by SIGKILL",
        "filled 5",
        "refused: 20 is more than 10",
        "filled 20",
    ]
    assert re.fullmatch(r"killed with 60 orders under way; sent again: [01]", lines[5])
    assert lines[6:] == ["filled twice: 0", "lost: 0"]


def test_no_permit_is_lost_with_its_holder() -> None:
    *_, last = run("semaphore.py", "--kills", "5")

    assert last == "lost: 0 of 2"


def told(lines: list[str], what: str) -> str:
    """Return what an example says about *what*."""
    (found,) = [line for line in lines if line.startswith(f"{what}: ")]
    return found.partition(": ")[2]


def test_thumbnails_are_made_of_all_photographs_although_workers_are_killed() -> None:
    pytest.importorskip("PIL")

    lines = run("thumbnails.py", "--count", "6", "--megapixels", "1", "--kill", "0.1")

    assert told(lines, "photographs").startswith("6, ")
    assert told(lines, "thumbnails").startswith("6, ")
    assert int(told(lines, "workers killed").split()[0]) > 0
    assert told(lines, "lost") == "0"


def test_pages_are_fetched_many_at_once_although_workers_are_killed() -> None:
    lines = run("http_fetch.py", "--pages", "150", "--kill", "0.1")

    # Page n has n bytes.
    size = sum(range(150))
    assert told(lines, "pages") == f"150, 150 of them good, {size} bytes"
    assert int(told(lines, "workers killed").split()[0]) > 0
    assert told(lines, "lost") == "0"


def test_workers_with_one_copy_of_the_weights_answer_as_one_process_alone() -> None:
    lines = run("inference.py", "--images", "60", "--megabytes", "32", "--kill", "0.3")

    assert told(lines, "images") == "60"
    assert told(lines, "equal to one process alone") == "yes"
    assert told(lines, "lost") == "0"
    private = told(lines, "memory of a worker for itself")
    assert int(private.split()[0]) < 32
