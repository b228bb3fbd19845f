"""What all tests share: nothing is left behind, slow tests are asked for, children find ``tests.support``."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.testing.leaks import nothing_left
from tests.support.transports import Place, a_place

ROOT = Path(__file__).resolve().parent.parent
ON_REQUEST = ("slow", "multihost")
LONG_FILE = 400  # lines; past that, ask which two nouns are in it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-slow",
        action="store_true",
        help=f"run the tests marked {' and '.join(ON_REQUEST)} too",
    )


def pytest_configure() -> None:
    # Children find the packages and tests.support whatever directory they run in.
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), others]))
    _hear_signals()


def _hear_signals() -> None:
    """Take back what ``nohup`` and ``&`` in a script make us ignore: what is ignored here is ignored by all that the tests start."""
    for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    files = [
        path
        for name in ("actors", "transports")
        for path in (ROOT / name).rglob("*.py")
    ]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    long = [f"{p.relative_to(ROOT)} {n}" for p, n in lengths.items() if n > LONG_FILE]
    return f"files over {LONG_FILE} lines: {', '.join(sorted(long)) or 'none'}"


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("--run-slow"):
        return
    for item in items:
        for name in ON_REQUEST:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{name}: needs --run-slow"))


def pytest_collection_finish() -> None:
    # What has been imported stays; without it, a collection after a test takes a tenth.
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def no_leaks_in_module() -> Iterator[None]:
    """Fail when the fixtures that all tests of a module share leave something behind."""
    with nothing_left():
        yield


@pytest.fixture(autouse=True)
def no_leaks(no_leaks_in_module: None) -> Iterator[None]:
    """Fail the test that leaves a process, a named object or a descriptor behind."""
    with nothing_left():
        yield


@pytest.fixture
def place() -> Iterator[Place]:
    """A private directory for mailboxes."""
    with a_place() as made:
        yield made
