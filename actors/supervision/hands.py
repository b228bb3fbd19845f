"""The processes of one supervisor: forked, watched, reaped, and what they leave behind killed.

Hands have no opinion: what becomes of a child, and whether it is signalled, is decided elsewhere, and they report what they see.
A death is reported when nothing of the incarnation is left.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn, Protocol, TypeAlias

import attrs

from actors.supervision import fork, linux, reaper
from actors.supervision.alarms import Alarms
from actors.supervision.birth import Birth
from actors.supervision.fork import Fork, Task
from actors.supervision.spare import ALARM as SPARE
from actors.supervision.spare import UNBORN, Life, Spare, copies

KILL_GRACE = 10.0  # seconds after SIGKILL in which a process is expected to end
# Until it is asked again whose a process in the middle of an exec is.
UNCLEAR_SECONDS = 0.002
ALARMS = frozenset({"reap", "strays", SPARE})
MAX_FORKS = 16  # in a row, while nobody watches what they have made
# From so many on, none is forked by a supervisor that can have a copy of its mould: a fork copies all descriptors, some for each child.
MANY_CHILDREN = 128
MAX_ENDED = 1000  # in one report, which is a datagram


Ended: TypeAlias = Sequence[int]  # number of a child, and which incarnation of it


class Reports(Protocol):
    """Who hears what hands see; every report but the last is about one incarnation of one child."""

    def forked(self, number: int, incarnation: int, pid: int, pidfd: int) -> None:
        """There is a process; *pidfd* is open until it is reaped."""

    def not_forked(self, number: int, incarnation: int, code: int) -> None:
        """The kernel made none; *code* is its ``errno``."""

    def stray(self, number: int, incarnation: int, pid: int, name: str) -> None:
        """A dead one has left a process behind, which is killed."""

    def spared(self, number: int, incarnation: int, pid: int) -> None:
        """A dead one has left a process behind that we may not kill, and that nobody waits for."""

    def reaped(
        self,
        number: int,
        incarnation: int,
        wait_status: int,
        uptime: float,
        max_rss_bytes: int,
        cpu_seconds: float,
    ) -> None:
        """It has ended, and its number may be somebody else's from now on; *uptime* is in seconds."""

    def died(self, ended: Sequence[Ended]) -> None:
        """Nothing is left of these: all that were seen in one turn, because what follows is decided for all of them together."""


@attrs.define(eq=False)
class Body:
    """One process, until nothing is left of it."""

    birth: Birth
    pid: int
    pidfd: int
    born: float
    died: float = 0.0
    is_reaped: bool = False
    strays: dict[int, int] = attrs.field(factory=dict)  # pid to pidfd


