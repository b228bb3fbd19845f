"""What somebody does to the process of an actor while it runs.

Everything is aimed at an incarnation, through its pidfd or its unreaped number, never at whoever has the same number later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.runtime import reports
from actors.runtime.outgoing import Outgoing
from actors.supervision import reaper
from actors.supervision.child import Asker, Child
from actors.supervision.lifecycle import Lifecycle
from actors.wire.frame import Codec, Kind

Handle = Callable[[Asker, int, dict[str, Any], bytes], None]


class Control:
    """Carries out the requests about processes of one supervisor's children."""

    def __init__(self, lifecycle: Lifecycle, outgoing: Outgoing) -> None:
        self._lifecycle = lifecycle
        self._outgoing = outgoing
        self.requests: dict[str, Handle] = {"signal": self._on_signal}

    def _on_signal(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._find(asker, facts["number"])
        if child is not None:
            self._when_ready(
                child, asker, lambda: self._signal(child, asker, facts["signum"])
            )

    def _signal(self, child: Child, asker: Asker, signum: int) -> None:
        if reaper.may_signal(child.pidfd, signum):
            self._answer(asker, Kind.ANSWER, {})
            return
        text = f"{child.label}: its process {child.pid} has changed its user, and may not be signalled"
        self._answer(asker, Kind.REFUSAL, {"error": "refused", "text": text})

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
        if child.is_running:
            act()
        else:
            child.when_ready.append((asker, act))

    def _answer(self, asker: Asker, kind: Kind, facts: dict[str, Any]) -> None:
        lane, corr = asker
        self._outgoing.answer(lane, kind, corr, reports.to_bytes(facts), Codec.JSON)
