"""The requests about a child: find it, end it, replace its process, hear of its end."""

from __future__ import annotations

from typing import Any

from actors import messages
from actors.supervision.child import Asker, Child, Handle
from actors.supervision.group import Fate
from actors.supervision.lifecycle import Lifecycle
from actors.wire import reasons
from actors.wire.frame import Kind


class Inquiries:
    """Carries out the requests about single children of one system."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        """Answer about the children of *lifecycle*."""
        self._lifecycle = lifecycle
        self._askers = lifecycle.askers
        self.requests: dict[str, Handle] = {
            "kill": self._on_kill,
            "restart": self._on_restart,
            "ended": self._on_ended,
            "lookup": self._on_lookup,
        }

    def _on_kill(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._find(asker, facts["number"])
        if child is not None:
            child.mourners.append(asker)
            self._lifecycle.endings.kill(child, "api")
            self._lifecycle.stop(child)

    def _on_restart(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._lifecycle.census.children.get(facts["number"])
        if child is None or child.fate in {Fate.STOP, Fate.REMOVE}:
            reason = self._lifecycle.census.reason_of(facts["number"])
            told = {"reason": reasons.to_json(reason)}
            self._askers.answer(asker, Kind.STOPPED, told)
            return
        child.restarters.append(asker)
        self._lifecycle.restart(child)

    def _on_ended(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._find(asker, facts["number"])
        if child is not None:
            child.mourners.append(asker)

    def _find(self, asker: Asker, number: int) -> Child | None:
        """Return the child, or answer with the reason of its end."""
        child = self._lifecycle.census.living(number)
        if child is None:
            reason = self._lifecycle.census.reason_of(number)
            told = {"reason": reasons.to_json(reason)}
            self._askers.answer(asker, Kind.ANSWER, told)
        return child

    def _on_lookup(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        name, wanted = facts["name"], facts["class"]
        number = self._lifecycle.census.names.get(name)
        if number is None:
            self._askers.refuse(
                asker,
                "not_found",
                text=f"name={name!r}: no actor of this name runs in the system",
            )
            return
        child = self._lifecycle.census.children[number]
        if wanted is not None and wanted not in child.classes:
            text = messages.wrong_class(child.classes[0], wanted)
            self._askers.refuse(asker, "not_found", text=f"name={name!r}: {text}")
            return
        self._askers.answer(asker, Kind.ANSWER, {"number": number, "name": child.label})
