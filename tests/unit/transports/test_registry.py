from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from transports import memory, registry
from transports.errors import EndpointError
from transports.mailbox import Transport
from transports.memory import MemoryTransport


class Loud(MemoryTransport):
    scheme = "loud"


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_known", {})


@pytest.mark.parametrize("scheme", ["memory", "shm", "unix"])
def test_transport_of_ours_is_found_by_its_scheme(scheme: str) -> None:
    found = registry.get(scheme)

    assert found.scheme == scheme
    assert registry.get(scheme) is found


def offer(monkeypatch: pytest.MonkeyPatch, scheme: str, value: str) -> None:
    """Let an installed package offer *value* as the transport *scheme*."""
    point = metadata.EntryPoint(scheme, value, registry.ENTRY_POINTS)
    points = metadata.EntryPoints([point])
    monkeypatch.setattr(metadata, "entry_points", lambda **_: points)


def test_registered_transport_is_found() -> None:
    loud: Transport = Loud()

    registry.register(loud)

    assert registry.get("loud") is loud


def test_installed_transport_is_found_by_its_entry_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "LOUD", Loud(), raising=False)
    offer(monkeypatch, "loud", "transports.memory:LOUD")

    assert registry.get("loud").scheme == "loud"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("transports.memory:TRANSPORT", "calls itself 'memory'"),
        ("transports.memory:NOTHING", "cannot be loaded: AttributeError"),
        ("no_such_module:TRANSPORT", "cannot be loaded: ModuleNotFoundError"),
        ("os:path", "is none: it lacks connect, create"),
    ],
)
def test_package_that_offers_no_transport_of_its_name_is_an_error(
    monkeypatch: pytest.MonkeyPatch, value: str, text: str
) -> None:
    offer(monkeypatch, "loud", value)

    with pytest.raises(EndpointError, match=text):
        registry.get("loud")


def test_unknown_scheme_is_refused_with_a_list_of_what_there_is() -> None:
    registry.register(Loud())

    with pytest.raises(EndpointError, match="'zmq'; there are: loud, memory, mq, pip"):
        registry.get("zmq")


def test_own_transport_is_found_without_reading_package_metadata() -> None:
    code = (
        "import sys; from transports import registry; registry.get('shm');"
        "sys.exit('importlib.metadata' in sys.modules or 'socket' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
