"""The life of the children: start, ready, death, what a death means, end.

What a death means, and what is to be done, is decided by pure functions of a group (``strategy.py``, ``progress.py``); this carries it out.
Nothing here blocks on a child.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import attrs

from actors.errors import MailboxFullError
from actors.exits import ExitKind, ExitReason, bounded, from_bytes
from actors.runtime import lanes, process, reports, status
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import GoneError, Outgoing
from actors.runtime.pauses import is_overdue
from actors.supervision import (
    administration,
    linux,
    oom,
    progress,
    reaper,
    strategy,
)
from actors.supervision.alarms import Alarms
from actors.supervision.child import Child
from actors.supervision.events import Events
from actors.supervision.fork import Fork
from actors.supervision.group import Group, Phase
from actors.supervision.oom import Oom, OomWitness
from actors.supervision.payloads import Payloads
from actors.supervision.progress import Leave, Start
from actors.supervision.quarantine import Quarantine
from actors.supervision.redelivery import Redelivery
from actors.supervision.strategy import Death
from actors.supervision.verdict import classify
from actors.wire.frame import Codec, Header, Kind
from transports.errors import TransportError, limit_behind

KILL_GRACE = 10.0  # seconds from SIGKILL to calling a process unkillable
ABORT_GRACE = 3.0  # seconds from SIGABRT, which makes it dump its stacks, to SIGKILL
UNCLEAR_SECONDS = (
    0.002  # until it is asked again whose a process in the middle of an exec is
)
TRACED_SECONDS = 0.01  # until it is asked again whether a dead process may be reaped
MAX_REMEMBERED = 10_000  # ends that are still told to those who ask
SHORTENED = 16  # their texts are cut to this part of what they may be: some KiB each


class Lifecycle:
    """The children of one supervisor."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        outgoing: Outgoing,
        events: Events,
        alarms: Alarms,
        selector: selectors.EpollSelector,
        payloads: Payloads,
    ) -> None:
        """Watch processes in *selector* and deadlines in *alarms*."""
        self.children: dict[int, Child] = {}
        self.names: dict[str, int] = {}
        self.to_start: deque[Child] = deque()
        self.unkillable: set[int] = set()  # processes that nobody waits for
        self._ended: dict[int, ExitReason] = {}
        self._payloads = payloads
        self._dropped: dict[str, int] = {}
        self._dropped_tells: dict[tuple[int, int], None] = {}  # an ordered set
        self._spared: set[int] = set()  # strays that we may not kill
        self._directory = directory
        self._oom = OomWitness(oom.counter())
        self.quarantine = Quarantine(directory, outgoing, events)
        self._redelivery = Redelivery(self.quarantine)
        self._outgoing = outgoing
        self._events = events
        self._alarms = alarms
        self._selector = selector

    def reason_of(self, number: int) -> ExitReason:
        """Return why *number* has ended, as far as it is remembered."""
        return self._ended.get(number) or ExitReason(ExitKind.NOPROC)

    # Starting.

    def add(self, child: Child) -> None:
        """Bind the name of a new child and start it."""
        self.children[child.number] = child
        if child.options.name is not None:
            self.names[child.options.name] = child.number
        self._advance(child)

    def _advance(self, child: Child, reason: ExitReason | None = None) -> None:
        """Do what the group of *child* wants done; *reason* is that of its death, if it has died."""
        child.group, actions = progress.advance(child.group, time.monotonic())
        for action in actions:
            if isinstance(action, Start):
                self._start(child)
            elif not isinstance(action, Leave):
                self._terminate(child)
        if reason is not None and not _goes_on(child.group):
            over = child.group.leaving
            self.end(child, reason if over is None else _about(over, child))

    def _start(self, child: Child) -> None:
        if child.incarnation:
            child.restarts += 1
            self._events.publish(
                "child_restarting", child, attempt=child.incarnation + 1
            )
        child.cause = None
        child.ready_at = None
        child.is_leaving = False
        child.incarnation += 1
        self.to_start.append(child)

    def fork_action(self, child: Child) -> Fork:
        """Return the fork of *child*'s next incarnation."""
        directory = self._directory
        child.goodbye_fd = os.memfd_create(f"goodbye-{child.number}", os.MFD_CLOEXEC)
        child.dump_at = process.GOODBYE_BYTES
        child.born = time.monotonic()
        child.kills_at_birth = self._oom.kills()
        child.estate.page.begin(child.incarnation)
        heartbeat = child.options.heartbeat
        start = process.Start(
            directory=directory,
            number=child.number,
            incarnation=child.incarnation,
            name=child.label,
            scheme=child.estate.transport.scheme,
            mailbox_fd=child.estate.mailbox_fd,
            goodbye_fd=child.goodbye_fd,
            arguments=child.arguments,
            heartbeat=None if heartbeat is None else heartbeat.interval,
            resources=child.resources,
            redelivers=child.options.on_crash != "drop",
        )
        own = {
            directory.fd,
            directory.code_fd,
            directory.blob_fd,
            start.mailbox_fd,
            start.goodbye_fd,
        }
        return Fork(
            child.label,
            child.marker,
            frozenset(own),
            self._selector.fileno(),
            self._release,
            lambda: process.run(start),
        )

    def _release(self) -> None:
        """Unmap, in a new child, the lanes of others: their memory would outlive them for as long as the child does."""
        self._outgoing.close()

    def forked(self, child: Child, pid: int) -> None:
        """Take note of the new process *pid* of *child*."""
        child.pid = pid
        child.estate.page.words[status.PID] = pid
        try:
            child.pidfd = os.pidfd_open(pid)
        except (
            OSError
        ) as exc:  # nobody else can have reaped it, so the number is still its own
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.not_forked(child, exc)
            return
        self._selector.register(
            child.pidfd, selectors.EVENT_READ, lambda: self._on_death(child)
        )
        self._alarms.set(
            ("init", child.number), child.born + child.options.init_timeout
        )
        self._events.publish("child_starting", child)

    def not_forked(self, child: Child, error: OSError) -> None:
        """The kernel made no process for *child*."""
        if child.goodbye_fd >= 0:
            os.close(child.goodbye_fd)
            child.goodbye_fd = -1
        limit = limit_behind(error, "a process")
        self._after_death(
            child,
            ExitReason(
                ExitKind.SPAWN_ERROR,
                incarnation=child.incarnation,
                errno=error.errno,
                message=None if limit is None else str(limit),
            ),
        )

    def ready(self, number: int, incarnation: int) -> None:
        """An incarnation has said that it is ready."""
        child = self.children.get(number)
        if (
            child is None
            or child.incarnation != incarnation
            or child.member is None
            or child.member.phase is not Phase.STARTING
        ):
            return
        child.group = progress.ready(child.group, number)
        child.ready_at = time.monotonic()
        self._alarms.clear(("init", number))
        took = child.ready_at - child.born
        self._events.publish("child_ready", child, seconds=took)
        if incarnation > 1:
            self._events.info(
                "actor_restarted", child, ready_in=f"{took * 1000:.1f} ms"
            )
        if child.spawner is not None:
            self._answer(
                child.spawner, Kind.ANSWER, {"number": number, "name": child.label}
            )
            child.spawner = None
        self._answer_all(child.restarters, Kind.ANSWER, {})
        waiting, child.when_ready = child.when_ready, []
        for _, act in waiting:
            act()

    def leaving(self, number: int, incarnation: int) -> None:
        """An incarnation ends by itself: its time for that is bounded as if it had been asked to."""
        child = self.children.get(number)
        if child is not None and child.incarnation == incarnation:
            child.is_leaving = True
            self._limit_stop(child)

    def _limit_stop(self, child: Child) -> None:
        due = time.monotonic() + child.options.shutdown
        self._alarms.set(("shutdown", child.number), due)

    # Stopping.

    def stop(self, child: Child) -> None:
        """End *child* for good: SIGTERM, then SIGKILL when its time is up."""
        child.group, _ = administration.stop_child(child.group, child.number)
        self._advance(child)

    def restart(self, child: Child) -> None:
        """Replace the process of *child* by a fresh one, without counting it as a crash."""
        child.group, _ = administration.renew_child(child.group, child.number)
        self._advance(child)

    def _terminate(self, child: Child) -> None:
        if child in self.to_start:
            self.to_start.remove(child)
            reason = ExitReason(
                ExitKind.SHUTDOWN, incarnation=child.incarnation, requested=True
            )
            self._after_death(child, reason)
        elif child.pidfd < 0:  # dead, and not cleaned up after yet
            return
        elif child.ready_at is None:  # it has nothing to clean up yet
            self.kill(child, "not_ready")
        else:
            reaper.may_signal(child.pidfd, signal.SIGTERM)
            # A stopped process acts on nothing else.
            reaper.may_signal(child.pidfd, signal.SIGCONT)
            child.estate.page.thaw()
            self._limit_stop(child)

    def kill(self, child: Child, cause: str) -> None:
        """SIGKILL, for *cause*."""
        if child.pidfd < 0:
            return
        child.cause = child.cause or ExitReason(ExitKind.KILLED, cause=cause)
        reaper.kill_session(child.pid)
        reaper.may_signal(child.pidfd, signal.SIGKILL)
        self._alarms.set(("unkillable", child.number), time.monotonic() + KILL_GRACE)

    def on_alarm(self, kind: str, number: int) -> None:
        """A deadline of child *number* has come."""
        child = self.children.get(number)
        if child is not None and kind == "strays":
            self._kill_strays(child)
            return
        if child is None or child.pidfd < 0:
            return
        if kind == "reap":
            self._on_death(child)
        elif kind == "init":
            limit = child.options.init_timeout
            child.cause = ExitReason(ExitKind.INIT_TIMEOUT, period=limit)
            reaper.may_signal(child.pidfd, signal.SIGABRT)
            reaper.may_signal(child.pidfd, signal.SIGCONT)
            self._alarms.set(("abort", number), time.monotonic() + ABORT_GRACE)
        elif kind == "abort":
            self.kill(child, "init_timeout")
        elif kind == "shutdown":
            self.kill(child, "shutdown_timeout")
        else:
            child.is_unkillable = True
            self._events.publish("unkillable", child)
            self._events.warn("unkillable", child, pid=child.pid, seconds=KILL_GRACE)

    # Death.

    def _on_death(self, child: Child) -> None:
        death = reaper.reap(child.pid, child.pidfd)
        if child.pidfd in self._selector.get_map():
            self._selector.unregister(child.pidfd)
        if death is None:  # a debugger, or strace, has to see it first
            due = time.monotonic() + TRACED_SECONDS
            self._alarms.set(("reap", child.number), due)
            return
        os.close(child.pidfd)
        child.pidfd = -1
        for kind in ("init", "abort", "shutdown", "unkillable"):
            self._alarms.clear((kind, child.number))
        goodbye, dump = self._read_goodbye(child)
        killed_for = self._killed_for(child, death)
        reason = classify(
            death.status,
            goodbye,
            cause=child.cause,
            stopping=child.fate is not None,
            oom_kill=killed_for is Oom.YES,
        )
        child.reason = attrs.evolve(
            reason,
            oom=killed_for,
            max_rss_bytes=death.max_rss_bytes,
            cpu_seconds=death.cpu_seconds,
            incarnation=child.incarnation,
            pid=child.pid,
            dump=dump,
            uptime=time.monotonic() - child.born,
        )
        child.estate.page.thaw()
        self._kill_strays(child)

    def _killed_for(self, child: Child, death: reaper.Death) -> Oom | None:
        """Return whether *child* was killed for lack of memory; None where it was not killed, or we did it."""
        if child.cause is not None or death.status != signal.SIGKILL:
            return None
        return self._oom.testify(
            child.number,
            child.kills_at_birth,
            lambda: {
                other.number
                for other in self.children.values()
                if other.cause is None
                and other.pidfd >= 0
                and reaper.was_killed(other.pidfd)
            },
        )

    @staticmethod
    def _read_goodbye(child: Child) -> tuple[ExitReason | None, str | None]:
        size = os.fstat(child.goodbye_fd).st_size
        record = os.pread(child.goodbye_fd, min(size, process.GOODBYE_BYTES), 0).rstrip(
            b"\0"
        )
        dump = os.pread(child.goodbye_fd, process.GOODBYE_BYTES, child.dump_at).decode(
            errors="replace"
        )
        os.close(child.goodbye_fd)
        child.goodbye_fd = -1
        return from_bytes(record), dump or None

    def known_pids(self) -> Iterator[int]:
        """Yield the pids of the children, and of strays that are watched already."""
        for child in self.children.values():
            if child.pidfd >= 0:
                yield child.pid
            yield from child.strays

    def _kill_strays(self, child: Child) -> None:
        """Kill what the dead incarnation left to us; go on when all of it is gone."""
        with linux.file_reserve():
            self._spared &= linux.children()
            strays, unclear = reaper.strays_of(
                child.pid, child.marker, {*self.known_pids(), *self._spared}
            )
            pidfds = {pid: os.pidfd_open(pid) for pid in strays}
        for pid, pidfd in pidfds.items():
            self._events.publish("stray", child, stray=pid)
            self._events.info("stray", child, pid=pid, name=linux.name_of(pid))
            if not reaper.may_signal(pidfd, signal.SIGKILL):
                os.close(pidfd)
                self._spare(child, pid)
                continue
            child.strays[pid] = pidfd
            self._selector.register(
                pidfd,
                selectors.EVENT_READ,
                lambda pid=pid: self._on_stray_death(child, pid),
            )
        if child.strays:
            return
        assert child.reason is not None  # noqa: S101 - set by the death; for the checkers
        now, died = time.monotonic(), child.born + (child.reason.uptime or 0.0)
        if unclear and now < died + KILL_GRACE:
            self._alarms.set(("strays", child.number), now + UNCLEAR_SECONDS)
        else:
            self._after_death(child, child.reason)

    def _spare(self, child: Child, pid: int) -> None:
        """Go on without the end of a stray that has changed its user: we may not kill it, and it may live for ever."""
        self._spared.add(pid)
        self._events.publish("unkillable", child, stray=pid)
        self._events.warn("unkillable", child, pid=pid, reason="no permission")

    def _on_stray_death(self, child: Child, pid: int) -> None:
        pidfd = child.strays.pop(pid)
        self._selector.unregister(pidfd)
        os.waitpid(pid, 0)
        os.close(pidfd)
        if not child.strays:
            self._kill_strays(child)  # it may have left children of its own

    def _after_death(self, child: Child, reason: ExitReason) -> None:
        """Nothing of the incarnation is left: settle what it had in hand, and decide."""
        # What it had not acknowledged, its successor never will.
        self._events.unsubscribe(child.number)
        sending_to = child.estate.was_sending_to()
        if sending_to is not None:
            lanes.ring_bell(self._directory.fd, sending_to)
        self._payloads.died(child.number, child.incarnation)
        reason = self._about_message(child, reason)
        kept = self._redelivery.keep(child, reason)
        started = list(child.estate.in_hand())
        hands = [header for header in started if header.kind != Kind.STOP]
        child.reason, child.hands, child.kept = reason, hands, kept
        for header in hands:
            self._crashed(child, header, reason)
        # ref.stop() is final for every restart type, however the process got to its end.
        is_final = len(hands) < len(started)
        self._events.publish(
            "child_exit", child, reason=reason.to_json(), text=str(reason)
        )
        if reason.kind is ExitKind.MAILBOX_CORRUPT:
            self._replace_mailbox(child)
        self._decide(child, reason, is_final=is_final)

    @staticmethod
    def _about_message(child: Child, reason: ExitReason) -> ExitReason:
        """Return *reason* with what the process had in hand, if it does not say so itself."""
        hands = [header for slot, header in child.estate.taken() if slot.started]
        if not hands or reason.during is not None:
            return reason
        return attrs.evolve(reason, during=child.method(hands[0].method))

    def _replace_mailbox(self, child: Child) -> None:
        """Give *child* an empty mailbox, and tell everybody who may have put something into the damaged one."""
        try:
            inode = child.estate.replace_mailbox()
        except (TransportError, OSError) as exc:
            # The next incarnation finds it as it is, and intensity ends that.
            self._events.warn("mailbox_not_replaced", child, error=str(exc))
            return
        body = reports.to_bytes({"inode": inode})
        for number in lanes.owners(self._directory.fd):
            # Who has ended waits for nothing, nor does one that takes none of what we send.
            with contextlib.suppress(GoneError, MailboxFullError):
                if number not in {lanes.ROOT, child.number}:
                    self._outgoing.notify(number, Kind.LOST, body)
        self._events.publish("mailbox_lost", child)
        self._events.warn(
            "mailbox_lost", child, text="it was damaged; what was queued is lost"
        )

    def damaged(self, number: int, inode: int) -> None:
        """A sender has found the mailbox *inode* of child *number* damaged."""
        child = self.children.get(number)
        if child is not None and child.pidfd >= 0 and child.estate.is_mailbox(inode):
            child.cause = child.cause or ExitReason(ExitKind.MAILBOX_CORRUPT)
            self.kill(child, "mailbox_corrupt")

    def _decide(self, child: Child, reason: ExitReason, *, is_final: bool) -> None:
        now, fate = time.monotonic(), child.fate
        lived = None if child.ready_at is None else now - child.ready_at
        death = Death(child.number, reason, lived, is_final=is_final)
        child.group = strategy.died(child.group, [death], now)
        over = child.group.leaving
        if over is not None:
            facts = _about(over, child).to_json()
            self._events.publish("giving_up", child, reason=facts)
        if is_final or fate is not None:
            self._check_stop(child, reason)
        if is_final or (fate is None and child.spawner is None):
            self._log_exit(child, reason, self._following(child))
        self._advance(child, reason)

    @staticmethod
    def _following(child: Child) -> str:
        """Return in words what comes after a death."""
        options = child.options
        if child.group.leaving is not None:
            return f"gave up: more than {options.intensity:g} restarts in {options.period:g} s"
        return "restarting" if _goes_on(child.group) else "ended"

    def _log_exit(self, child: Child, reason: ExitReason, following: str) -> None:
        if reason.clean:
            return
        facts = {
            "reason": str(reason),
            "uptime": f"{reason.uptime or 0:.3f} s",
            **_used(reason),
            "next": following,
        }
        facts |= _costs(child)
        evidence = reason if reason.traceback or not reason.inner else reason.inner
        if evidence.traceback:  # the log shows these two below the line, as they are
            facts["exception"] = evidence.traceback.rstrip()
        if evidence.dump:
            facts["stack"] = evidence.dump.rstrip()
        self._events.warn("actor_died", child, **facts)

    def _check_stop(self, child: Child, reason: ExitReason) -> None:
        """Log a stop that did not go as it should."""
        was_asked_for = (
            reason.kind is ExitKind.KILLED and reason.cause != "shutdown_timeout"
        )
        has_lingered = reason.clean and child.cause is not None
        if child.spawner is None and (
            has_lingered or not (reason.clean or was_asked_for)
        ):
            self._events.publish("shutdown_error", child, reason=reason.to_json())
            lingered = {"lingered": True} if has_lingered else {}
            costs = _costs(child)
            self._events.warn(
                "shutdown_error", child, reason=str(reason), **lingered, **costs
            )

    def _crashed(self, child: Child, header: Header, reason: ExitReason) -> None:
        if header.kind == Kind.ASK:
            facts = {"reason": reason.to_json(), "attempt": header.attempt + 1}
            self._outgoing.answer(
                header.lane,
                Kind.CRASHED,
                header.corr,
                reports.to_bytes(facts),
                Codec.JSON,
            )
        poison = self._redelivery.poison(child, header)
        if poison is None:
            self._dead_letter(child, header, "crashed")
            return
        self._dead_letter(child, header, "poison", **poison)
        method = child.method(header.method)
        self._events.warn("message_quarantined", child, method=method, id=poison["id"])

    # The end.

    def is_over(self) -> bool:
        """Return whether nobody is left whose end can be waited for."""
        return all(child.is_unkillable for child in self.children.values())

    def give_up(self) -> None:
        """End those for good whose processes cannot be ended."""
        for child in list(self.children.values()):
            self.unkillable.add(child.pid)
            self.end(child, ExitReason(ExitKind.KILLED, cause="unkillable"))

    def end(self, child: Child, reason: ExitReason) -> None:
        """End *child* for good: its mailbox takes nothing more, and what was queued is answered or becomes dead letters."""
        facts = {"reason": reason.to_json()}

        def drop(header: Header) -> None:
            if header.kind == Kind.ASK:
                if self._is_overdue(child, header):
                    return  # its asker has seen to that itself
                self._outgoing.answer(
                    header.lane,
                    Kind.STOPPED,
                    header.corr,
                    reports.to_bytes(facts),
                    Codec.JSON,
                )
            elif header.kind == Kind.TELL:
                self._dropped[child.label] = self._dropped.get(child.label, 0) + 1
                self._remember_tell(header)
                self._dead_letter(child, header, "stopped")

        child.estate.close(drop)
        self._payloads.ended(child.number)
        self._payloads.release(child.arguments)
        del self.children[child.number]
        if child.options.name is not None:
            del self.names[child.options.name]
        self._ended[child.number] = bounded(reason, SHORTENED)
        while len(self._ended) > MAX_REMEMBERED:
            del self._ended[next(iter(self._ended))]
        self._outgoing.forget(child.number)
        self._events.publish("child_stopped", child, reason=reason.to_json())
        if child.spawner is not None:
            self._answer(
                child.spawner,
                Kind.REFUSAL,
                {"error": "spawn", "name": child.label, **facts},
            )
        self._answer_all(child.restarters, Kind.STOPPED, facts)
        while child.when_ready:
            self._answer(child.when_ready.pop()[0], Kind.STOPPED, facts)
        self._answer_all(child.mourners, Kind.ANSWER, facts)

    def _is_overdue(self, child: Child, header: Header) -> bool:
        now = time.monotonic_ns()
        if not 0 < header.deadline_ns <= now:
            return False
        asker = self._outgoing.asker(header.lane)
        pages = child.estate.page, None if asker is None else asker.asker
        return is_overdue(header.deadline_ns, header.sent_ns, now, pages)

    def _remember_tell(self, header: Header) -> None:
        self._dropped_tells[header.sender, header.sent_ns] = None
        while len(self._dropped_tells) > MAX_REMEMBERED:
            del self._dropped_tells[next(iter(self._dropped_tells))]

    def has_dropped(self, sender: int, sent_ns: int) -> bool:
        """Return whether a tell has been found in the mailbox of somebody who was ending, and is a dead letter already.

        Its sender, who saw the mailbox close while it put, does not know that it was accepted.
        """
        return (sender, sent_ns) in self._dropped_tells

    def take_dropped(self) -> dict[str, int]:
        """Return how many tells were dropped at the end of each actor, and forget."""
        dropped, self._dropped = self._dropped, {}
        return dropped

    def _dead_letter(
        self, child: Child, header: Header, cause: str, **facts: object
    ) -> None:
        self._events.publish(
            "dead_letter", child, cause=cause, method=child.method(header.method), sender=header.sender,
            attempt=header.attempt + 1, is_question=header.kind == Kind.ASK, **facts,
        )  # fmt: skip

    def _answer(
        self, asker: tuple[int, int], kind: Kind, facts: dict[str, Any]
    ) -> None:
        lane, corr = asker
        self._outgoing.answer(lane, kind, corr, reports.to_bytes(facts), Codec.JSON)

    def _answer_all(
        self, askers: list[tuple[int, int]], kind: Kind, facts: dict[str, Any]
    ) -> None:
        while askers:
            self._answer(askers.pop(), kind, facts)


def _goes_on(group: Group) -> bool:
    """Return whether the one member of *group* has, or is to have, a process."""
    return any(
        member.has_process or member.phase is Phase.RESTARTING
        for member in group.members.values()
    )


def _about(over: ExitReason, child: Child) -> ExitReason:
    return attrs.evolve(over, incarnation=child.incarnation, child_id=child.label)


def _costs(child: Child) -> dict[str, str]:
    """Return, for a log, what the death of *child* has cost."""
    facts: dict[str, str] = {}
    if len(child.hands) > 1:  # one is named in the reason
        facts["in_hand"] = child.listed(child.hands)
    if child.kept:
        facts["redelivered"] = child.listed(child.kept)
    if lost := [header for header in child.hands if header.kind == Kind.TELL]:
        facts["dead_letters"] = str(len(lost))  # nobody else is told of these
    return facts


def _used(reason: ExitReason) -> dict[str, str]:
    """Return what a process has used, for one line of a log; nothing where there was none."""
    if reason.max_rss_bytes is None or reason.cpu_seconds is None:
        return {}
    return {
        "cpu": f"{reason.cpu_seconds:.2f} s",
        "max_rss": f"{reason.max_rss_bytes / 2**20:.0f} MiB",
    }
