"""The documentation tells the truth: its code runs, prints what the page says, and its tables match the program."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from actors import ActorSystem
from actors.options import Options
from tests.support import docs
from tests.support.docs import ROOT
from tests.support.plugin import needs_plugin

GUIDE = ROOT / "docs" / "getting-started.md"
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"python", "text", "console", "c", "markdown", "toml"}

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ROW = re.compile(r"^\| `(\w+)` \| `([^`]*)` \|", re.MULTILINE)
_FIGURE = re.compile(r"\d[\d,.]*")


def name_of(page: Path) -> str:
    """Return what a person calls *page*."""
    return str(page.relative_to(ROOT))


def scripts_of(page: Path) -> list[docs.Command]:
    """Return the commands of *page* that run Python."""
    return [each for each in docs.commands(page) if each.line.startswith("python ")]


def links_of(page: Path) -> list[tuple[str, str]]:
    """Return the links of *page* to files and sections of ours, as path and section."""
    links = _LINK.findall(page.read_text())
    parts = [link.partition("#") for link in links if "://" not in link]
    return [(path, section) for path, _, section in parts]


def test_every_fenced_block_says_what_it_is() -> None:
    unknown = [
        f"{name_of(page)}:{block.line}"
        for page in PAGES
        for block in docs.blocks(page)
        if block.language not in LANGUAGES
    ]

    assert unknown == []


def test_every_fence_that_is_opened_is_closed() -> None:
    fences = {
        name_of(page): len(re.findall(r"^```", page.read_text(), re.MULTILINE))
        for page in PAGES
    }

    assert fences == {name_of(page): 2 * len(docs.blocks(page)) for page in PAGES}


def test_every_file_that_a_page_shows_is_run_on_the_page() -> None:
    shown = {
        name_of(page): {name for name in docs.files(page) if name.endswith(".py")}
        for page in PAGES
    }

    assert shown == {
        name_of(page): {
            word
            for script in scripts_of(page)
            for word in script.line.split()
            if word.endswith(".py") and "=" not in word
        }
        for page in PAGES
    }


def test_every_relative_link_leads_to_a_file() -> None:
    missing = [
        f"{name_of(page)}: {path}"
        for page in PAGES
        for path, _ in links_of(page)
        if not (page.parent / path).exists()
    ]

    assert missing == []


def test_every_link_to_a_section_finds_its_heading() -> None:
    missing = [
        f"{name_of(page)}: {path}#{section}"
        for page in PAGES
        for path, section in links_of(page)
        if section and section not in docs.anchors(page.parent / path if path else page)
    ]

    assert missing == []


def test_every_decision_has_a_number_of_its_own_and_says_it() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    numbers = [page.name.partition("-")[0] for page in pages]

    assert numbers == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert numbers == [page.read_text().split()[1] for page in pages]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if docs.steps(page)], ids=name_of
)
def test_the_session_of_a_page_prints_what_the_page_says(
    page: Path, tmp_path: Path
) -> None:
    docs.save_files(page, tmp_path)
    steps = docs.steps(page)

    printed, log = docs.run_session(page, tmp_path)

    expected = [docs.split_expected(step.expected or "") for step in steps]
    wrong = {
        f"{page.name}:{step.line}": found
        for step, wanted, got in zip(steps, expected, printed, strict=True)
        if (found := docs.difference(wanted.text, got))
    }
    assert wrong == {}, "\n".join(f"{place}\n{text}" for place, text in wrong.items())
    expected_log = [line for wanted in expected for line in wanted.log]
    assert docs.is_in_order(docs.masked_log(expected_log), docs.masked_log(log)), (
        "\n".join(log)
    )


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=needs_plugin if "pytest" in page.read_text() else ())
        for page in PAGES
        if scripts_of(page)
    ],
    ids=name_of,
)
def test_the_scripts_of_a_page_print_what_the_page_says(
    page: Path, tmp_path: Path
) -> None:
    docs.save_files(page, tmp_path)

    for script in scripts_of(page):
        output = docs.run_script(script.line, tmp_path)

        expected = docs.split_expected(script.expected)
        wrong = docs.difference(expected.text, output.text)
        assert not wrong, f"$ {script.line}\n{wrong}"
        assert docs.masked_log(output.log) == docs.masked_log(expected.log)


def test_every_make_target_that_a_page_names_exists() -> None:
    known = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )

    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:`|\$ )make ([a-z]+)", page.read_text())
    }

    assert named <= known


def test_the_readme_shows_the_last_lines_of_the_demo() -> None:
    [demo] = [
        command for command in docs.commands(README) if command.line == "make demo"
    ]

    done = subprocess.run(
        [sys.executable, "examples/wordcount.py", "actors", "--kill", "0.1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=docs.SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    expected = [line for line in demo.expected.splitlines() if line != "..."]
    printed = done.stdout.splitlines()[-len(expected) :]
    assert [_FIGURE.sub("#", line) for line in printed] == [
        _FIGURE.sub("#", line) for line in expected
    ]


def test_the_table_of_options_has_every_option_and_its_default() -> None:
    section = GUIDE.read_text().partition("## Options")[2].partition("\n## ")[0]

    table = dict(_ROW.findall(section))

    fields = {field.name: repr(field.default) for field in attrs.fields(Options)}
    assert table == fields


def test_the_table_of_system_settings_has_every_argument_and_its_default() -> None:
    section = GUIDE.read_text().partition("## Settings of a system")[2]

    table = dict(_ROW.findall(section.partition("\n## ")[0]))

    parameters = inspect.signature(ActorSystem).parameters.values()
    named = [each for each in parameters if each.kind is not each.VAR_KEYWORD]
    assert table == {each.name: repr(each.default) for each in named}


def test_the_table_of_events_has_every_kind_that_is_published() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "actors").rglob("*.py"))
    section = GUIDE.read_text().partition("| kind | what happened |")[2]

    table = re.findall(r"^\| `(\w+)` \|", section.partition("\n\n")[0], re.MULTILINE)

    published = set(re.findall(r'\bpublish\(\s*"(\w+)"', sources))
    assert set(table) == published | {"events_dropped"}


def test_the_c_code_of_the_pages_is_that_of_the_ring() -> None:
    source = (ROOT / "transports" / "ring.h").read_text()
    shown = [
        block.text
        for page in PAGES
        for block in docs.blocks(page)
        if block.language == "c"
    ]

    assert shown
    assert [text for text in shown if text not in source] == []
