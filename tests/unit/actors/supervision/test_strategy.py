"""What deaths mean, as in the table of Erlang's supervisor_SUITE: strategy, restart type, exit reason."""

from __future__ import annotations

import pytest

from actors.exits import ExitKind, ExitReason
from actors.supervision.backoff import Backoff
from tests.support.groups import CRASH, KILLED, NORMAL, SHUTDOWN, Tree

STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"]
TYPES = ["permanent", "transient", "temporary"]
REASONS = {"normal": NORMAL, "shutdown": SHUTDOWN, "abnormal": CRASH, "killed": KILLED}
CLEAN = {"normal", "shutdown"}


def fate(restart: str, reason: str) -> str:
    """Return what OTP's table says of a child."""
    if restart == "temporary":
        return "removed"
    if restart == "transient" and reason in CLEAN:
        return "ended"
    return "restarted"


CASES = [
    pytest.param(strategy, restart, reason, id=f"{strategy}-{restart}-{reason}")
    for strategy in STRATEGIES
    for restart in TYPES
    for reason in REASONS
]
EFFECTS = {
    "one_for_one": "+b",
    "one_for_all": "-c -a +a +b +c",
    "rest_for_one": "-c +b +c",
}


@pytest.mark.parametrize(("strategy", "restart", "reason"), CASES)
def test_death_of_a_child_has_the_effect_of_the_table(
    strategy: str, restart: str, reason: str
) -> None:
    tree = Tree("permanent", restart, "permanent", strategy=strategy)
    tree.done()

    tree.die("b", REASONS[reason])

    is_restarted = fate(restart, reason) == "restarted"
    assert tree.done() == (EFFECTS[strategy] if is_restarted else "")
    assert tree.paid == int(is_restarted)
    assert (
        tree.phases.get("b", "removed")
        == {
            "restarted": "running",
            "ended": "ended",
            "removed": "removed",
        }[fate(restart, reason)]
    )
    assert tree.left is None


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("restart", ["permanent", "transient"])
def test_supervisor_gives_up_when_a_child_dies_too_often(
    strategy: str, restart: str
) -> None:
    tree = Tree("permanent", restart, strategy=strategy, intensity=1)
    tree.die("b")
    tree.done()

    tree.die("b")

    assert tree.done() == "-a"
    assert tree.left == ExitReason(
        ExitKind.INTENSITY_EXCEEDED, child_id="b", count=2, period=5.0, inner=CRASH
    )


def test_restarts_that_lie_far_apart_are_no_reason_to_give_up() -> None:
    tree = Tree("permanent", intensity=1)

    for _ in range(5):
        tree.die("a")
        tree.wait(5.1)

    assert tree.left is None


