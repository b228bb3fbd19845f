"""What the set-up says on a machine that lacks something, before pip says it in a page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

OLD = "import sys; sys.version_info = (3, 10, 13, 'final', 0)\n"
HEADERLESS = (
    "import sysconfig; found = sysconfig.get_path\n"
    "sysconfig.get_path = lambda name: "
    "'/nonexistent' if name == 'include' else found(name)\n"
)
MISSING = "raise ModuleNotFoundError('as if it were not installed')\n"


def interpreter(folder: Path, module: str, source: str) -> Path:
    """Return a Python that finds *source* where it looks for *module*."""
    (folder / f"{module}.py").write_text(source)
    script = folder / "python3.13"
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH={folder} exec {sys._base_executable} "$@"\n'  # type: ignore[attr-defined]  # unknown to typeshed
    )
    script.chmod(0o700)
    return script


def set_up(
    python: Path | str, venv: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci" / "setup", python, venv, "run"],
        cwd=venv.parent,  # where there is no project: nothing gets installed by mistake
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "source", "packages"),
    [
        ("sitecustomize", OLD, ["python3.11", "3.11 or newer"]),
        ("sitecustomize", HEADERLESS, ["python3.13-dev", "python3.13-devel"]),
        ("ensurepip", MISSING, ["python3.13-venv", "python3.13-libs"]),
        ("venv", MISSING, ["python3.13-venv", "python3.13-libs"]),
    ],
    ids=["too-old", "no-headers", "no-ensurepip", "no-venv"],
)
def test_setup_names_what_to_install_in_one_line_when_python_is_incomplete(
    tmp_path: Path, module: str, source: str, packages: list[str]
) -> None:
    python = interpreter(tmp_path, module, source)

    result = set_up(python, tmp_path / "venv")

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert all(name in result.stderr for name in packages)
    assert not (tmp_path / "venv").exists()


def test_setup_names_what_to_install_when_there_is_no_python(tmp_path: Path) -> None:
    result = set_up("python3.99", tmp_path / "venv")

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "python3.99 does not start: apt install python3" in result.stderr


def test_setup_names_what_to_install_when_there_is_no_compiler(tmp_path: Path) -> None:
    result = set_up(sys.executable, tmp_path / "venv", CC="no-such-compiler")

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "apt install gcc libc6-dev" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_setup_names_what_to_install_when_the_compiler_cannot_link(
    tmp_path: Path,
) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\nexec cc -fsyntax-only -nostdinc "$@"\n')
    compiler.chmod(0o700)

    result = set_up(sys.executable, tmp_path / "venv", CC=str(compiler))

    assert result.returncode == 1
    assert "cc does not compile and link a C program" in result.stderr


def test_make_shows_the_sentence_and_runs_nothing_when_python_is_missing() -> None:
    result = subprocess.run(
        ["make", "demo", "PYTHON=/nonexistent/python3.99"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert result.returncode == 2
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "wordcount" not in result.stdout


def test_a_program_beside_a_clone_called_actors_finds_the_package(
    tmp_path: Path,
) -> None:
    """The folder was found first, as a package without content (an editable install finds ours after everything else)."""
    (tmp_path / "actors").symlink_to(ROOT)
    program = tmp_path / "counter.py"
    program.write_text("from actors import Actor\nprint(Actor.__module__)\n")

    done = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("actors.actor\n", "")
