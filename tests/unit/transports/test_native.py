"""The C core without Python, under sanitizers, for a moment; ``make sanitize`` and ``make fuzz`` take longer."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
INCLUDE = NATIVE.parents[1] / "transports"
THREAD = ["-fsanitize=thread"]
ADDRESS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def built(folder: Path, sanitizer: list[str], *sources: str) -> Path:
    program = folder / "program"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    flags = ["-std=gnu11", "-g", "-O1", "-pthread", f"-I{INCLUDE}", *sanitizer]
    command = [compiler, *flags, *(NATIVE / name for name in sources), "-o", program]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"the compiler has no {sanitizer[0]}")
    return program


def check(program: Path, *args: str) -> None:
    done = subprocess.run(
        [program, *args], check=False, capture_output=True, text=True, timeout=60
    )

    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the sanitizer cannot run with this kernel's address layout")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "sanitizer", [THREAD, ADDRESS, ["-O2"]], ids=["thread", "address", "none"]
)
def test_threads_exchange_every_frame_and_no_sanitizer_objects(
    tmp_path: Path, sanitizer: list[str]
) -> None:
    check(built(tmp_path, sanitizer, "threads_on_a_ring.c"), "0")


def test_processes_that_are_killed_account_for_every_frame(tmp_path: Path) -> None:
    check(built(tmp_path, ADDRESS, "processes_on_a_ring.c"), "1", "1")


def test_reader_survives_bytes_that_change_between_any_two_reads(
    tmp_path: Path,
) -> None:
    check(built(tmp_path, ADDRESS, "fuzz_the_reader.c", "random_inputs.c"), "1", "1")
