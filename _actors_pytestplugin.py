"""The pytest plugin: fixtures for testing actors.  Switched off by ``-p no:actors``.

It is not in the package, because pytest loads it in every run, also where no test has to do with actors:
importing the package costs a tenth of a second, and would come before a coverage tool that is a plugin as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

import pytest

if TYPE_CHECKING:
    from actors import ActorSystem
    from actors.testing import CheckedSystem, DeadLetters, ManualClock
    from actors.testing.leaks import Kind

_MARKERS = (
    "actor_system(**settings): how the fixture `system` is made; the arguments of ActorSystem",
    "may_leak(*kinds): what a test with the fixture `system` may leave behind: process, file, queue, descriptor, dead_letter",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_report_header() -> str | None:
    """Say where something that is left behind may go unseen."""
    if os.path.ismount("/dev/mqueue"):
        return None
    return "actors: /dev/mqueue is not mounted, so that POSIX queues left behind are seen with CAP_SYS_ADMIN only"


@pytest.fixture
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if it leaves a process, a named kernel object or a descriptor behind."""
    from actors.testing.leaks import nothing_left  # noqa: PLC0415 - see the top

    manager = nothing_left(_may_leak(request))
    manager.__enter__()
    yield
    _leave(manager)


@pytest.fixture
def checked_system(request: pytest.FixtureRequest) -> Iterator[CheckedSystem]:
    """What ``system`` and ``dead_letters`` are parts of."""
    from actors import ActorSystem  # noqa: PLC0415 - see the top
    from actors.testing import checked  # noqa: PLC0415 - see the top

    settings: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("actor_system"))):
        if marker.args:
            msg = f"actor_system{marker.args!r}: give the settings by name, such as transport='unix'"
            pytest.fail(msg, pytrace=False)
        settings |= marker.kwargs  # the closest comes last
    manager = checked(ActorSystem(**settings), _may_leak(request))
    yield manager.__enter__()
    _leave(manager)


@pytest.fixture
def system(checked_system: CheckedSystem) -> ActorSystem:
    """A running system of the test's own, for plain and for async tests.

    At the end of the test it is closed, and the test fails if a process, a named kernel object, a descriptor or a message
    that nobody has handled is left.
    """
    return checked_system.system


@pytest.fixture
def dead_letters(checked_system: CheckedSystem) -> DeadLetters:
    """The dead letters of ``system``, for a test that expects some."""
    return checked_system.dead_letters


@pytest.fixture
def manual_clock(system: ActorSystem) -> ManualClock:
    """A clock for the timers of all actors that are spawned in ``system``."""
    from actors.testing import ManualClock  # noqa: PLC0415 - see the top

    return ManualClock(system)


def _may_leak(request: pytest.FixtureRequest) -> set[Kind]:
    from actors.testing.leaks import Kind  # noqa: PLC0415 - see the top

    kinds = {
        kind for marker in request.node.iter_markers("may_leak") for kind in marker.args
    }
    if wrong := kinds - set(get_args(Kind)):
        accepted = ", ".join(map(repr, get_args(Kind)))
        pytest.fail(f"may_leak{tuple(wrong)!r}: any of {accepted}", pytrace=False)
    return kinds


def _leave(manager: Any) -> None:  # noqa: ANN401 - a context manager of anything
    """Leave *manager*; what it finds is said without a traceback, which would show nothing of the test."""
    failure = None
    try:
        manager.__exit__(None, None, None)
    except AssertionError as exc:
        failure = str(exc)
    if failure is not None:
        pytest.fail(failure, pytrace=False)
