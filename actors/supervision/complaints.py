"""What processes tell of messages that came to nothing: events for those who listen, lines in the log for people."""

from __future__ import annotations

from typing import Any

from actors.supervision.child import Asker, Handle
from actors.supervision.events import Events
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.repeats import Repeats
from actors.wire import reasons
from actors.wire.frame import Kind


class Complaints:
    """Hands on what the processes of one system complain of."""

    def __init__(self, lifecycle: Lifecycle, events: Events, repeats: Repeats) -> None:
        """Publish in *events*; what is said again and again goes through *repeats* to the log."""
        self._lifecycle = lifecycle
        self._events = events
        self._repeats = repeats
        self.requests: dict[str, Handle] = {
            "undeliverable": self._on_undeliverable,
            "dead_letter": self._on_dead_letter,
            "handler_failed": self._on_handler_failed,
            "mailbox_full": self._on_mailbox_full,
            "answer_unreadable": self._on_answer_unreadable,
        }

    def _on_undeliverable(
        self, asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        lifecycle, number, told_ns = self._lifecycle, facts["number"], facts["told_ns"]
        if told_ns is not None and not lifecycle.settling.has_dropped(sender, told_ns):
            told = {"method": facts["method"], "cause": "stopped"}
            self._events.publish(
                "dead_letter",
                actor=facts["name"],
                number=number,
                sender=sender,
                **told,
            )
            text = "the actor has ended"
            self._repeats.warn("dead_letter", number, facts["name"], **told, text=text)
        lifecycle.damaged(number, 0)  # where only its page says that it has ended
        child = lifecycle.census.children.get(number)
        cause = None if child is None else child.cause
        reason = cause or lifecycle.census.reason_of(number)
        lifecycle.askers.answer(asker, Kind.ANSWER, {"reason": reasons.to_json(reason)})

    def _on_dead_letter(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._lifecycle.census.children.get(facts["number"])
        if child is not None:
            method = child.method(facts["method"])
            told = {"method": method, "cause": facts["cause"], "text": facts["text"]}
            self._events.publish("dead_letter", child, **told)
            self._repeats.warn("dead_letter", child.number, child.label, **told)

    def _on_handler_failed(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._lifecycle.census.children.get(facts["number"])
        if child is not None:
            told = {key: facts[key] for key in ("method", "type", "text")}
            self._events.publish("handler_failed", child, **told)
            self._events.warn("handler_failed", child, **told)

    def _on_mailbox_full(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._lifecycle.census.children.get(facts["number"])
        if child is not None:
            waiting = self._lifecycle.census.children.get(sender)
            told = {
                "sender": "a program" if waiting is None else waiting.label,
                "waiters": facts["waiters"],
            }
            self._events.publish("mailbox_full", child, **told)
            self._events.warn("mailbox_full", child, **told)

    def _on_answer_unreadable(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._lifecycle.census.children.get(sender)
        label = "a program" if child is None else child.label
        self._events.warn("answer_unreadable", actor=label, error=facts["error"])
