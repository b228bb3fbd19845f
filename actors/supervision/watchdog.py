"""Ending processes that hang; whether one does is decided in ``hangs.py``.

A sentence is aimed at one message of one incarnation, or at one that is silent, and hits nothing else:

1. The process is stopped.  Once its main thread, which runs all handlers, has stopped, the status page cannot change.
2. It is looked at again.  If the message has ended meanwhile, or a sign of life has come, the process is continued.
3. Else the cause is recorded, and SIGABRT waits for the main thread when it is continued: there is no instruction in between.
   The process dumps its stacks and dies.
4. If it is there still after a grace, it is stopped and looked at again, and killed while it is stopped.
"""

from __future__ import annotations

import contextlib
import enum
import signal
import time

import attrs

from actors.exits import ExitKind, ExitReason
from actors.runtime import status
from actors.supervision import hangs, reaper, threads
from actors.supervision.alarms import Alarms
from actors.supervision.child import ActorChild
from actors.supervision.endings import ABORT_GRACE
from actors.supervision.events import Events
from actors.supervision.hangs import SECOND_NS, Hand, Hung, Sight
from actors.supervision.lifecycle import Lifecycle
from actors.wire import frame
from actors.wire.frame import Kind
from transports._ring import Slot

ALARM = "hang"
STOP_NS = 500_000  # until it is looked at whether a process has stopped
UNWATCHED_NS = SECOND_NS // 10  # between two looks at one that is frozen or debugged


class Stage(enum.Enum):
    """How far a sentence is; the values are those of the event ``watchdog``."""

    STOPPING = "stop"
    ABORTED = "abort"
    STOPPING_AGAIN = "stop again"


@attrs.define(eq=False)
class Watch:
    """A child that is watched.

    Attributes:
        child: Who.
        incarnation: Which of its lives.
        due_ns: When it is looked at next.
        excused_ns: Until when it cannot be found to hang.
        sentence: What it has been found to do.
        stage: How far the sentence is.
        was_stopped: Somebody else had stopped it already.
    """

    child: ActorChild
    incarnation: int
    due_ns: int = 0
    excused_ns: int = 0
    sentence: Hung | None = None
    stage: Stage = Stage.STOPPING
    was_stopped: bool = False


