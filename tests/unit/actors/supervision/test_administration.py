"""The table of requests and answers, and what becomes of a child."""

from __future__ import annotations

import pytest

from tests.support.groups import CRASH, NORMAL, Tree


def tree_with(phase: str, **options: object) -> Tree:
    """Return a tree whose child a is in *phase*."""
    tree = Tree({"restart": "transient", **options})
    if phase == "running":
        pass
    elif phase == "starting":
        tree.slow_to_start = "a"
        tree.die("a")
    elif phase == "stopping":
        tree.slow_to_stop = "a"
        tree.ask("renew_child", "a")
    elif phase == "restarting":
        tree = Tree("permanent", "transient", strategy="one_for_all", slow_to_stop="b")
        tree.die("a")
    elif phase == "stopped":
        tree.ask("stop_child", "a")
    elif phase == "ended":
        tree.die("a", NORMAL)
    elif phase == "ignored":
        tree.die("a", NORMAL, lived=None, is_ignored=True)
    assert tree.phases["a"] == phase
    tree.done()
    return tree


WITH_PROCESS = ["starting", "running", "stopping"]
DOWN = ["stopped", "ended", "ignored"]


@pytest.mark.parametrize(
    ("request_", "phases", "reply"),
    [
        ("start_child", WITH_PROCESS, "already_started"),
        ("start_child", ["restarting", *DOWN], "already_present"),
        ("stop_child", [*WITH_PROCESS, "restarting", *DOWN], "ok"),
        ("restart_child", WITH_PROCESS, "running"),
        ("restart_child", ["restarting"], "restarting"),
        ("restart_child", DOWN, "ok"),
        ("delete_child", WITH_PROCESS, "running"),
        ("delete_child", ["restarting"], "restarting"),
        ("delete_child", DOWN, "ok"),
        ("renew_child", [*WITH_PROCESS, *DOWN], "ok"),
        ("renew_child", ["restarting"], "restarting"),
    ],
)
def test_request_is_answered_as_in_the_table(
    request_: str, phases: list[str], reply: str
) -> None:
    replies = {phase: tree_with(phase).ask(request_, "a") for phase in phases}

    assert replies == dict.fromkeys(phases, reply)


@pytest.mark.parametrize(
    "request_", ["stop_child", "restart_child", "delete_child", "renew_child"]
)
def test_request_about_an_unknown_child_is_not_found(request_: str) -> None:
    assert Tree("permanent").ask(request_, "z") == "not_found"


@pytest.mark.parametrize("request_", ["restart_child", "delete_child"])
def test_pool_answers_that_it_is_one(request_: str) -> None:
    assert Tree("permanent", strategy="pool").ask(request_, "a") == "pool"


@pytest.mark.parametrize("request_", ["start_child", "restart_child", "renew_child"])
def test_nothing_is_started_while_the_supervisor_ends(request_: str) -> None:
    tree = Tree("permanent", "permanent", slow_to_stop="b")
    tree.ask("stop_child", "a")
    tree.leave()
    name = "c" if request_ == "start_child" else "a"

    assert tree.ask(request_, name) == "shutting_down"
    assert tree.phases == {"a": "stopped", "b": "stopping"}


def test_added_child_starts_behind_all_others() -> None:
    tree = Tree("permanent", strategy="one_for_all")
    tree.ask("start_child", "b")
    tree.done()

    tree.die("b")

    assert tree.done() == "-a +a +b"


def test_added_child_that_does_not_start_is_forgotten_at_no_cost() -> None:
    tree = Tree("permanent")
    tree.slow_to_start = "b"
    tree.ask("start_child", "b")

    tree.fail("b")

    assert tree.phases == {"a": "running"}
    assert tree.paid == 0


def test_added_child_that_has_been_ready_is_restarted_like_any_other() -> None:
    tree = Tree("permanent")
    tree.ask("start_child", "b")
    tree.done()

    tree.die("b")

    assert tree.done() == "+b"


@pytest.mark.parametrize("phase", ["running", "starting", "stopping"])
def test_stopped_child_stays_down(phase: str) -> None:
    tree = tree_with(phase)

    tree.ask("stop_child", "a")
    if phase == "stopping":
        tree.gone("a")

    assert tree.phases == {"a": "stopped"}
    assert tree.running == ""


def test_stopped_child_that_is_temporary_is_forgotten() -> None:
    tree = Tree("temporary")

    tree.ask("stop_child", "a")

    assert tree.phases == {}


def test_stop_calls_off_a_restart_that_waits() -> None:
    tree = tree_with("restarting")

    tree.ask("stop_child", "a")
    tree.gone("b")

    assert tree.done() == "+b"
    assert tree.phases == {"a": "stopped", "b": "running"}


def test_stop_by_hand_does_not_wait_for_a_round() -> None:
    tree = Tree(*["permanent"] * 3, strategy="rest_for_one", slow_to_stop="ac")
    tree.die("b")
    tree.done()

    tree.ask("stop_child", "a")

    assert tree.done() == "-a"


def test_child_that_is_stopped_during_the_first_start_holds_up_nobody() -> None:
    tree = Tree("permanent", "permanent", slow_to_start="a")
    tree.done()

    tree.ask("stop_child", "a")

    assert tree.done() == "-a +b"
    assert tree.group.is_up


def test_child_that_cannot_be_started_by_hand_stays_down_at_no_cost() -> None:
    tree = tree_with("stopped")
    tree.slow_to_start = "a"
    tree.ask("restart_child", "a")

    tree.fail("a")

    assert tree.phases == {"a": "stopped"}
    assert tree.paid == 0


def test_child_started_by_hand_has_a_clean_record() -> None:
    tree = Tree({"max_in_a_row": 1}, intensity=99)
    tree.die("a", lived=0)
    tree.ask("stop_child", "a")

    tree.ask("restart_child", "a")
    tree.die("a", lived=0)

    assert tree.left is None


def test_renewed_child_takes_nobody_along_and_costs_nothing() -> None:
    tree = Tree("permanent", "permanent", strategy="one_for_all")
    tree.done()

    tree.ask("renew_child", "a")

    assert tree.done() == "-a +a"
    assert tree.paid == 0


def test_child_that_is_fresh_already_is_not_renewed() -> None:
    tree = tree_with("starting")

    tree.ask("renew_child", "a")

    assert tree.done() == ""


def test_child_that_is_being_stopped_stays_down_though_somebody_renews_it() -> None:
    tree = Tree("permanent", slow_to_stop="a")
    tree.ask("stop_child", "a")

    tree.ask("renew_child", "a")
    tree.gone("a")

    assert tree.phases == {"a": "stopped"}


def test_renewed_child_that_then_fails_to_start_has_failed() -> None:
    tree = Tree("permanent", "permanent", strategy="one_for_all")
    tree.slow_to_start = "a"
    tree.ask("renew_child", "a")
    tree.done()

    tree.fail("a", CRASH)

    assert tree.done() == "-b +a"
    assert tree.paid == 1


def test_renewed_child_that_is_temporary_is_forgotten_when_it_fails() -> None:
    tree = Tree("temporary")
    tree.slow_to_start = "a"
    tree.ask("renew_child", "a")

    tree.fail("a")

    assert tree.phases == {}
    assert tree.paid == 0


def test_member_of_a_pool_that_is_stopped_is_forgotten() -> None:
    tree = Tree("permanent", "permanent", strategy="pool")

    tree.ask("stop_child", "a")

    assert tree.phases == {"b": "running"}
