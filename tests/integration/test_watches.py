"""Watches: what an actor hears of others, exactly once, after all that they have sent."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from actors import (
    ActorRef,
    ActorSystem,
    Backoff,
    Down,
    ExitKind,
    OptionError,
    Terminated,
    options,
)
from tests.support.gates import SECONDS, wait_until
from tests.support.procfs import is_gone
from tests.support.trees import Member, pids, wait_until_renewed
from tests.support.watchers import (
    Observer,
    Talker,
    brief,
    heard,
    wait_until_heard,
)

OTHERS = [pytest.param(each, marks=pytest.mark.slow) for each in ("pipe", "unix", "mq")]
pytestmark = pytest.mark.parametrize(
    "system", ["shm", *OTHERS], indirect=True, scope="module"
)


@pytest.fixture(scope="module")
def observer(system: ActorSystem) -> ActorRef[Observer]:
    return system.spawn(Observer).result(SECONDS)


@pytest.fixture
def fresh(system: ActorSystem) -> ActorRef[Observer]:
    return system.options(restart="permanent", intensity=100).spawn(Observer).result()


def ends_of(observer: ActorRef[Observer], watch: int) -> list[Terminated]:
    return [
        each
        for each in heard(observer)
        if isinstance(each, Terminated) and each.watch == watch
    ]


def wait_for_end(observer: ActorRef[Observer], watch: int) -> Terminated:
    wait_until(lambda: ends_of(observer, watch), "an end")
    (end,) = ends_of(observer, watch)
    return end


def test_end_of_a_watched_actor_is_heard_once_with_its_reason(
    system: ActorSystem, observer: ActorRef[Observer]
) -> None:
    member = system.spawn(Member).result(SECONDS)
    watch = observer.ask(Observer.follow, member).result()

    member.kill().result()

    end = wait_for_end(observer, watch)
    assert end.ref == member
    assert end.incarnation == 1
    assert (end.reason.kind, end.reason.cause) == (ExitKind.KILLED, "api")


def test_actor_watched_twice_is_heard_of_twice(
    system: ActorSystem, observer: ActorRef[Observer]
) -> None:
    member = system.spawn(Member).result(SECONDS)
    one = observer.ask(Observer.follow, member).result()
    two = observer.ask(Observer.follow, member).result()

    member.stop().result()

    assert one != two
    assert wait_for_end(observer, one).reason == wait_for_end(observer, two).reason


def test_restart_is_no_end(system: ActorSystem, observer: ActorRef[Observer]) -> None:
    member = system.spawn(Member).result(SECONDS)
    watch = observer.ask(Observer.follow, member).result()

    (pid,) = pids(member)
    os.kill(pid, signal.SIGKILL)
    wait_until_renewed(member, pid)

    assert ends_of(observer, watch) == []
    member.stop().result()
    end = wait_for_end(observer, watch)
    assert (end.incarnation, end.reason.kind) == (2, ExitKind.NORMAL)


def test_watching_one_that_has_ended_is_answered_at_once(
    system: ActorSystem, observer: ActorRef[Observer]
) -> None:
    member = system.spawn(Member).result(SECONDS)
    member.kill().result()

    watch = observer.ask(Observer.follow, member).result()

    end = wait_for_end(observer, watch)
    assert (end.reason.cause, end.incarnation) == ("api", 1)


def test_called_off_watch_is_silent(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    member, other = (system.spawn(Member).result(SECONDS) for _ in range(2))
    fresh.ask(Observer.follow_and_cancel, member).result()
    watch = fresh.ask(Observer.follow, other).result()
    late = fresh.ask(Observer.follow, member).result()
    fresh.ask(Observer.kill_and_cancel, pids(member)[0], late).result()

    member.kill().result()
    other.kill().result()

    wait_for_end(fresh, watch)
    assert len(heard(fresh)) == 1
    fresh.kill().result()


def test_lives_are_heard_in_order_at_the_level_of_incarnations(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    member = system.options(intensity=2).spawn(Member).result(SECONDS)
    fresh.ask(Observer.follow_closely, member).result()

    for _ in range(3):
        _ = member.tell(Member.end, "kill")

    notices = wait_until_heard(fresh, 6)
    assert brief(notices) == [
        ("Down", 1),
        ("Up", 2),
        ("Down", 2),
        ("Up", 3),
        ("Down", 3),
        ("Terminated", 3),
    ]
    downs = [each for each in notices if isinstance(each, Down)]
    assert [each.will_restart for each in downs] == [True, True, False]
    assert all(each.reason.signal == "SIGKILL" for each in downs)
    assert all(each.reason.during == "Member.end" for each in downs)
    assert isinstance(notices[-1], Terminated)
    assert notices[-1].reason.kind is ExitKind.INTENSITY_EXCEEDED
    fresh.kill().result()


def test_down_says_for_how_long_a_restart_is_delayed(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    slow = options(name="slow", backoff=Backoff(min=30, max=60, jitter=0))
    spec = slow.child(Member)
    tree = system.supervise(spec).result(SECONDS)
    fresh.ask(Observer.follow_closely, tree.ref(spec)).result()

    _ = tree.ref(spec).tell(Member.end, "kill")

    (down,) = wait_until_heard(fresh, 1)
    assert isinstance(down, Down)
    assert down.will_restart
    assert 29 < down.delay <= 30
    tree.stop().result(SECONDS)
    assert brief(wait_until_heard(fresh, 2)) == [("Down", 1), ("Terminated", 1)]
    fresh.kill().result()


def test_what_the_dead_one_has_sent_is_heard_before_its_death(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    talker = system.spawn(Talker, fresh).result(SECONDS)
    fresh.ask(Observer.follow_closely, talker).result()

    expected: list[Any] = []
    for life in (1, 2, 3):
        _ = talker.tell(Talker.talk_and_die, 7)
        expected += [*map(str, range(7)), ("Down", life), ("Up", life + 1)]
        found = wait_until_heard(fresh, len(expected))
        told = [each if isinstance(each, str) else brief([each])[0] for each in found]
        assert told == expected

    talker.kill().result()
    fresh.kill().result()


def test_watches_end_with_the_incarnation_that_watched(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    member, other = (system.spawn(Member).result(SECONDS) for _ in range(2))
    fresh.ask(Observer.follow, member).result()
    (pid,) = [fresh.ask(Observer.pid).result()]
    os.kill(pid, signal.SIGSTOP)
    member.kill().result()  # what is told waits in its mailbox
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: fresh.within(20).ask(Observer.pid).result() != pid, "a new life")

    watch = fresh.ask(Observer.follow, other).result()
    other.kill().result()

    wait_for_end(fresh, watch)
    assert len(heard(fresh)) == 1
    fresh.kill().result()


def test_handler_that_fails_crashes_the_watcher(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    member = system.spawn(Member).result(SECONDS)
    close = system.spawn(Observer).result(SECONDS)
    close.ask(Observer.follow_closely, fresh).result()
    fresh.ask(Observer.follow_and_fail, member).result()

    member.stop().result()

    down, _ = wait_until_heard(close, 2)
    assert isinstance(down, Down)
    assert down.reason.during == "Observer.fail_over"
    assert down.reason.exc_type == "RuntimeError"
    for ref in (fresh, close):
        ref.kill().result()


def test_children_hear_of_siblings_that_come_back_with_their_supervisor(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    leaf = options(id="leaf").child(Member)
    spare = options(id="spare", restart="temporary")
    inner = options(id="inner").supervisor(leaf)
    tree = system.supervise(inner).result(SECONDS)
    extra = tree.ref(inner).start_child(spare.child(Member)).result(SECONDS)
    fresh.ask(Observer.follow_closely, tree.ref(leaf)).result()
    fresh.ask(Observer.follow_closely, extra).result()

    os.kill(tree.ref(leaf).ask(Member.parent).result(), signal.SIGKILL)

    notices = wait_until_heard(fresh, 4)
    of_leaf = [each for each in notices if getattr(each, "ref", None) == tree.ref(leaf)]
    of_extra = [each for each in notices if getattr(each, "ref", None) == extra]
    assert brief(of_leaf) == [("Down", 1), ("Up", 2)]
    assert brief(of_extra) == [("Down", 1), ("Terminated", 1)]
    assert isinstance(of_leaf[0], Down)
    assert isinstance(of_extra[0], Down)
    assert (of_leaf[0].will_restart, of_extra[0].will_restart) == (None, False)
    assert of_leaf[0].reason.kind is ExitKind.SUPERVISOR_DIED
    tree.stop().result(SECONDS)
    fresh.kill().result()


def test_stopped_child_has_ended_for_those_that_watch_it(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    leaf = options(id="leaf").child(Member)
    tree = system.supervise(leaf).result(SECONDS)
    (pid,) = pids(tree.ref(leaf))
    fresh.ask(Observer.follow, tree.ref(leaf)).result()

    tree.stop_child("leaf").result(SECONDS)

    wait_until_heard(fresh, 1)
    assert is_gone(pid)
    fresh.ask(Observer.follow, tree.ref(leaf)).result()
    tree.restart_child("leaf").result(SECONDS)
    assert brief(wait_until_heard(fresh, 2)) == [("Terminated", 1), ("Terminated", 1)]
    tree.stop().result(SECONDS)
    fresh.kill().result()


def test_notice_in_a_mailbox_outlives_a_purge(
    system: ActorSystem, fresh: ActorRef[Observer]
) -> None:
    member = system.spawn(Member).result(SECONDS)
    fresh.ask(Observer.follow, member).result()
    fresh.freeze().result()
    _ = fresh.tell(Observer.say, "purged")
    member.kill().result()

    fresh.mailbox().purge().result()

    fresh.thaw().result()
    assert brief(wait_until_heard(fresh, 1)) == [("Terminated", 1)]
    fresh.kill().result()


@pytest.mark.parametrize(
    ("method", "level", "error", "text"),
    [
        (
            Observer.pid,
            "actor",
            TypeError,
            r"Observer\.pid has to take one argument: what is heard",
        ),
        (Member.pid, "actor", TypeError, "Observer"),
        (Observer.over, "process", OptionError, "'incarnation'"),
    ],
)
def test_bad_watch_is_refused_at_the_call(
    observer: ActorRef[Observer],
    method: object,
    level: str,
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error, match=text):
        observer.ask(Observer.watch_badly, observer, method, level).result()


def test_watching_nobody_or_oneself_is_refused(observer: ActorRef[Observer]) -> None:
    with pytest.raises(TypeError, match="pass the ref"):
        observer.ask(Observer.watch_badly, 3, Observer.over, "actor").result()
    with pytest.raises(OptionError, match="nobody outlives itself"):
        observer.ask(Observer.watch_itself).result()
