"""A transport from a package that somebody installs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gates import SECONDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "examples" / "third_party_transport"
PROGRAM = """
import json
from actors import ActorSystem
from tests.support.actors_under_test import Inbox

with ActorSystem(transport="roomy") as system:
    inbox = system.spawn(Inbox).result()
    for number in range(100):
        inbox.tell(Inbox.keep, number)
    kept = inbox.ask(Inbox.kept).result()
    state = inbox.mailbox().inspect().result()
    print(json.dumps({"kept": len(kept), "room": state.capacity_messages}))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed in it."""
    folder = tmp_path_factory.mktemp("site")
    # A copy: building leaves files beside the sources.
    sources = folder / "sources"
    sources.mkdir()
    for file in PACKAGE.iterdir():
        if file.is_file():
            (sources / file.name).write_bytes(file.read_bytes())
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", folder, sources],
        check=True,
        timeout=5 * SECONDS,
    )
    return folder


def run(site: Path, program: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SECONDS,
    )


def test_actors_use_the_transport_of_an_installed_package(site: Path) -> None:
    done = run(site, PROGRAM)

    assert done.stderr == ""
    assert json.loads(done.stdout) == {"kept": 100, "room": 256}


def test_scheme_that_nobody_offers_names_those_that_are_installed(site: Path) -> None:
    done = run(site, PROGRAM.replace('"roomy"', '"wide"'))

    assert "'mq', 'pipe', 'roomy', 'shm', 'unix'" in done.stderr.splitlines()[-1]


def test_package_that_offers_no_transport_is_an_error_that_names_it(
    site: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "empty_transport-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: empty-transport\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[actors.transports]\nempty = os:path\n")

    done = run(tmp_path, PROGRAM.replace('"roomy"', '"empty"'))

    last = done.stderr.splitlines()[-1]
    assert "the transport 'empty' of an installed package (os:path) is none" in last
    assert "it lacks connect, create" in last
