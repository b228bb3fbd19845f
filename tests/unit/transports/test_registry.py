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


def test_registered_transport_is_found() -> None:
    loud: Transport = Loud()

    registry.register(loud)

    assert registry.get("loud") is loud


def test_installed_transport_is_found_by_its_entry_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = metadata.EntryPoint(
        "loud", "transports.memory:TRANSPORT", registry.ENTRY_POINTS
    )
    monkeypatch.setattr(
        metadata, "entry_points", lambda **_: metadata.EntryPoints([point])
    )

    assert registry.get("loud") is memory.TRANSPORT


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
