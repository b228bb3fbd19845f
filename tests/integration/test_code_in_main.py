"""Classes, functions and exceptions that are defined in ``__main__``, in each way a program can be run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.programs import SCRIPTS, outcome_of

CODE = SCRIPTS / "main_code.py"
WORDS = (
    "ran value type argument enum plain derived cause stand-in lambda lookup "
    "restart end"
)


def run(*arguments: str, text: str = "") -> str:
    """Return what ``python ARGUMENTS`` wrote, with *text* as its standard input."""
    return outcome_of(*arguments, text=text).stdout.strip()


WAYS: dict[str, Callable[[], str]] = {
    "script": lambda: run(str(CODE)),
    "module": lambda: run("-m", "tests.support.scripts.main_code"),
    "-c": lambda: run("-c", CODE.read_text()),
    "standard input": lambda: run("-", text=CODE.read_text()),
    "notebook": lambda: run(str(SCRIPTS / "notebook.py"), str(CODE)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_is_defined_in_main_works_without_a_main_guard(
    way: Callable[[], str],
) -> None:
    assert way() == WORDS


def test_a_class_that_is_defined_anew_in_a_notebook_is_another_class() -> None:
    output = run(str(SCRIPTS / "notebook.py"), str(SCRIPTS / "redefine.py"))

    assert output.splitlines() == ["hello a", "good morning b", "hello c"]
