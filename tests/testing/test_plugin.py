"""The pytest plugin, in runs of its own: what a test leaves behind fails it, by name."""

from __future__ import annotations

import re

import pytest

from actors.testing import queues
from tests.support.plugin import needs_plugin

pytest_plugins = ["pytester"]
pytestmark = needs_plugin

# Plugins that these runs do not use: to import them takes a third of the time.
CONFIG = """
[pytest]
addopts = -p no:hypothesispytest -p no:xdist
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

# Found by actors too: their classes go by name, since the tests are in a module.
HEAD = """
import contextlib, mmap, os, subprocess, sys
from pathlib import Path
import posix_ipc
import pytest
from actors import Actor, ActorSystem
from actors.testing import leaks

leaks.LEAVING_SECONDS = 0.5  # these tests look at what never leaves

class Counter(Actor):
    def __init__(self):
        self.total = 0
    def add(self, amount: int) -> int:
        self.total += amount
        return self.total
    def crash(self) -> None:
        raise ValueError("asked to")
    def hold(self, path: str) -> None:
        Path(path).read_bytes()

made = []
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    return Run(pytester)


class Run:
    """Runs of pytest over one file."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        """Write the configuration."""
        self.pytester = pytester
        pytester.makeini(CONFIG)

    def __call__(self, source: str, *arguments: str) -> pytest.RunResult:
        """Run the tests in *source*."""
        self.pytester.makepyfile(HEAD + source)
        return self.pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def left_behind(result: pytest.RunResult) -> list[str]:
    """Return what the run says was left behind."""
    output = "\n".join(result.outlines)
    return re.findall(r"^left behind:\n((?:  .*\n)+)", output, re.MULTILINE)


def test_plain_and_async_tests_share_one_fixture(run: Run) -> None:
    result = run("""
def test_plain(system):
    counter = system.spawn(Counter).result()
    assert counter.ask(Counter.add, 2).result() == 2

async def test_async(system):
    counter = await system.spawn(Counter)
    assert await counter.ask(Counter.add, 2) == 2
""")

    result.assert_outcomes(passed=2)
    assert result.stderr.str() == ""


LEAKS = {
    "process": (
        "made.append(subprocess.Popen(['sleep', '5']))",
        r"  process \d+: sleep sleep 5",
    ),
    "descriptor": ("made.append(os.pipe())", r"  descriptor \d+ pipe:\[\d+\]"),
    # These two are kept open: by that, other runs of the tests tell whose they are.
    "file": (
        "made.append(os.open(f'/dev/shm/left-{os.getpid()}', os.O_CREAT))",
        r"  file (/dev/shm/left-\d+)\n  descriptor \d+ \1",
    ),
    "queue": (
        "made.append(posix_ipc.MessageQueue(f'/left-{os.getpid()}', posix_ipc.O_CREX))",
        r"  queue /dev/mqueue(/left-\d+)\n  descriptor \d+ \1",
    ),
    "system": (
        "made.append(ActorSystem('forgotten').start())",
        r"  file /dev/shm/actors-\d+/forgotten\.\d+",
    ),
    "dead_letter": (
        "counter = system.spawn(Counter).result(); counter.kill().result(); counter.tell(Counter.add, 1)",
        r"  dead letter Counter\.add to Counter-\d+ \(stopped\)",
    ),
    "crash": (
        "system.spawn(Counter).result().tell(Counter.crash)",
        r"  dead letter Counter\.crash to Counter-\d+ \(crashed\)",
    ),
}

# The runs have to leave nothing behind for ours.
TIDY = """
@pytest.fixture(autouse=True, scope="module")
def tidy():
    yield
    for each in made:
        if isinstance(each, subprocess.Popen):
            each.kill()
            each.wait()
        if isinstance(each, ActorSystem):
            each.close()
    Path(f"/dev/shm/left-{os.getpid()}").unlink(missing_ok=True)
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_message_queue(f"/left-{os.getpid()}")
"""


def test_each_kind_of_leak_fails_its_test_and_is_named(run: Run) -> None:
    kinds = {
        kind: leak
        for kind, leak in LEAKS.items()
        if kind != "queue" or queues.are_seen()
    }
    tests = [
        f"""
def test_{kind}(system):
    {statement}

def test_tidy_after_{kind}(system):
    pass
"""
        for kind, (statement, _) in kinds.items()
    ]

    result = run("\n".join([TIDY, *tests]))

    result.assert_outcomes(passed=2 * len(kinds), errors=len(kinds))
    for named, (_, said) in zip(left_behind(result), kinds.values(), strict=True):
        assert re.search(said, named)


def test_messages_still_queued_at_the_end_fail_the_test(run: Run) -> None:
    result = run("""
@pytest.mark.actor_system(drain=0)
def test_busy(system, tmp_path):
    os.mkfifo(tmp_path / "gate")
    counter = system.options(shutdown=0.1).spawn(Counter).result()
    counter.tell(Counter.hold, str(tmp_path / "gate"))
    for _ in range(30):
        counter.tell(Counter.add, 1)
""")

    result.assert_outcomes(passed=1, errors=1)
    [named] = left_behind(result)
    lines = named.splitlines()
    counted = [int(n) for n in re.findall(r"(\d+) more to Counter", named)]
    events = sum("Counter.add to" in line for line in lines)
    assert events + sum(counted) == 30, named


def test_what_a_test_may_leak_is_not_looked_for(run: Run) -> None:
    result = run(f"""{TIDY}
@pytest.mark.may_leak("descriptor", "dead_letter")
def test_leaky(system):
    made.append(os.pipe())
    counter = system.spawn(Counter).result()
    counter.kill().result()
    counter.tell(Counter.add, 1)
""")

    result.assert_outcomes(passed=1)


def test_no_leaks_works_without_a_system(run: Run) -> None:
    result = run(f"""{TIDY}
def test_leaky(no_leaks):
    made.append(os.pipe())
""")

    result.assert_outcomes(passed=1, errors=1)


def test_a_wrong_marker_says_what_is_accepted(run: Run) -> None:
    said = {
        "actor_system(transport='carrier-pigeon')": "transport='carrier-pigeon'",
        "actor_system(trnsport='unix')": "trnsport='unix': no such option; did you mean transport? There are directory",
        "actor_system('unix')": "give the settings by name",
        "may_leak('time')": "may_leak('time',): any of 'process', 'file', 'queue'",
    }
    tests = [
        f"@pytest.mark.{marker}\ndef test_{number}(system):\n    pass"
        for number, marker in enumerate(said)
    ]

    result = run("\n\n".join(tests))

    result.assert_outcomes(errors=len(said))
    for text in said.values():
        assert text in result.stdout.str()


def test_markers_of_a_class_hold_for_its_tests_and_theirs_come_first(run: Run) -> None:
    result = run(
        """
@pytest.mark.actor_system(name="outer", drain=0)
class TestIt:
    def test_outer(self, system):
        assert "outer" in repr(system)

    @pytest.mark.actor_system(name="inner")
    def test_inner(self, system):
        assert "inner" in repr(system)
""",
        "--strict-markers",
    )

    result.assert_outcomes(passed=2)


def test_the_plugin_imports_nothing_of_ours_until_a_fixture_is_used(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini(CONFIG)
    pytester.makepyfile("""
import sys

def test_it():
    assert "_actors_pytestplugin" in sys.modules
    assert not {"actors", "transports", "structlog"} & set(sys.modules)
""")

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)


def test_the_plugin_can_be_switched_off(run: Run) -> None:
    result = run(
        """
def test_it(system):
    pass
""",
        "-p",
        "no:actors",
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'system' not found*"])