# Rounds.


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_round_removes_temporary_members(strategy: str) -> None:
    tree = Tree("permanent", "temporary", strategy=strategy)
    tree.done()

    tree.die("a")

    assert tree.done() == "-b +a"
    assert tree.phases == {"a": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_round_starts_again_who_had_ended_or_ignored_its_start(strategy: str) -> None:
    tree = Tree("permanent", "transient", "permanent", strategy=strategy)
    tree.die("b", NORMAL)
    tree.die("c", NORMAL, lived=None, is_ignored=True)
    tree.done()

    tree.die("a")

    assert tree.done() == "+a +b +c"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_round_leaves_alone_who_was_stopped_by_somebody(strategy: str) -> None:
    tree = Tree("permanent", "permanent", "permanent", strategy=strategy)
    tree.ask("stop_child", "b")
    tree.done()

    tree.die("a")

    assert tree.done() == "-c +a +c"
    assert tree.phases["b"] == "stopped"


def test_round_of_rest_for_one_leaves_alone_who_was_started_before() -> None:
    tree = Tree(*["permanent"] * 4, strategy="rest_for_one")
    tree.done()

    tree.die("c")

    assert tree.done() == "-d +c +d"


def test_round_stops_strictly_one_after_another() -> None:
    tree = Tree(*["permanent"] * 4, strategy="one_for_all", slow_to_stop="bcd")
    tree.done()

    tree.die("a")
    first = tree.done()
    tree.gone("d")
    second = tree.done()
    tree.gone("c")

    assert (first, second, tree.done()) == ("-d", "-c", "-b")


def test_sibling_that_dies_while_it_waits_to_be_stopped_costs_nothing() -> None:
    tree = Tree(*["permanent"] * 3, strategy="one_for_all", slow_to_stop="c")
    tree.done()

    tree.die("a")
    tree.die("b")
    tree.gone("c", CRASH)

    assert tree.done() == "-c +a +b +c"
    assert tree.paid == 1


@pytest.mark.parametrize(
    ("strategy", "dying", "paid", "effect"),
    [
        ("one_for_one", "ab", 2, "+a +b"),
        ("one_for_all", "ab", 1, "-c +a +b +c"),
        ("rest_for_one", "ca", 1, "-b +a +b +c"),
        ("pool", "abc", 3, "+a +b +c"),
    ],
)
def test_batch_is_paid_in_start_order(
    strategy: str, dying: str, paid: int, effect: str
) -> None:
    tree = Tree(*["permanent"] * 3, strategy=strategy, start_concurrency=8)
    tree.done()

    tree.die(dying)

    assert tree.paid == paid
    assert tree.done() == effect


def test_batch_that_is_too_much_starts_nobody() -> None:
    tree = Tree(*["permanent"] * 3, intensity=1)
    tree.done()

    tree.die("ab")

    assert tree.done() == "-c"
    assert tree.left is not None
    assert tree.left.count == 2


def test_batch_restarts_a_member_whose_clean_end_a_round_covers() -> None:
    tree = Tree("permanent", "transient", strategy="rest_for_one")
    tree.done()

    tree.batch(a=CRASH, b=NORMAL)

    assert tree.done() == "+a +b"
    assert tree.paid == 1


# Failures in a round.


def test_one_for_all_starts_the_whole_group_again_when_a_member_fails() -> None:
    tree = Tree(*["permanent"] * 3, strategy="one_for_all")
    tree.slow_to_start = "b"
    tree.die("c")
    tree.done()

    tree.fail("b")

    assert tree.done() == "-a +a +b"
    assert tree.paid == 2


def test_rest_for_one_goes_on_from_the_member_that_failed() -> None:
    tree = Tree(*["permanent"] * 3, strategy="rest_for_one")
    tree.slow_to_start = "b"
    tree.die("a")
    tree.done()

    tree.fail("b")
    tree.ready("b")

    assert tree.done() == "+b +c"
    assert tree.paid == 2


def test_round_runs_again_when_a_member_dies_that_was_started_in_it() -> None:
    tree = Tree(*["permanent"] * 4, strategy="rest_for_one")
    tree.slow_to_start = "d"
    tree.die("b")
    tree.done()

    tree.die("c")
    tree.ready("d")

    assert tree.done() == "-d -b +b +c +d"
    assert tree.paid == 2


def test_round_grows_when_a_member_before_it_dies() -> None:
    tree = Tree(*["permanent"] * 3, strategy="rest_for_one", slow_to_stop="c")
    tree.die("b")
    tree.done()

    tree.die("a")
    tree.gone("c")

    assert tree.done() == "+a +b +c"
    assert tree.paid == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_child_whose_start_always_fails_is_tried_as_often_as_the_intensity(
    strategy: str,
) -> None:
    tree = Tree("permanent", strategy=strategy, intensity=3)
    tree.slow_to_start = "a"
    tree.done()

    tree.die("a")
    while tree.left is None:
        tree.fail("a")

    assert tree.done() == "+a +a +a"


def test_first_start_that_fails_stops_who_was_started_and_ends_the_supervisor() -> None:
    tree = Tree(*["permanent"] * 4, slow_to_start="c")

    tree.fail("c")

    assert tree.done() == "+a +b +c -b -a"
    assert tree.left == ExitReason(ExitKind.FAILED_TO_START, child_id="c", inner=CRASH)
    assert tree.paid == 0


def test_failed_start_counts_as_a_restart_whatever_it_died_of() -> None:
    tree = Tree("transient")
    tree.slow_to_start = "a"
    tree.die("a")

    tree.fail("a", NORMAL)

    assert tree.paid == 2
    assert tree.phases == {"a": "starting"}


# Delays and failures in a row.


def test_restart_waits_for_its_delay() -> None:
    tree = Tree({"backoff": Backoff(min=1, jitter=0)}, intensity=9)
    tree.done()

    tree.die("a", lived=1)
    tree.wait(0.9)
    too_early = tree.done()
    tree.wait(0.1)

    assert (too_early, tree.done()) == ("", "+a")


def test_delays_grow_until_a_life_was_long() -> None:
    backoff = Backoff(min=1, max=64, jitter=0, reset_after=10)
    tree = Tree({"backoff": backoff}, intensity=99)
    delays = []

    for lived in (0, 0, 0, 10, 0):
        tree.die("a", lived=lived)
        delays.append(tree.group.members[0].due - tree.now)
        tree.wait(delays[-1])

    assert delays == [1, 2, 4, 1, 2]


def test_round_stops_at_once_and_starts_after_the_delay_of_its_cause() -> None:
    slow = {"backoff": Backoff(min=2, jitter=0)}
    tree = Tree("permanent", slow, "permanent", strategy="one_for_all")
    tree.done()

    tree.die("b")
    before = tree.done()
    tree.wait(2)

    assert (before, tree.done()) == ("-c -a", "+a +b +c")


def test_many_that_die_at_once_start_apart_by_luck() -> None:
    spread = {"backoff": Backoff(min=1, jitter=1)}
    tree = Tree(spread, spread)

    tree.die("a", luck=0.5)
    tree.die("b", luck=0.25)

    assert [m.due - tree.now for m in tree.group.members.values()] == [1.5, 1.25]


def test_supervisor_gives_up_after_too_many_short_lives_in_a_row() -> None:
    tree = Tree({"max_in_a_row": 2}, intensity=1, period=1.0)
    tree.die("a", lived=0.5)
    tree.wait(100)
    tree.die("a", lived=0.5)
    tree.wait(100)
    assert tree.left is None

    tree.die("a", lived=0.5)

    assert tree.left == ExitReason(
        ExitKind.INTENSITY_EXCEEDED, child_id="a", count=3, inner=CRASH
    )


# Significant children.


def significant(restart: str = "transient") -> dict[str, object]:
    return {"restart": restart, "significant": True}


@pytest.mark.parametrize(
    ("restart", "reason"),
    [("transient", NORMAL), ("temporary", NORMAL), ("temporary", CRASH)],
    ids=["transient-normal", "temporary-normal", "temporary-abnormal"],
)
def test_any_significant_child_that_ends_ends_the_supervisor(
    restart: str, reason: ExitReason
) -> None:
    tree = Tree(
        "permanent", significant(restart), "permanent", auto_shutdown="any_significant"
    )
    tree.done()

    tree.die("b", reason)

    assert tree.done() == "-c -a"
    assert tree.left == ExitReason(ExitKind.AUTO_SHUTDOWN, child_id="b")


def test_significant_child_that_is_restarted_ends_nothing() -> None:
    tree = Tree(significant(), auto_shutdown="any_significant")

    tree.die("a", CRASH)

    assert tree.phases == {"a": "running"}


def test_all_significant_waits_for_the_last_of_them() -> None:
    tree = Tree(
        significant(), "permanent", significant(), auto_shutdown="all_significant"
    )

    tree.die("a", NORMAL)
    assert tree.left is None
    tree.die("c", NORMAL)

    assert tree.left == ExitReason(ExitKind.AUTO_SHUTDOWN, child_id="c")


def test_all_significant_sees_those_that_die_in_one_batch() -> None:
    tree = Tree(significant(), significant(), auto_shutdown="all_significant")

    tree.die("ab", NORMAL)

    assert tree.left == ExitReason(ExitKind.AUTO_SHUTDOWN, child_id="b")


def test_significant_child_that_somebody_stops_ends_nothing() -> None:
    tree = Tree(significant(), significant(), auto_shutdown="any_significant")

    tree.ask("stop_child", "a")
    tree.die("b", NORMAL, is_final=True)

    assert tree.left is None
    assert tree.phases == {"a": "stopped", "b": "stopped"}


def test_significant_child_that_a_round_takes_along_ends_nothing() -> None:
    tree = Tree(
        "permanent",
        significant("temporary"),
        strategy="one_for_all",
        auto_shutdown="any_significant",
    )

    tree.die("a")

    assert tree.left is None
    assert tree.phases == {"a": "running"}


def test_giving_up_goes_before_an_automatic_end() -> None:
    tree = Tree(
        significant(), "permanent", auto_shutdown="any_significant", intensity=0
    )

    tree.batch(a=NORMAL, b=CRASH)

    assert tree.left is not None
    assert tree.left.kind is ExitKind.INTENSITY_EXCEEDED


# Pools.


def test_pool_forgets_members_that_end() -> None:
    tree = Tree("transient", "transient", strategy="pool")

    tree.die("a", NORMAL)

    assert tree.phases == {"b": "running"}


def test_pool_adds_nothing_when_a_start_is_ignored_or_fails() -> None:
    tree = Tree(strategy="pool")
    tree.slow_to_start = "ab"
    tree.ask("start_child", "a")
    tree.ask("start_child", "b")

    tree.fail("a")
    tree.die("b", NORMAL, lived=None, is_ignored=True)

    assert tree.phases == {}
    assert tree.left is None


def test_pool_stops_all_at_once() -> None:
    tree = Tree(strategy="pool", slow_to_stop="abc")
    for name in "abc":
        tree.ask("start_child", name)
    tree.done()

    tree.leave()

    assert tree.done() == "-a -b -c"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_round_does_not_bring_back_who_was_to_end_for_good(strategy: str) -> None:
    tree = Tree("permanent", "permanent", strategy=strategy, slow_to_stop="b")
    tree.die("a")
    tree.done()

    tree.die("b", NORMAL, is_final=True)

    assert tree.done() == "+a"
    assert tree.phases == {"a": "running", "b": "stopped"}
