"""Definitions that cannot be imported, between processes of which only one has them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
DEFINER = PROGRAMS / "definer.py"
SOURCE = DEFINER.read_text()
CHECKS = re.findall(r"^def (check_\w+)", SOURCE, re.MULTILINE)

IN_NAMESPACE = (
    "import sys; exec(compile(open({path!r}).read(), {path!r}, 'exec'), {names})"
)

WAYS = {
    "file": [str(DEFINER)],
    "command": ["-c", SOURCE],
    "standard input": ["-"],
    "exec": ["-c", IN_NAMESPACE.format(path=str(DEFINER), names={"__name__": "cell"})],
    "exec without a name": ["-c", IN_NAMESPACE.format(path=str(DEFINER), names={})],
}


@pytest.mark.parametrize("way", WAYS)
def test_definitions_keep_identity_and_behaviour_in_another_process(
    way: str, code_dir: Path
) -> None:
    done = subprocess.run(
        [sys.executable, *WAYS[way], str(code_dir), str(PROGRAMS / "other.py")],
        input=SOURCE if way == "standard input" else None,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(done.stdout)
    assert {
        name: result for name, result in results.items() if result is not True
    } == {}
    assert list(results) == CHECKS