class Watchdog:
    """Watches the children of one supervisor."""

    def __init__(self, lifecycle: Lifecycle, events: Events, alarms: Alarms) -> None:
        """Look at processes when one of *alarms* is due."""
        self._lifecycle = lifecycle
        self._events = events
        self._alarms = alarms
        self._watches: dict[int, Watch] = {}

    def watch(self, number: int) -> None:
        """Child *number* is ready: watch it, if it has a limit."""
        child = self._lifecycle.census.living_actor(number)
        if child is None or not child.is_running:
            return
        known = self._watches.get(number)
        if known is None or known.incarnation != child.incarnation:
            self._watches[number] = watch = Watch(child, child.incarnation)
            self._judge(watch)

    def look(self, number: int) -> None:
        """See what child *number* does."""
        watch = self._watches.get(number)
        if watch is None:
            return
        child = watch.child
        is_over = child.incarnation != watch.incarnation or child.pidfd < 0
        if is_over or not child.is_running or child.is_leaving:
            # The limit of the stop is what counts from here.
            del self._watches[number]
            if not is_over and watch.sentence is not None:
                self._continue(watch)
        elif watch.sentence is None:
            self._judge(watch)
        else:
            self._carry_out(watch, watch.sentence)

    # Judging.

    def _judge(self, watch: Watch) -> None:
        child = watch.child
        verdict = hangs.judge(_sight(child), child.limits)
        if isinstance(verdict, hangs.Fine):
            if verdict.look_ns is None:
                del self._watches[child.number]  # it has no limit at all
            else:
                self._look_in(watch, verdict.look_ns)
            return
        now = time.monotonic_ns()
        if watch.due_ns:
            grace = hangs.grace_ns(watch.due_ns, now, verdict.limit_ns)
            watch.excused_ns = max(watch.excused_ns, now + grace)
        if threads.is_traced(child.pid):
            watch.excused_ns = now + verdict.limit_ns
        if child.estate.page.is_frozen() or now < watch.excused_ns:
            self._look_in(watch, max(watch.excused_ns - now, UNWATCHED_NS))
            return
        watch.sentence = verdict
        watch.was_stopped = threads.is_stopped(child.pid)
        self._stop(watch, Stage.STOPPING)

    def _look_in(self, watch: Watch, ns: int) -> None:
        watch.due_ns = time.monotonic_ns() + max(ns, STOP_NS)
        self._alarms.set((ALARM, watch.child.number), watch.due_ns / SECOND_NS)

    # Carrying out.

    def _stop(self, watch: Watch, stage: Stage) -> None:
        watch.stage = stage
        if reaper.may_signal(watch.child.pidfd, signal.SIGSTOP):
            self._look_in(watch, STOP_NS)
            return
        del self._watches[watch.child.number]
        self._events.warn("hung", watch.child, text=watch.child.about(reaper.NOT_OURS))

    def _continue(self, watch: Watch) -> None:
        if not watch.was_stopped and not watch.child.estate.page.is_frozen():
            reaper.may_signal(watch.child.pidfd, signal.SIGCONT)

    def _carry_out(self, watch: Watch, sentence: Hung) -> None:
        child = watch.child
        if child.estate.page.is_frozen():
            watch.sentence = None
            self._look_in(watch, UNWATCHED_NS)
        elif watch.stage is Stage.ABORTED:
            self._stop(watch, Stage.STOPPING_AGAIN)
        elif not threads.is_main_stopped(child.pid):
            self._stop(watch, watch.stage)
        elif not _is_as_it_was(child, sentence):
            self._spare(watch)
        elif watch.stage is Stage.STOPPING:
            child.cause = child.cause or _reason(child, sentence, watch)
            self._tell(child, "abort", sentence)
            with contextlib.suppress(ProcessLookupError):  # its death is on the way
                threads.abort_main(child.pidfd, child.pid)
            reaper.may_signal(child.pidfd, signal.SIGCONT)
            watch.stage = Stage.ABORTED
            self._look_in(watch, int(ABORT_GRACE * SECOND_NS))
        else:
            self._tell(child, "kill", sentence)
            self._lifecycle.endings.kill(child, "hung")  # the cause is recorded already

    def _spare(self, watch: Watch) -> None:
        """It has gone on meanwhile."""
        sentence, watch.sentence = watch.sentence, None
        assert sentence is not None  # noqa: S101 - for the checkers
        if watch.stage is Stage.STOPPING_AGAIN:
            watch.child.cause = None
            self._tell(watch.child, "spare", sentence)
        self._continue(watch)
        watch.due_ns = 0
        self._judge(watch)

    def _tell(self, child: ActorChild, stage: str, sentence: Hung) -> None:
        method = None if sentence.hand is None else _method(child, sentence.hand)
        took = sentence.took_ns / SECOND_NS
        self._events.publish(
            "watchdog", child, stage=stage, method=method, seconds=took
        )


# What can be seen.


def _sight(child: ActorChild) -> Sight:
    page = child.estate.page
    now = time.monotonic_ns()
    beat = page.words[status.HEARTBEAT] or now
    hands = [
        hand
        for place, slot in enumerate(page.slots())
        if (hand := _hand(place, slot)) is not None
    ]
    return Sight(now, beat, hands, page.freezes())


def _hand(place: int, slot: Slot) -> Hand | None:
    """Return what is in hand in *slot*, whose owner works on meanwhile."""
    seq, started = slot.seq, slot.started_ns
    if not started:
        return None
    data = slot.frame()
    if (slot.seq, slot.started_ns) != (seq, started):
        return None  # it has only just been started
    if data is None:
        return Hand(place, seq, started, "")
    try:
        header = frame.read(data)
    except frame.FrameError:
        return None
    is_message = header.kind in {Kind.TELL, Kind.ASK, Kind.NOTICE}
    return Hand(place, seq, started, header.method) if is_message else None


def _is_as_it_was(child: ActorChild, sentence: Hung) -> bool:
    """Return whether *child*, which is stopped, still does what it was found to do."""
    sight = _sight(child)
    if sentence.hand is not None:
        return sentence.hand in sight.hands
    return sight.since(sight.heard_ns) >= sentence.limit_ns


def _method(child: ActorChild, hand: Hand) -> str:
    return child.method(hand.method) if hand.method else "a timer"


def _reason(child: ActorChild, sentence: Hung, watch: Watch) -> ExitReason:
    took, limit = sentence.took_ns / SECOND_NS, sentence.limit_ns / SECOND_NS
    if sentence.hand is None:
        return ExitReason(
            ExitKind.HEARTBEAT_LOST,
            silent_for=took,
            stopped=watch.was_stopped,
            message=f"for {took:.1f} s{', stopped' if watch.was_stopped else ''}",
        )
    return ExitReason(
        ExitKind.HANDLER_TIMEOUT,
        during=_method(child, sentence.hand),
        message=f"more than {limit:g} s",
    )
