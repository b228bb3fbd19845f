"""What somebody does to the process of an actor while it runs.

Everything is aimed at an incarnation, through its pidfd or its unreaped number, never at whoever has the same number later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.runtime import reports
from actors.runtime.outgoing import Outgoing
from actors.supervision import freezing, reaper
from actors.supervision.alarms import Alarms
from actors.supervision.child import Asker, Child
from actors.supervision.freezing import Freezing, Request, no_permission
from actors.supervision.lifecycle import Lifecycle
from actors.wire.frame import Codec, Kind

Handle = Callable[[Asker, int, dict[str, Any], bytes], None]
Act = Callable[[Child, Asker, dict[str, Any]], None]


class Control:
    """Carries out the requests about processes of one supervisor's children."""

    def __init__(
        self, lifecycle: Lifecycle, outgoing: Outgoing, alarms: Alarms
    ) -> None:
        self._lifecycle = lifecycle
        self._outgoing = outgoing
        self._freezing = Freezing(alarms)
        self.requests: dict[str, Handle] = {
            name: self._request(act)
            for name, act in {
                "signal": self._signal,
                "freeze": self._freeze,
                "thaw": self._thaw,
            }.items()
        }
        self.alarms: dict[str, Callable[[int], None]] = {
            freezing.ALARM: self._freezing.look
        }

    def _signal(self, child: Child, asker: Asker, facts: dict[str, Any]) -> None:
        is_sent = reaper.may_signal(child.pidfd, facts["signum"])
        self._settle(asker, None if is_sent else no_permission(child))

    def _freeze(self, child: Child, asker: Asker, facts: dict[str, Any]) -> None:
        request = Request(
            settle=lambda error: self._settle(asker, error),
            repeat=lambda: self.requests["freeze"](asker, 0, facts, b""),
        )
        self._freezing.freeze(child, request)

    def _thaw(self, child: Child, asker: Asker, _facts: dict[str, Any]) -> None:
        self._settle(asker, self._freezing.thaw(child))

    def _request(self, act: Act) -> Handle:
        """Return what does *act* to the next process of an actor that is ready."""

        def handle(
            asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
        ) -> None:
            child = self._find(asker, facts["number"])
            if child is not None:
                self._when_ready(child, asker, lambda: act(child, asker, facts))

        return handle

    # Whom it is about.

    def _find(self, asker: Asker, number: int) -> Child | None:
        """Return the child, or tell *asker* why it has ended."""
        child = self._lifecycle.children.get(number)
        if child is None:
            reason = self._lifecycle.reason_of(number)
            self._answer(asker, Kind.STOPPED, {"reason": reason.to_json()})
        return child

    @staticmethod
    def _when_ready(child: Child, asker: Asker, act: Callable[[], None]) -> None:
        """Call *act* when a process of *child* is ready; *asker* hears of it if there will be none."""
        if child.is_running and child.pidfd >= 0:
            act()
        else:
            child.when_ready.append((asker, act))

    def _settle(self, asker: Asker, error: str | None) -> None:
        if error is None:
            self._answer(asker, Kind.ANSWER, {})
        else:
            self._answer(asker, Kind.REFUSAL, {"error": "refused", "text": error})

    def _answer(self, asker: Asker, kind: Kind, facts: dict[str, Any]) -> None:
        lane, corr = asker
        self._outgoing.answer(lane, kind, corr, reports.to_bytes(facts), Codec.JSON)
