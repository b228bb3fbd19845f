"""The requests to start a plainly spawned actor, and to make a mailbox that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from actors.errors import ActorError, SystemClosedError
from actors.exits import ExitKind, ExitReason
from actors.runtime.start import Arguments
from actors.supervision.child import Asker, Branch, Handle
from actors.supervision.companions import Companions
from actors.supervision.estates import Estates
from actors.supervision.group import group_of_one
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.payloads import Payloads
from actors.supervision.settings import ChildOptions, SupervisorOptions
from actors.wire import reasons
from actors.wire.frame import Kind
from transports.errors import TransportError, limit_behind


class Spawns:
    """Carries out the requests to spawn in one system."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        companions: Companions,
        estates: Estates,
        payloads: Payloads,
        take_number: Callable[[], int],
        is_closing: Callable[[], bool],
    ) -> None:
        """Make actors of *estates* and of *payloads*, until the system *is_closing*."""
        self._lifecycle = lifecycle
        self._companions = companions
        self._estates = estates
        self._payloads = payloads
        self._take_number = take_number
        self._is_closing = is_closing
        self.requests: dict[str, Handle] = {
            "spawn": self._on_spawn,
            "open_shared": self._on_open_shared,
            "forget_shared": self._on_forget_shared,
        }

    def _on_spawn(
        self, asker: Asker, sender: int, facts: dict[str, Any], payload: bytes
    ) -> None:
        arguments = self._payloads.hold(facts, payload)
        if not self._add(asker, sender, facts, arguments):
            self._payloads.release(arguments)

    def _on_open_shared(
        self, asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        number, label = self._take_number(), facts["label"]
        try:
            self._lifecycle.sharing.open(number, sender, facts, self._estates)
        except (TransportError, OSError) as exc:
            self._refuse_start(asker, label, exc)
        else:
            self._lifecycle.askers.answer(asker, Kind.ANSWER, {"number": number})

    def _on_forget_shared(
        self, _asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.sharing.forget(facts["number"])

    def _refuse_start(self, asker: Asker, label: str, error: Exception) -> None:
        limit = limit_behind(error, label) if isinstance(error, OSError) else None
        reason = ExitReason(ExitKind.SPAWN_ERROR, message=str(limit or error))
        self._lifecycle.askers.refuse(
            asker, "spawn", name=label, reason=reasons.to_json(reason)
        )

    def _add(
        self, asker: Asker, sender: int, facts: dict[str, Any], arguments: Arguments
    ) -> bool:
        """Make a child, or tell *asker* why not; return whether there is one."""
        if self._is_closing():
            self._lifecycle.askers.refuse(
                asker,
                "closing",
                text="the system is closing: nothing is started any more",
            )
            return False
        options = ChildOptions.from_json(facts["settings"])
        if options.name is not None and options.name in self._lifecycle.census.names:
            self._lifecycle.askers.refuse(
                asker,
                "name_taken",
                text=f"name={options.name!r}: an actor of this name runs already",
            )
            return False
        try:
            home = self._companions.find(asker, sender)
        except SystemClosedError as exc:
            self._lifecycle.askers.refuse(asker, "closing", text=str(exc))
            return False
        number = self._take_number()
        options = self._estates.settled(attrs.evolve(options, id=str(number)))
        label = options.name or facts.get("label") or f"{facts['class_name']}-{number}"
        hands = self._lifecycle.hands if home is None else home.lent
        own = SupervisorOptions(**facts["supervisor"])
        try:
            shared = self._lifecycle.sharing.join(number, facts.get("shared"))
            if shared is not None:  # one kind of slots for both
                scheme = shared.estate.transport.scheme
                options = attrs.evolve(options, transport=scheme)
            group = group_of_one(number, options, own)
            child = self._estates.actor(
                Branch(number, group, hands, home=home),
                number,
                label,
                options,
                facts,
                arguments,
                spawner=asker,
                shared=shared,
            )
        except (TransportError, ActorError, OSError) as exc:
            self._lifecycle.sharing.leave(number, facts.get("shared"))
            self._refuse_start(asker, label, exc)
            return False
        self._lifecycle.add(child)
        return True
