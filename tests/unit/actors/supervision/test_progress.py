"""In which order a supervisor starts and stops its children."""

from __future__ import annotations

import pytest

from actors.exits import ExitKind, ExitReason
from actors.supervision import progress
from actors.supervision.backoff import Backoff
from tests.support.groups import KILLED, SHUTDOWN, Tree

STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"]


def mark_unkillable(tree: Tree, name: str) -> None:
    tree.group = progress.unkillable(tree.group, tree.key(name), KILLED)
    tree.advance()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_children_start_one_by_one_in_order(strategy: str) -> None:
    tree = Tree(*["permanent"] * 3, strategy=strategy, slow_to_start="abc")
    seen = [tree.done()]

    for name in "abc":
        tree.ready(name)
        seen.append(tree.done())

    assert seen == ["+a", "+b", "+c", ""]


def test_first_starts_run_side_by_side_where_the_options_say_so() -> None:
    tree = Tree(*["permanent"] * 4, start_concurrency=2, slow_to_start="abcd")
    first = tree.done()

    tree.ready("b")

    assert (first, tree.done()) == ("+a +b", "+c")


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_where_order_matters_first_starts_never_run_side_by_side(strategy: str) -> None:
    tree = Tree(
        *["permanent"] * 3, strategy=strategy, start_concurrency=2, slow_to_start="abc"
    )

    assert tree.done() == "+a"


def test_failed_first_start_ends_those_that_started_beside_it() -> None:
    tree = Tree(*["permanent"] * 3, start_concurrency=3, slow_to_start="abc")
    tree.done()

    tree.ready("a")
    tree.fail("b")

    assert tree.done() == "-c -a"


def test_supervisor_is_up_when_its_last_child_is_ready() -> None:
    tree = Tree("permanent", "permanent", slow_to_start="b")
    before = tree.group.is_up

    tree.ready("b")

    assert (before, tree.group.is_up) == (False, True)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_children_stop_one_by_one_in_reverse_order(strategy: str) -> None:
    tree = Tree(*["permanent"] * 3, strategy=strategy, slow_to_stop="abc")
    tree.done()

    tree.leave()
    seen = [tree.done()]
    for name in "cba":
        tree.gone(name)
        seen.append(tree.done())

    assert seen == ["-c", "-b", "-a", ""]
    assert tree.left == SHUTDOWN


def test_supervisor_without_children_leaves_at_once() -> None:
    tree = Tree()

    tree.leave()

    assert tree.left == SHUTDOWN


def test_end_calls_off_what_was_to_be_started() -> None:
    tree = Tree({"backoff": Backoff(min=5)}, "permanent")
    tree.die("a")
    tree.done()

    tree.leave()
    tree.wait(100)

    assert tree.done() == "-b"
    assert tree.phases == {"a": "stopped", "b": "stopped"}


def test_end_stops_at_once_who_is_not_ready_yet() -> None:
    tree = Tree(*["permanent"] * 3, slow_to_stop="c")
    tree.slow_to_start = "a"
    tree.die("a")
    tree.done()

    tree.leave()
    first = tree.done()
    tree.gone("c")

    assert (first, tree.done()) == ("-a -c", "-b")


def test_crash_while_stopping_restarts_nobody_and_costs_nothing() -> None:
    tree = Tree("permanent", "permanent", slow_to_stop="b")
    tree.leave()
    tree.done()

    tree.die("a")
    tree.die("b")

    assert tree.done() == ""
    assert tree.paid == 0
    assert tree.left == SHUTDOWN


def test_reason_of_an_end_is_the_first_one() -> None:
    tree = Tree("permanent", slow_to_stop="a")
    tree.leave()

    tree.leave(KILLED)
    tree.gone("a")

    assert tree.left == SHUTDOWN


def test_restarts_run_side_by_side_up_to_the_limit() -> None:
    tree = Tree(*["permanent"] * 4, start_concurrency=2, intensity=9)
    tree.slow_to_start = "abcd"
    tree.done()

    tree.die("abcd")
    first = tree.done()
    tree.ready("b")

    assert (first, tree.done()) == ("+a +b", "+c")


def test_delay_of_one_child_holds_up_no_other() -> None:
    tree = Tree({"backoff": Backoff(min=5)}, "permanent")
    tree.done()

    tree.die("ab")

    assert tree.done() == "+b"


def test_next_due_is_the_earliest_delay_that_is_not_over() -> None:
    slow, slower = Backoff(min=1, jitter=0), Backoff(min=2, jitter=0)
    tree = Tree({"backoff": slower}, {"backoff": slow})
    tree.die("ab")

    first = progress.next_due(tree.group, tree.now)
    tree.wait(1)
    second = progress.next_due(tree.group, tree.now)
    tree.wait(1)

    assert (first, second) == (101.0, 102.0)
    assert progress.next_due(tree.group, tree.now) is None


# What cannot be killed.


def test_end_goes_on_beside_what_cannot_be_killed() -> None:
    tree = Tree("permanent", "permanent", slow_to_stop="b")
    tree.leave()

    mark_unkillable(tree, "b")

    assert tree.log[-1] == "-a"
    assert tree.left == SHUTDOWN


def test_round_goes_on_beside_what_cannot_be_killed_and_starts_it_once_it_is_gone() -> (
    None
):
    tree = Tree(*["permanent"] * 3, strategy="one_for_all", slow_to_stop="b")
    tree.die("a")
    tree.done()

    mark_unkillable(tree, "b")
    first = tree.done()
    tree.gone("b")

    assert (first, tree.done()) == ("+a +c", "+b")
    assert tree.paid == 1


def test_first_start_fails_when_a_child_cannot_be_killed() -> None:
    tree = Tree("permanent", "permanent", slow_to_start="b")

    mark_unkillable(tree, "b")

    assert tree.running == ""
    assert tree.left == ExitReason(ExitKind.FAILED_TO_START, child_id="b", inner=KILLED)


# Who waits for whom.


def waits(tree: Tree) -> tuple[str, str]:
    """Return who is waited for, and who waits without a process."""
    found = progress.standstill(tree.group)
    return (
        "".join(sorted(map(tree.name, found.holding))),
        "".join(sorted(map(tree.name, found.down))),
    )


def test_those_to_be_stopped_hold_up_those_that_are_down_in_their_round() -> None:
    tree = Tree(*["permanent"] * 3, strategy="one_for_all", slow_to_stop="bc")
    tree.done()

    tree.die("a")
    tree.done()

    assert waits(tree) == ("bc", "a")


def test_one_that_starts_holds_up_those_after_it() -> None:
    tree = Tree(*["permanent"] * 3, slow_to_start="abc")
    tree.done()
    first = waits(tree)

    for name in "abc":
        tree.ready(name)
        tree.done()

    assert (first, waits(tree)) == (("a", "bc"), ("", ""))


def test_one_that_restarts_alone_is_held_up_by_nobody() -> None:
    tree = Tree({"backoff": Backoff(min=5)}, "permanent")
    tree.done()

    tree.die("a")
    tree.done()

    assert waits(tree) == ("", "")


def test_in_a_group_that_ends_the_living_hold_up_the_dead() -> None:
    tree = Tree(*["permanent"] * 3, slow_to_stop="ab")
    tree.done()

    tree.leave()
    tree.done()

    assert waits(tree) == ("ab", "c")
