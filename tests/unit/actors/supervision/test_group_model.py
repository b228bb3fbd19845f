"""Random lives of a supervisor, against a model that knows nothing of phases and fates, and against what must hold at every step."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from actors.supervision import administration, progress, strategy
from actors.supervision.group import Group, Member, Phase
from actors.supervision.progress import Leave, Start, Stop
from actors.supervision.settings import ChildOptions, SupervisorOptions
from actors.supervision.strategy import Death
from tests.support.groups import CRASH, NORMAL, SHUTDOWN, Tree

STRATEGIES = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])
TYPES = st.lists(
    st.sampled_from(["permanent", "transient", "temporary"]), min_size=1, max_size=6
)


class Model:
    """What the text of the rules says, for a supervisor to which nothing happens while it is busy."""

    def __init__(self, kind: str, types: list[str]) -> None:
        self.kind = kind
        self.types = {chr(ord("a") + n): restart for n, restart in enumerate(types)}
        self.state = dict.fromkeys(self.types, "running")
        self.paid = 0

    def stop(self, name: str) -> None:
        if self.state[name] == "running":
            self.state[name] = "stopped"

    def covered_by(self, cause: str) -> list[str]:
        names = list(self.state)
        if self.kind == "one_for_all":
            return names
        if self.kind == "rest_for_one":
            return names[names.index(cause) :]
        return [cause]

    def batch(self, crashed: set[str], finished: set[str]) -> str:
        """Return what the supervisor does after these deaths."""
        covered: set[str] = set()
        dead = crashed | finished
        for name in [name for name in self.state if name in dead - covered]:
            if name in covered:
                continue
            restart = self.types[name]
            if restart == "temporary":
                del self.state[name]
            elif restart == "transient" and name in finished:
                self.state[name] = "ended"
            else:
                self.paid += 1
                covered |= set(self.covered_by(name))
        return self.round(covered, dead)

    def round(self, covered: set[str], dead: set[str]) -> str:
        members = [name for name in self.state if name in covered]
        alive = [n for n in members if self.state[n] == "running" and n not in dead]
        gone = [n for n in members if self.types[n] == "temporary"]
        start = [n for n in members if n not in gone and self.state[n] != "stopped"]
        self.state.update(dict.fromkeys(start, "running"))
        for name in gone:
            del self.state[name]
        return " ".join(
            [f"-{name}" for name in reversed(alive)] + [f"+{name}" for name in start]
        )


@given(STRATEGIES, TYPES, st.data())
def test_group_does_what_the_rules_say(
    kind: str, types: list[str], data: st.DataObject
) -> None:
    model = Model(kind, types)
    tree = Tree(*types, strategy=kind, intensity=10**6, period=10**6)
    tree.done()

    for _ in range(4):
        stopping = data.draw(st.sampled_from([*model.state, None]), "stopped")
        if stopping is not None and model.types[stopping] != "temporary":
            tree.ask("stop_child", stopping)
            model.stop(stopping)
            tree.done()
        running = [name for name, state in model.state.items() if state == "running"]
        deaths = {
            name: data.draw(st.sampled_from([CRASH, NORMAL, None]), name)
            for name in running
        }
        crashed = {name for name, reason in deaths.items() if reason is CRASH}
        finished = {name for name, reason in deaths.items() if reason is NORMAL}

        expected = model.batch(crashed, finished)
        tree.batch(**{name: reason for name, reason in deaths.items() if reason})

        assert tree.done() == expected
        assert tree.phases == model.state
        assert tree.paid == model.paid


class Life:
    """One supervisor to which anything happens at any time."""

    def __init__(self, options: SupervisorOptions, types: list[str]) -> None:
        children = {
            key: ChildOptions(id=str(key), restart=restart)  # type: ignore[arg-type]
            for key, restart in enumerate(types)
        }
        self.group = Group.of(options, children)
        self.now = 0.0
        self.deaths = 0
        self.has_left = False

    def members(self, *phases: Phase) -> list[Member]:
        return [m for m in self.group.members.values() if m.phase in phases]

    def step(self) -> bool:
        """Take one step, and check it; return whether there was something to do."""
        before = self.group
        self.group, actions = progress.advance(before, self.now)
        for action in actions:
            if isinstance(action, Leave):
                self.has_left = True
                assert before.leaving is not None
                assert not self.members(Phase.STARTING, Phase.RUNNING, Phase.STOPPING)
            elif isinstance(action, Start):
                self.check_start(before, action.key)
            else:
                self.check_stop(before, action)
        return bool(actions)

    def check_start(self, before: Group, key: int) -> None:
        assert before.leaving is None
        assert before.members[key].phase is Phase.RESTARTING
        assert before.members[key].due <= self.now
        if before.starts_in_order:
            started = self.members(Phase.STARTING)
            assert [member.key for member in started] == [key]
            waiting = self.members(Phase.RESTARTING)
            assert all(key < member.key for member in waiting)
            assert not any(before.members[k].is_doomed for k in before.round)
        starting = len(self.members(Phase.STARTING))
        assert starting <= before.options.starts_at_once

    def check_stop(self, before: Group, action: Stop) -> None:
        member = before.members[action.key]
        assert member.phase in {Phase.STARTING, Phase.RUNNING}
        if before.is_pool or member.phase is Phase.STARTING:
            return
        in_turn = before.members.keys() if before.leaving else before.round
        if member.key in in_turn:
            after_it = [before.members[k] for k in in_turn if k > member.key]
            assert not any(m.is_doomed for m in after_it)

    def settle(self) -> None:
        """Let everything that is under way come to its end."""
        for _ in range(1000):
            did_something = self.step()
            if self.has_left:
                return
            for member in self.members(Phase.STARTING):
                self.group = progress.ready(self.group, member.key)
                did_something = True
            for member in self.members(Phase.STOPPING, Phase.UNKILLABLE):
                self.die([member.key], failed=False)
                did_something = True
            if not did_something:
                return
        raise AssertionError

    def die(self, keys: list[int], *, failed: bool) -> None:
        lived = None if failed else 1.0
        reason = CRASH if failed else SHUTDOWN
        self.group = strategy.died(
            self.group, [Death(key, reason, lived) for key in keys], self.now
        )

    def happen(self, data: st.DataObject) -> None:
        """Let anything happen to anybody."""
        with_process = self.members(
            Phase.STARTING, Phase.RUNNING, Phase.STOPPING, Phase.UNKILLABLE
        )
        what = data.draw(st.sampled_from(["die", "ready", "ask", "kill", "wait"]))
        if what == "die":
            for member in with_process:
                if data.draw(st.booleans()):
                    self.deaths += 1
                    is_new = member.phase is Phase.STARTING
                    self.die([member.key], failed=is_new or data.draw(st.booleans()))
        elif what == "ready":
            for member in self.members(Phase.STARTING):
                self.group = progress.ready(self.group, member.key)
        elif what == "ask" and self.group.members:
            self.ask(data)
        elif what == "kill":
            for member in self.members(Phase.STOPPING):
                self.group = progress.unkillable(self.group, member.key, CRASH)
        else:
            self.now += 1.0

    def ask(self, data: st.DataObject) -> None:
        requests = ["start", "stop", "restart", "delete", "renew"]
        request = data.draw(st.sampled_from(requests))
        if request == "start":
            key = max(self.group.members) + 1
            child = ChildOptions(id=str(key))
            self.group, _ = administration.start_child(self.group, key, child)
            return
        key = data.draw(st.sampled_from(list(self.group.members)))
        asked = getattr(administration, f"{request}_child")
        self.group, _ = asked(self.group, key)


@given(
    st.sampled_from(["one_for_one", "one_for_all", "rest_for_one", "pool"]),
    TYPES,
    st.integers(0, 4) | st.just(math.inf),
    st.data(),
)
def test_nobody_waits_for_ever_whatever_happens_when(
    kind: str, types: list[str], intensity: float, data: st.DataObject
) -> None:
    options = SupervisorOptions(
        strategy=kind,  # type: ignore[arg-type]
        intensity=intensity,
        start_concurrency=data.draw(st.sampled_from([None, 2]), "start_concurrency"),
    )
    life = Life(options, types)

    for _ in range(data.draw(st.integers(0, 25), "steps")):
        while life.step() and not life.has_left:
            pass
        if life.has_left:
            return
        life.happen(data)
    life.settle()

    assert life.group.window.count <= life.deaths
    assert life.group.round == frozenset()
    if life.group.leaving:
        assert life.has_left
        return
    for member in life.group.members.values():
        assert member.fate is None
        assert member.trial is None
        assert member.phase in {Phase.RUNNING, Phase.STOPPED, Phase.ENDED}
