"""Actors that watch others in tests, and tell what they have heard."""

from __future__ import annotations

import os
import signal
from typing import Any

from actors import Actor, ActorRef, Down, Exit, Link, Notice, Terminated, Up, Watch
from tests.support.gates import SECONDS, wait_until
from tests.support.lives import note

Heard = tuple[str, str, int]  # what, of whom, which incarnation


class Observer(Actor):
    """Watches whom it is told to, and keeps what it hears, in order."""

    def __init__(self, *refs: ActorRef[Any]) -> None:
        self.heard: list[Notice | str] = []
        self.watches: dict[int, Watch] = {}
        for ref in refs:
            self.watch(ref, Observer._hear, level="incarnation")

    def follow(self, ref: ActorRef[Any]) -> int:
        watch = self.watch(ref, Observer.over)
        self.watches[watch.id] = watch
        return watch.id

    def follow_closely(self, ref: ActorRef[Any]) -> int:
        watch = self.watch(ref, Observer._hear, level="incarnation")
        self.watches[watch.id] = watch
        return watch.id

    def follow_and_cancel(self, ref: ActorRef[Any]) -> None:
        self.watch(ref, Observer.over).cancel()

    def kill_and_cancel(self, pid: int, watch: int) -> None:
        """Call a watch off as what it is about is told, perhaps, already."""
        os.kill(pid, signal.SIGKILL)
        self.watches[watch].cancel()

    def over(self, end: Terminated) -> None:
        self.heard.append(end)

    def fail_over(self, end: Terminated) -> None:
        raise RuntimeError(end.ref.name)

    def follow_and_fail(self, ref: ActorRef[Any]) -> None:
        self.watch(ref, Observer.fail_over)

    def _hear(self, notice: Notice) -> None:
        self.heard.append(notice)

    def say(self, text: str) -> None:
        self.heard.append(text)

    def all_heard(self) -> list[Notice | str]:
        return self.heard

    def pid(self) -> int:
        return os.getpid()

    def watch_badly(self, ref: Any, method: Any, level: Any) -> None:  # noqa: ANN401 - it is wrong on purpose
        self.watch(ref, method, level=level)

    def watch_itself(self) -> None:
        self.watch(self.ref, Observer.over)


class Talker(Actor):
    """Tells somebody numbers until it dies."""

    def __init__(self, listener: ActorRef[Observer]) -> None:
        self.listener = listener

    async def talk_and_die(self, count: int) -> None:
        for number in range(count):
            await self.listener.tell(Observer.say, str(number))
        os.kill(os.getpid(), signal.SIGKILL)

    def pid(self) -> int:
        return os.getpid()

    def quit(self) -> None:
        self.stop()


def heard(observer: ActorRef[Observer]) -> list[Notice | str]:
    """Return what *observer* has heard until now."""
    return observer.within(SECONDS).ask(Observer.all_heard).result()


def wait_until_heard(observer: ActorRef[Observer], count: int) -> list[Notice | str]:
    """Return what *observer* has heard once it is so much."""
    wait_until(lambda: len(heard(observer)) >= count, f"{count} to be heard")
    return heard(observer)


def brief(notices: list[Notice | str]) -> list[tuple[str, int]]:
    """Return the kinds and incarnations of *notices*."""
    found = []
    for notice in notices:
        assert isinstance(notice, Down | Up | Terminated)
        found.append((type(notice).__name__, notice.incarnation))
    return found


class Chronicler(Actor):
    """Writes down what it hears of others: a line for each thing, with its own pid in front."""

    def __init__(self, path: str, *refs: ActorRef[Any]) -> None:
        self.path = path
        for ref in refs:
            self.watch(ref, Chronicler.write, level="incarnation")

    def write(self, notice: Notice) -> None:
        incarnation = notice.incarnation
        note(self.path, f"{type(notice).__name__} {notice.ref.name} {incarnation}")

    def pid(self) -> int:
        return os.getpid()


def contradictions(
    happened: list[str], heard: dict[int, list[str]], living: int
) -> list[str]:
    """Return what is wrong with what was heard of one actor.

    Each incarnation of a watcher must have heard what happened from some moment on, without a gap; the one that lives all of it, to the
    end.

    Args:
        happened: All of it, in order.
        heard: By pid of the incarnations of a watcher.
        living: Pid of the one that was there at the end.
    """
    wrong = []
    for pid, part in heard.items():
        starts = range(len(happened) - len(part) + 1)
        found = [at for at in starts if happened[at : at + len(part)] == part]
        is_whole = any(at + len(part) == len(happened) for at in found)
        if not (is_whole if pid == living else found):
            wrong.append(f"{pid} has heard {part} of {happened}")
    return wrong


class Twin(Actor):
    """Links itself with others."""

    def __init__(self, *refs: ActorRef[Any]) -> None:
        self.exits: list[Exit] = []
        self.links: dict[str, Link] = {}
        for ref in refs:
            self.link(ref)

    def join(self, ref: ActorRef[Any]) -> None:
        link = self.link(ref)
        self.links[ref.name] = link

    def join_and_be_told(self, ref: ActorRef[Any]) -> None:
        self.links[ref.name] = self.link(ref, Twin.told)

    def part(self, ref: ActorRef[Any]) -> None:
        self.links[ref.name].cancel()

    def told(self, end: Exit) -> None:
        self.exits.append(end)

    def all_told(self) -> list[Exit]:
        return self.exits

    def pid(self) -> int:
        return os.getpid()