class Hands:
    """The processes of one supervisor."""

    def __init__(  # noqa: PLR0913, PLR0917 - what one supervisor starts with
        self,
        reports: Reports,
        alarms: Alarms,
        selector: selectors.EpollSelector,
        spare: Spare,
        release: Callable[[], None],
        life: Life,
        kept: Iterable[int],
        *,
        owns_births: bool = False,
    ) -> None:
        """Watch processes in *selector*.

        Args:
            reports: Hears what happens.
            alarms: Of the loop; those of the kinds in ``ALARMS`` come back through ``on_alarm``.
            selector: Of the loop.
            spare: Is wanted at the latest once a child has died.
            release: Unmaps, in a new child, what belongs to this process alone: its memory would outlive us for as long as the child does.
            life: Is the child, in its own process.
            kept: Descriptors that every child has, besides its own.
            owns_births: Whether the descriptors of a birth are closed here once its process has them.
        """
        self.to_fork: deque[Birth] = deque()
        self._waits_for_copy = False
        self._bodies: dict[int, Body] = {}
        self._spared: set[int] = set()  # strays that we may not kill
        self._dead: list[Body] = []  # reaped in this turn
        self._has_lost_children = False  # since we have looked who
        self._ended: list[Ended] = []  # that is not reported yet
        self._reports = reports
        self._alarms = alarms
        self._selector = selector
        self._release = release
        self._life = life
        self._kept = frozenset(kept)
        self._owns_births = owns_births
        self._spare = spare

    def fork(self, birth: Birth) -> None:
        """Have a process made; the loop returns to whoever may fork."""
        self.to_fork.append(birth)

    def withdraw(self, number: int) -> bool:
        """Take back the order to fork *number*; False when it has been carried out."""
        for birth in self.to_fork:
            if birth.number == number:
                self.to_fork.remove(birth)
                self._waits_for_copy = False  # the next one may do without
                return True
        return False

    def leave(self) -> None:
        """Do nothing: these hands belong to a process that decides by itself when it ends."""

    # Making processes.

    def next_tasks(self) -> list[Task]:
        """Return the next forks that births need; what the spare process can be, it is."""
        tasks: list[Task] = []
        self._waits_for_copy = False
        while self.to_fork and len(tasks) < MAX_FORKS:
            birth = self.to_fork[0]
            if birth.incarnation > 1:
                self._spare.want()
            born = self._spare.bear(birth)
            if born is None and self._can_have_copy(birth):
                self._waits_for_copy = True
                break
            self.to_fork.popleft()
            if born is None:
                tasks.append(self._task(birth))
            else:
                self._watch(birth, *born)
        return tasks

    def _can_have_copy(self, birth: Birth) -> bool:
        """Return whether a copy of the mould is being made for *birth*, the next of those that wait."""
        if birth.is_supervisor or len(self._bodies) < MANY_CHILDREN:
            return False
        return self._spare.order_for(len(self.to_fork))

    @property
    def has_births(self) -> bool:
        """Whether there is any that does not wait for a copy of the mould."""
        if self._waits_for_copy and self._spare.is_in_the_making:
            return False
        return bool(self.to_fork)

    def _task(self, birth: Birth) -> Task:
        return Task(
            self._action(birth.descriptors(), lambda: self._be(birth)),
            lambda pid: self._forked(birth, pid),
            lambda error: self._not_forked(birth, error),
        )

    @property
    def wants_spare(self) -> bool:
        """Whether a spare process is to be made when there is nothing else to do."""
        return self._spare.is_due

    def spare_task(self) -> Task | None:
        """Have a spare process made, if one is wanted; return the fork that this takes."""
        spare, life = self._spare, self._life
        if not spare.is_due:
            return None
        if not spare.needs_mould:
            spare.order()
            return None
        try:
            end = spare.begin()
        except OSError:
            spare.not_forked()
            return None
        action = self._action((end,), lambda: copies(end, life))
        return Task(action, spare.forked, spare.not_forked)

    def dismiss_spare(self) -> None:
        """Keep no spare process any more: nobody will be born."""
        self._spare.dismiss()

    def _action(self, own: Iterable[int], body: Callable[[], NoReturn]) -> Fork:
        kept, epoll_fd = self._kept.union(own), self._selector.fileno()
        return Fork(kept, epoll_fd, self._release, body)

    def _be(self, birth: Birth) -> NoReturn:
        fork.label(birth)
        self._life(birth)

    def _forked(self, birth: Birth, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        # Nobody else can have reaped it, so the number is still its own.
        except OSError as exc:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._not_forked(birth, exc)
            return
        self._watch(birth, pid, pidfd)

    def _not_forked(self, birth: Birth, error: OSError) -> None:
        """The kernel made no process for *birth*."""
        self._let_go(birth)
        self._reports.not_forked(birth.number, birth.incarnation, error.errno or 0)

    def _let_go(self, birth: Birth) -> None:
        if self._owns_births:
            for fd in birth.descriptors():
                os.close(fd)

    def _watch(self, birth: Birth, pid: int, pidfd: int) -> None:
        """Watch the process of *birth*."""
        self._let_go(birth)
        body = Body(birth, pid, pidfd, time.monotonic())
        self._bodies[birth.number] = body
        self._selector.register(
            pidfd, selectors.EVENT_READ, lambda: self._on_death(body)
        )
        self._reports.forked(birth.number, birth.incarnation, pid, pidfd)

    # Deaths.

    def on_alarm(self, kind: str, number: int) -> None:
        """A deadline about child *number* has come."""
        if kind == SPARE:
            self._spare.on_alarm(number)
            return
        body = self._bodies.get(number)
        if body is None:
            return
        if kind == "strays":
            self._look_at_strays(body)
        elif not body.is_reaped:
            self._on_death(body)
        self.finish_turn()

    def on_child_signal(self) -> None:
        """Somebody who was our child has ended: one that we watch, or an adopted one."""
        self._has_lost_children = True

    def finish_turn(self) -> None:
        """See to what the dead of this turn have left behind, all at once: of a hundred deaths, it takes one look at our children."""
        if self._dead or self._has_lost_children:
            self._look_for_strays()
        while self._ended:
            ended, self._ended = self._ended[:MAX_ENDED], self._ended[MAX_ENDED:]
            self._reports.died(ended)

    def _look_for_strays(self) -> None:
        dead, self._dead = self._dead, []
        with linux.file_reserve():
            adopted = linux.children().difference(self._known_pids())
        if self._has_lost_children:
            self._has_lost_children = False
            adopted = reaper.reap_ended(adopted)
        for body in dead:
            if adopted:
                self._kill_strays(body)
            else:
                self._forget(body)

    def left(self) -> set[int]:
        """Return the processes that we have killed, or tried to, and that have not ended."""
        return set(self._own_pids())

    def _known_pids(self) -> Iterator[int]:
        """Yield the pids of the children, of the spare and its mould, and of strays that are watched already."""
        yield from self._spare.pids()
        yield from self._own_pids()

    def _own_pids(self) -> Iterator[int]:
        for body in self._bodies.values():
            if not body.is_reaped:
                yield body.pid
            yield from body.strays

    def _on_death(self, body: Body) -> None:
        keeps = body.birth.keeps_others
        death = reaper.reap(body.pid, body.pidfd, keeps_session=keeps)
        if body.pidfd in self._selector.get_map():
            self._selector.unregister(body.pidfd)
        if death is None:  # a debugger, or strace, has to see it first
            due = time.monotonic() + reaper.TRACED_SECONDS
            self._alarms.set(("reap", body.birth.number), due)
            return
        body.is_reaped = True
        body.died = time.monotonic()
        os.close(body.pidfd)
        self._reports.reaped(
            body.birth.number,
            body.birth.incarnation,
            death.status,
            body.died - body.born,
            death.max_rss_bytes,
            death.cpu_seconds,
        )
        self._dead.append(body)

    def _kill_strays(self, body: Body) -> None:
        """Kill what the dead incarnation left to us; go on when all of it is gone."""
        birth = body.birth
        with linux.file_reserve():
            self._spared &= linux.children()
            strays, unclear = self._strays_of(body)
            pidfds = {pid: os.pidfd_open(pid) for pid in strays}
        for pid, pidfd in pidfds.items():
            name = linux.name_of(pid)
            self._reports.stray(birth.number, birth.incarnation, pid, name)
            if not reaper.may_signal(pidfd, signal.SIGKILL):
                os.close(pidfd)
                self._spared.add(pid)
                self._reports.spared(birth.number, birth.incarnation, pid)
                continue
            body.strays[pid] = pidfd
            self._selector.register(
                pidfd,
                selectors.EVENT_READ,
                lambda pid=pid: self._on_stray_death(body, pid),
            )
        if body.strays:
            return
        now = time.monotonic()
        if unclear and now < body.died + KILL_GRACE:
            self._alarms.set(("strays", birth.number), now + UNCLEAR_SECONDS)
            return
        self._forget(body)

    def _forget(self, body: Body) -> None:
        """Nothing is left of it."""
        birth = body.birth
        self._alarms.clear(("strays", birth.number))
        del self._bodies[birth.number]
        self._ended.append((birth.number, birth.incarnation))

    def _strays_of(self, body: Body) -> tuple[list[int], list[int]]:
        if body.birth.keeps_others:
            return [], []
        known = {*self._known_pids(), *self._spared}
        if not body.birth.is_supervisor:
            return reaper.strays_of(body.pid, body.birth.marker, known)
        living = [other for other in self._bodies.values() if not other.is_reaped]
        return reaper.orphans(
            {other.pid for other in living},
            [other.birth.marker for other in living],
            known,
            fork.system_of(body.birth.marker),
            UNBORN,
        )

    def _look_at_strays(self, body: Body) -> None:
        for pid, pidfd in list(body.strays.items()):
            if pidfd not in self._selector.get_map():
                self._reap_stray(body, pid)
        if not body.strays:
            self._kill_strays(body)

    def _on_stray_death(self, body: Body, pid: int) -> None:
        self._selector.unregister(body.strays[pid])
        self._reap_stray(body, pid)
        if not body.strays:
            self._kill_strays(body)  # it may have left children of its own

    def _reap_stray(self, body: Body, pid: int) -> None:
        if reaper.is_reaped(pid):
            os.close(body.strays.pop(pid))
        else:  # as in ``_on_death``
            due = time.monotonic() + reaper.TRACED_SECONDS
            self._alarms.set(("strays", body.birth.number), due)
