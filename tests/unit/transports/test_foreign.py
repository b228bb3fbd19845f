"""Other distributions of our packages' names are noticed as ours are imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent.parent


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder in which our packages are installed."""
    folder = tmp_path / "site-packages"
    for package in ("actors", "transports"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    metadata = folder / "actors_runtime-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text("actors/__init__.py,,\ntransports/__init__.py,,\n")
    return folder


def install(target: Path, name: str, *files: str) -> None:
    """Make a wheel and unpack it, as an installer does."""
    wheel = target.parent / f"{name}-9.9-py3-none-any.whl"
    record = f"{name}-9.9.dist-info/RECORD"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in files:
            archive.writestr(file, "'''Not ours.'''\n")
        archive.writestr(record, "".join(f"{file},,\n" for file in (*files, record)))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)


def import_error(target: Path, *statements: str, before: Path | None = None) -> str:
    """Return the last line that Python prints as it runs *statements*, empty if nothing goes wrong."""
    path = [str(entry) for entry in (before, target) if entry]
    program = f"import sys; sys.path[:0] = {path!r}\n" + "\n".join(statements)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    return done.stderr.strip().rpartition("\n")[2]


def test_our_packages_alone_are_imported(target: Path) -> None:
    install(target, "actors_extra", "actors_extra/__init__.py")

    assert import_error(target, "import actors, transports") == ""


def test_a_foreign_distribution_that_came_before_ours_is_named(target: Path) -> None:
    install(target, "actors", *(f"actors/old_{n}.py" for n in range(5)))

    error = import_error(target, "from actors import ActorSystem")

    assert error == (
        "ImportError: the distribution 'actors' 9.9 has put files into the packages of actors-runtime "
        f"in {target}: actors/old_0.py, actors/old_1.py, actors/old_2.py, ...; "
        "run 'pip uninstall actors' and then 'pip install --force-reinstall actors-runtime'"
    )


@pytest.mark.parametrize("statement", ["import transports", "import actors.system"])
def test_a_foreign_distribution_that_replaced_our_files_is_named(
    target: Path, statement: str
) -> None:
    install(target, "actors", "actors/__init__.py", "actors/ref.py")

    error = import_error(target, statement)

    assert "the distribution 'actors' 9.9" in error
    assert "actors/__init__.py, actors/ref.py;" in error


def test_a_foreign_distribution_of_transports_is_named(target: Path) -> None:
    install(target, "transports", "transports/http.py")

    assert "the distribution 'transports' 9.9" in import_error(target, "import actors")


@pytest.mark.parametrize("name", ["transports.py", "transports/__init__.py"])
def test_another_package_transports_that_comes_first_is_named(
    target: Path, tmp_path: Path, name: str
) -> None:
    other = tmp_path / "elsewhere"
    (other / name).parent.mkdir(parents=True)
    (other / name).touch()

    error = import_error(target, "from actors import ActorSystem", before=other)

    assert error.startswith("ImportError: actors needs its own package transports")
    assert str(other / name) in error
