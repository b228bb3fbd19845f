"""What somebody does to the process of an actor while it runs.

Everything is aimed at an incarnation, through its pidfd or its unreaped number, never at whoever has the same number later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.errors import OptionError
from actors.runtime import limits, reports
from actors.runtime.outgoing import Outgoing
from actors.supervision import freezing, reaper, stacks, threads
from actors.supervision.alarms import Alarms
from actors.supervision.child import ActorChild, Asker, Handle
from actors.supervision.freezing import Freezing
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.mailboxes import Mailboxes
from actors.supervision.request import Act, Request
from actors.supervision.stacks import Stacks
from actors.wire import reasons
from actors.wire.frame import Codec, Kind


class Control:
    """Carries out the requests about processes of one supervisor's children."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        outgoing: Outgoing,
        alarms: Alarms,
        mailboxes: Mailboxes,
    ) -> None:
        self._lifecycle = lifecycle
        self._outgoing = outgoing
        self._mailboxes = mailboxes
        self._inspect = self._handle(mailboxes.inspect, lambda _: True)
        freezer, shower = Freezing(alarms), Stacks(alarms)
        self.requests: dict[str, Handle] = {
            "signal": self._when_ready(_signal),
            "freeze": self._when_ready(freezer.freeze),
            "thaw": self._when_ready(freezer.thaw),
            "stack": self._when_forked(shower.show),
            "limit": self._when_ready(_limit),
            "when_due": self._on_when_due,
            "due": self._on_due,
            "mailbox": self._on_mailbox,
            "exported": lambda _asker, _sender, facts, _payload: (
                self._mailboxes.exports.end(
                    facts["ticket"], is_written=facts["is_written"]
                )
            ),
            "purge": self._handle(
                mailboxes.purge,
                lambda child: (
                    not child.is_alive or (child.is_running and child.pidfd >= 0)
                ),
            ),
        }
        self.alarms: dict[str, Callable[[int], None]] = {
            freezing.ALARM: freezer.look,
            stacks.ALARM: shower.look,
        }

    def _when_ready(self, act: Act) -> Handle:
        """Return what does *act* to the process that is ready, or is so next."""
        return self._handle(act, lambda child: child.is_running and child.pidfd >= 0)

    def _when_forked(self, act: Act) -> Handle:
        """Return what does *act* to the process that there is, or to the next one that is ready."""
        return self._handle(act, lambda child: child.pidfd >= 0)

    def _handle(self, act: Act, is_time: Callable[[ActorChild], bool]) -> Handle:
        def handle(
            asker: Asker, sender: int, facts: dict[str, Any], payload: bytes
        ) -> None:
            child = self._lifecycle.census.living_actor(facts["number"])
            if child is None:
                reason = self._lifecycle.census.reason_of(facts["number"])
                self._answer(asker, Kind.STOPPED, {"reason": reasons.to_json(reason)})
                return
            request = Request(
                facts,
                lambda error=None, **facts: self._settle(asker, error, facts),
                lambda: handle(asker, sender, facts, payload),
            )
            if is_time(child):
                act(child, request)
            else:
                child.when_ready.append((asker, lambda: act(child, request)))

        return handle

    def _on_mailbox(
        self, asker: Asker, sender: int, facts: dict[str, Any], payload: bytes
    ) -> None:
        """Somebody wants to know what waits in a mailbox, an actor's own or a shared one."""
        shared = self._lifecycle.sharing.get(facts["number"])
        if shared is None:
            self._inspect(asker, sender, facts, payload)
            return
        request = Request(
            facts,
            lambda error=None, **facts: self._settle(asker, error, facts),
            lambda: None,
        )
        self._mailboxes.inspect(shared, request)

    def _on_when_due(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        """Somebody wants to know when the process of an actor is to be replaced."""
        child = self._lifecycle.census.living_actor(facts["number"])
        if child is None:
            reason = self._lifecycle.census.reason_of(facts["number"])
            self._answer(asker, Kind.STOPPED, {"reason": reasons.to_json(reason)})
            return
        child.heirs.append(asker)
        if child.due is not None:
            self._lifecycle.askers.due(child)

    def _on_due(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        """A process says that it is to be replaced."""
        child = self._lifecycle.census.living_actor(facts["number"])
        if child is not None and child.incarnation == facts["incarnation"]:
            child.due = facts["cause"]
            self._lifecycle.askers.due(child)

    def _settle(self, asker: Asker, error: str | None, facts: dict[str, Any]) -> None:
        if error is None:
            self._answer(asker, Kind.ANSWER, facts)
        else:
            self._answer(asker, Kind.REFUSAL, {"error": "refused", "text": error})

    def _answer(self, asker: Asker, kind: Kind, facts: dict[str, Any]) -> None:
        lane, corr = asker
        self._outgoing.answer(lane, kind, corr, reports.to_bytes(facts), Codec.JSON)


def _signal(child: ActorChild, request: Request) -> None:
    if reaper.may_signal(child.pidfd, request.facts["signum"]):
        request.settle()
    else:
        request.settle(child.about(reaper.NOT_OURS))


def _limit(child: ActorChild, request: Request) -> None:
    """Set limits of the process, and of those that come after it."""
    wanted = request.facts["wanted"]
    try:
        limits.apply(child.pid, threads.of(child.pid), wanted)
    except OptionError as exc:
        request.settle(f"{child.label}: {exc}")
        return
    child.resources.update(wanted)
    request.settle()
