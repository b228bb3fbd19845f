"""The C core under sanitizers, with threads in the place of processes."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE / "threads_on_a_ring.c"
INCLUDE = HERE.parents[2] / "transports"
SANITIZERS = {
    "none": [],
    "thread": ["-fsanitize=thread"],
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_threads_exchange_every_frame_and_no_sanitizer_objects(
    tmp_path: Path, sanitizer: str
) -> None:
    built = tmp_path / "threads"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    flags = [
        "-std=c11",
        "-g",
        "-O1",
        "-pthread",
        f"-I{INCLUDE}",
        *SANITIZERS[sanitizer],
    ]
    command = [compiler, *flags, str(SOURCE), "-o", str(built)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"the compiler has no {sanitizer} sanitizer")

    done = subprocess.run([built], check=False, capture_output=True, text=True)

    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the sanitizer cannot run with this kernel's address layout")
    assert (done.returncode, done.stderr) == (0, "")
