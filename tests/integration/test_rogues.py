"""Children that misbehave, each in its own way, under a supervisor that restarts them all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import (
    ActorRef,
    ActorSystem,
    Event,
    ExitKind,
    SystemFailedError,
    options,
)
from tests.support.gates import Gate, wait_until
from tests.support.procfs import children_of, is_gone, state_of
from tests.support.rogues import Doomed, Late, Rogue
from tests.support.trees import (
    Hopeless,
    Member,
    pids,
    wait_until_renewed,
    wait_until_settled,
)

GO_ON: tuple[str, ...] = (
    "ignore_sigterm",
    "block_sigterm",
    "leave_grandchildren",
    "hang_in_c",
    "stop_itself",
)
STANDING = ("hang_in_c", "stop_itself")
PATIENCE = 0.05  # seconds that each of them has to end in order
ENDS: dict[str, dict[str, object]] = {
    "exit_without_a_word": {"kind": ExitKind.EXIT_CODE, "exit_code": 0},
    "segfault": {"kind": ExitKind.SIGNAL, "signal": "SIGSEGV"},
    "exhaust_memory": {"kind": ExitKind.EXCEPTION, "exc_type": "MemoryError"},
    "close_all_descriptors": {},  # what it trips over first is its own business
}


def test_round_goes_through_whatever_its_members_do(
    system: ActorSystem, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    first = options(id="first").child(Member)
    rogues = [options(id=how, shutdown=PATIENCE).child(Rogue) for how in GO_ON]
    tree = system.options(strategy="one_for_all").supervise(first, *rogues).result(20)
    refs: dict[str, ActorRef[Rogue]] = dict(
        zip(GO_ON, map(tree.ref, rogues), strict=True)
    )
    before = pids(tree.ref(first), *refs.values())
    processes = dict(zip(GO_ON, before[1:], strict=True))
    for how, ref in refs.items():
        ref.tell(Rogue.misbehave, how, str(mark) if how == "hang_in_c" else "")
    pids(*(refs[how] for how in GO_ON if how not in STANDING))  # they have done it
    wait_until(mark.exists, "the one that hangs")
    grandchildren = children_of(processes["leave_grandchildren"])
    wait_until(lambda: state_of(processes["stop_itself"]) == "T", "the one that stops")
    behind = [refs[how].ask(Member.pid) for how in STANDING]

    os.kill(before[0], signal.SIGKILL)

    wait_until_renewed(tree.ref(first), before[0])
    for how, ref in refs.items():
        wait_until_renewed(ref, processes[how])
    assert len(grandchildren) == 2
    assert all(map(is_gone, [*before, *grandchildren]))
    after = pids(*(refs[how] for how in STANDING))
    assert [each.result(20) for each in behind] == after
    tree.stop().result(20)


@pytest.mark.parametrize("how", ENDS)
def test_end_without_a_goodbye_restarts_those_that_come_after(
    system: ActorSystem, next_event: Callable[[str, str], Event], how: str
) -> None:
    begin = options(id="first").child(Member)
    middle = options(id="rogue", name=f"rogue-{how}").child(Rogue)
    end = options(id="last").child(Member)
    settings = system.options(strategy="rest_for_one")
    tree = settings.supervise(begin, middle, end).result(20)
    first, rogue, last = tree.ref(begin), tree.ref(middle), tree.ref(end)
    before = pids(first, rogue, last)

    rogue.tell(Rogue.misbehave, how)

    reason = next_event("child_exit", f"rogue-{how}").reason
    assert reason is not None
    assert not reason.clean
    assert {fact: getattr(reason, fact) for fact in ENDS[how]} == ENDS[how]
    wait_until_renewed(last, before[2])
    after = pids(first, rogue, last)
    assert after[0] == before[0]
    assert after[1] != before[1]
    tree.stop().result(20)


def test_death_of_one_that_was_restarted_already_runs_the_round_again(
    system: ActorSystem, gate: Gate
) -> None:
    a = options(id="a").child(Member)
    b = options(id="b").child(Late, gate.path)
    c = options(id="c").child(Member)
    tree = system.options(strategy="one_for_all").supervise(a, b, c).result(20)
    first, late = tree.ref(a), tree.ref(b)
    before = pids(first, late, tree.ref(c))
    Path(gate.path + ".closed").touch()
    os.kill(before[2], signal.SIGKILL)
    gate.wait_until_entered()  # a is ready again, b is not
    (second,) = pids(first)

    os.kill(second, signal.SIGKILL)
    third = wait_until_renewed(first, second)
    gate.open()

    wait_until_settled(tree, dict.fromkeys("abc", "running"))
    assert [child.incarnation for child in tree.children().result(20)] == [3, 3, 2]
    assert pids(first) == [third]
    tree.stop().result(20)


def test_child_that_never_starts_again_is_tried_as_often_as_intensity_says(
    system: ActorSystem, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    doomed = options(id="doomed").child(Doomed, str(flag))
    once = system.options(restart="temporary", intensity=3)
    tree = once.supervise(doomed).result(20)
    flag.touch()

    tree.ref(doomed).tell(Member.end, "kill")

    reason = tree.ended().result(20)
    assert reason.kind is ExitKind.INTENSITY_EXCEEDED
    assert flag.read_text().splitlines() == ["again"] * 3


def test_text_of_a_failed_system_has_the_reasons_of_all_levels(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    spec = options(name="hopeless").child(Hopeless, str(flag))
    low = options(name="low", intensity=0).supervisor(spec)
    middle = options(name="middle", intensity=0).supervisor(low)
    with ActorSystem(drain=0) as system:
        tree = system.options(name="high", intensity=0).supervise(middle).result(20)

        flag.touch()
        tree.ended().result(20)
        with pytest.raises(SystemFailedError) as failure:
            system.close()

    text = str(failure.value)
    for part in ("high", "middle", "low", "hopeless", "CrashError: again"):
        assert part in text
