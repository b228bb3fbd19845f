"""Making the children of a tree in the root: estates, numbers, names, all of them or none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from actors.errors import ActorError, NameTakenError, SpawnError
from actors.exits import ExitKind, ExitReason
from actors.runtime.directory import RuntimeDirectory
from actors.supervision.child import ActorChild, Branch, Child, SupervisorChild
from actors.supervision.estate import Estate
from actors.supervision.group import Group
from actors.supervision.hangs import Limits
from actors.supervision.payloads import Payloads
from actors.supervision.settings import ChildOptions, SupervisorOptions
from transports.errors import TransportError, limit_behind


class Forest:
    """Where the trees of one system are made."""

    def __init__(
        self,
        directory: RuntimeDirectory,
        payloads: Payloads,
        transport: str,
        max_message_bytes: int,
        take_number: Callable[[], int],
        is_taken: Callable[[str], bool],
    ) -> None:
        """Make actors in *directory*, with mailboxes of *transport* unless they say otherwise."""
        self._directory = directory
        self._payloads = payloads
        self._transport = transport
        self._max_message_bytes = max_message_bytes
        self._take_number = take_number
        self._is_taken = is_taken

    def plant(
        self, facts: dict[str, Any], payload: bytes, branch: Branch
    ) -> list[Child]:
        """Return the children of the tree that *facts* describe, the topmost first, as ``spec.walk`` has them.

        Nothing is left behind when one of them cannot be made.

        Raises:
            NameTakenError: One of the names is bound.
            SpawnError: Something of what an actor needs could not be made.
        """
        with contextlib.ExitStack() as undo:
            seed = _Seed(memoryview(payload), undo)
            children = list(self._grow(facts, seed, branch))
            for child, siblings in seed.siblings:
                places = [(place, *seed.known[place]) for place in siblings]
                child.arguments = attrs.evolve(child.arguments, places=places)
            undo.pop_all()
        return children

    def _grow(
        self, facts: dict[str, Any], seed: _Seed, branch: Branch
    ) -> Iterator[Child]:
        options = ChildOptions.from_json(facts["settings"])
        if options.name is not None and self._is_taken(options.name):
            msg = f"name={options.name!r}: an actor of this name runs already"
            raise NameTakenError(msg)
        number = self._take_number()
        if "supervisor" not in facts:
            actor = self._actor(number, options, facts, seed, branch)
            seed.known[facts["place"]] = number, actor.label
            seed.siblings.append((actor, facts["siblings"]))
            yield actor
            return
        group = Group(SupervisorOptions(**facts["supervisor"]))
        below = Branch(number, group, None)
        label = options.name or f"{options.id}-{number}"
        child = SupervisorChild(number, label, options, branch, below=below)
        below.owner = child
        yield child
        for each in facts["children"]:
            grown = list(self._grow(each, seed, below))
            below.static[grown[0].number] = grown[0].options
            yield from grown
        below.renew()

    def _actor(
        self,
        number: int,
        options: ChildOptions,
        facts: dict[str, Any],
        seed: _Seed,
        branch: Branch,
    ) -> ActorChild:
        if options.transport is None:
            options = attrs.evolve(options, transport=self._transport)
        label = options.name or f"{facts['class_name']}-{number}"
        try:
            arguments = self._payloads.hold(facts, seed.take(facts["size"]))
            seed.undo.callback(self._payloads.release, arguments)
            estate = Estate.create(
                self._directory,
                number,
                options,
                facts["slots"],
                (label, facts["class_name"]),
                max_message_bytes=self._max_message_bytes,
            )
        except (TransportError, ActorError, OSError) as exc:
            limit = limit_behind(exc, label) if isinstance(exc, OSError) else None
            reason = ExitReason(ExitKind.SPAWN_ERROR, message=str(limit or exc))
            raise SpawnError(label, reason) from exc
        seed.undo.callback(estate.close, lambda _: None)
        return ActorChild(
            number,
            label,
            options,
            branch,
            facts["class_name"],
            facts["classes"],
            arguments=arguments,
            estate=estate,
            limits=limits_of(options, facts),
            resources=options.resources(),
        )


def limits_of(options: ChildOptions, facts: dict[str, Any]) -> Limits:
    """Return how long what may take; what the options do not say, *facts* of the class do."""
    timeout = options.handler_timeout
    return Limits.of(
        facts["timeouts"],
        facts["handler_timeout"] if timeout is None else timeout,
        options.heartbeat,
    )


@attrs.define(eq=False)
class _Seed:
    """What is used up while a tree is made.

    Attributes:
        payload: What its actors are made of, one behind the other.
        undo: Takes back what has been made.
        known: Number and name of each actor, by its place.
        siblings: The places that what an actor is made of knows.
    """

    payload: memoryview
    undo: contextlib.ExitStack
    known: dict[int, tuple[int, str]] = attrs.field(factory=dict)
    siblings: list[tuple[ActorChild, list[int]]] = attrs.field(factory=list)

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        taken, self.payload = bytes(self.payload[:size]), self.payload[size:]
        return taken
