"""The answers to those who wait for something in the life of a child."""

from __future__ import annotations

from typing import Any

from actors.exits import ExitReason
from actors.runtime import reports
from actors.runtime.outgoing import Outgoing
from actors.supervision.child import Asker, Child
from actors.wire import reasons
from actors.wire.frame import Codec, Kind


class Askers:
    """Who waits for children of one system."""

    def __init__(self, outgoing: Outgoing) -> None:
        """Answer through *outgoing*."""
        self._outgoing = outgoing

    def ready(self, child: Child) -> None:
        """An incarnation of *child* is ready."""
        self.started(child)
        self._answer_all(child.restarters, Kind.ANSWER, {})
        waiting, child.when_ready = child.when_ready, []
        for _, act in waiting:
            act()

    def started(self, child: Child) -> None:
        """The start of *child* counts as a success."""
        if child.spawner is not None:
            facts = {"number": child.number, "name": child.label, **child.answer}
            self.answer(child.spawner, Kind.ANSWER, facts)
            child.spawner = None

    def down(self, child: Child, reason: ExitReason) -> None:
        """*child* will have no process any more, as far as is known."""
        facts = {"reason": reasons.to_json(reason)}
        if child.spawner is not None:
            refusal = {"error": "spawn", "name": child.label, **facts}
            self.answer(child.spawner, Kind.REFUSAL, refusal)
            child.spawner = None
        self._answer_all(child.restarters, Kind.STOPPED, facts)
        while child.when_ready:
            self.answer(child.when_ready.pop()[0], Kind.STOPPED, facts)
        self._answer_all(child.heirs, Kind.STOPPED, facts)
        self._answer_all(child.mourners, Kind.ANSWER, facts)

    def due(self, child: Child) -> None:
        """The process of *child* is to be replaced."""
        self._answer_all(child.heirs, Kind.ANSWER, {"cause": child.due})

    def answer(self, asker: Asker, kind: Kind, facts: dict[str, Any]) -> None:
        """Answer one."""
        lane, corr = asker
        self._outgoing.answer(lane, kind, corr, reports.to_bytes(facts), Codec.JSON)

    def refuse(self, asker: Asker, error: str, **facts: object) -> None:
        """Say why something cannot be done."""
        self.answer(asker, Kind.REFUSAL, {"error": error, **facts})

    def _answer_all(
        self, askers: list[Asker], kind: Kind, facts: dict[str, Any]
    ) -> None:
        while askers:
            self.answer(askers.pop(), kind, facts)
