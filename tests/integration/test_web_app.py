"""The example of web servers that join a system, with real servers."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.gates import SECONDS, wait_until
from tests.support.programs import Program

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("gunicorn")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Program]]:
    """Return a function that starts a program which finds the system of this test."""
    monkeypatch.setenv("WEB_APP_SYSTEM", f"web-{uuid.uuid4().hex[:8]}")
    started: list[Program] = []

    def start_program(*arguments: str) -> Program:
        started.append(Program("-Wignore", *arguments))
        return started[-1]

    yield start_program
    logs = []
    for program in reversed(started):
        program.process.terminate()  # or it has ended before
        logs.append(program.process.communicate(timeout=SECONDS)[1])
        program.kill()
    faults = "".join(log for log in logs if "Traceback" in log)
    assert not faults, faults


@pytest.fixture
def owner(start: Callable[..., Program]) -> Program:
    """The program that owns the system."""
    program = start("-mexamples.web_app")
    assert program.line() == ["ready"]
    return program


def address_of(server: Program) -> str:
    """Return where the server listens, from its log."""
    assert server.process.stderr is not None
    for line in server.process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line):
            return found[0]
    raise AssertionError("the server has ended")


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{address}/", timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def uvicorn(start: Callable[..., Program]) -> tuple[Program, str]:
    server = start("-muvicorn", "examples.web_app:api", "--host=127.0.0.1", "--port=0")
    return server, address_of(server)


def gunicorn(start: Callable[..., Program], *options: str) -> tuple[Program, str]:
    server = start(
        "-mgunicorn", "examples.web_app:wsgi", "--bind=127.0.0.1:0", "--workers=2",
        "--no-control-socket", *options,
    )  # fmt: skip
    return server, address_of(server)


def end(program: Program) -> None:
    program.signal(signal.SIGTERM)
    program.process.wait(SECONDS)
    program.wait_until_all_is_gone(SECONDS)


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "preload"])
def test_two_workers_of_gunicorn_and_fastapi_count_together(
    start: Callable[..., Program], owner: Program, options: tuple[str, ...]
) -> None:
    _, api = uvicorn(start)
    _, wsgi = gunicorn(start, *options)
    counts: list[int] = []
    pids: set[str] = set()

    def visit(_: int) -> None:
        status, text = get(wsgi)
        assert status == 200, text
        counts.append(int(text.split()[0]))
        pids.add(text.split()[1])

    with ThreadPoolExecutor(8) as pool:
        wait_until(
            lambda: list(pool.map(visit, range(8))) and len(pids) == 2,
            "requests to both workers",
        )
    status, text = get(api)

    assert (status, json.loads(text)["visits"]) == (200, len(counts) + 1)
    assert sorted(counts) == list(range(1, len(counts) + 1))


def test_a_worker_that_is_killed_is_replaced_and_goes_on_counting(
    start: Callable[..., Program], owner: Program
) -> None:
    _, wsgi = gunicorn(start, "--preload")
    _, text = get(wsgi)
    assert text.split()[0] == "1"

    os.kill(int(text.split()[1]), signal.SIGKILL)

    status, text = get(wsgi)
    assert (status, text.split()[0]) == (200, "2")


def test_servers_answer_503_when_the_system_has_ended(
    start: Callable[..., Program], owner: Program
) -> None:
    _, api = uvicorn(start)
    _, wsgi = gunicorn(start)
    assert get(api)[0] == get(wsgi)[0] == 200

    end(owner)

    assert [get(address)[0] for address in (api, api, wsgi, wsgi)] == [503] * 4
