"""Every restart type with every way to end, under every strategy, with processes."""

from __future__ import annotations

import pytest

from actors import ActorSystem, options
from tests.support.gates import wait_until
from tests.support.trees import Member, wait_until_settled

CLEAN, CRASHES = ("stop",), ("raise", "kill", "exit")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("how", [*CLEAN, *CRASHES])
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_end_means_what_restart_type_and_strategy_say(
    system: ActorSystem, strategy: str, how: str, restart: str
) -> None:
    first = options(id="first").child(Member)
    middle = options(id="middle", restart=restart).child(Member)  # type: ignore[arg-type]
    last = options(id="last").child(Member)
    tree = system.options(strategy=strategy).supervise(first, middle, last).result(20)  # type: ignore[arg-type]

    tree.ref(middle).tell(Member.end, how)

    expected = {"first": "running", "middle": "running", "last": "running"}
    is_restarted = restart == "permanent" or (restart == "transient" and how in CRASHES)
    if not is_restarted:
        tree.ref(middle).ended().result(20)
        if restart == "temporary":
            del expected["middle"]
        else:
            expected["middle"] = "ended"
    wait_until_settled(tree, expected)
    lives = [1, 2, 1] if is_restarted else [1, 1, 1]
    if is_restarted and strategy == "one_for_all":
        lives = [2, 2, 2]
    if is_restarted and strategy == "rest_for_one":
        lives = [1, 2, 2]
    if "middle" not in expected:
        del lives[1]
    wait_until(
        lambda: [child.incarnation for child in tree.children().result(20)] == lives,
        f"the lives {lives}",
    )
    wait_until_settled(tree, expected)
    tree.stop().result(20)
