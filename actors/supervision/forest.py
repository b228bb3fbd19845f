"""Making the children of a tree in the root: estates, numbers, names, all of them or none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from actors.errors import ActorError, NameTakenError, SpawnError
from actors.exits import ExitKind, ExitReason
from actors.supervision.child import ActorChild, Branch, Child, SupervisorChild
from actors.supervision.estates import Estates
from actors.supervision.group import Group
from actors.supervision.payloads import Payloads
from actors.supervision.settings import ChildOptions, SupervisorOptions
from transports.errors import TransportError, limit_behind


class Forest:
    """Where the trees of one system are made."""

    def __init__(
        self,
        estates: Estates,
        payloads: Payloads,
        take_number: Callable[[], int],
        is_taken: Callable[[str], bool],
    ) -> None:
        """Make actors of *estates* and of *payloads*; a name that *is_taken* is refused."""
        self._estates = estates
        self._payloads = payloads
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
        options = self._estates.settled(options)
        label = options.name or f"{facts['class_name']}-{number}"
        try:
            arguments = self._payloads.hold(facts, seed.take(facts["size"]))
            seed.undo.callback(self._payloads.release, arguments)
            actor = self._estates.actor(
                branch, number, label, options, facts, arguments
            )
        except (TransportError, ActorError, OSError) as exc:
            limit = limit_behind(exc, label) if isinstance(exc, OSError) else None
            reason = ExitReason(ExitKind.SPAWN_ERROR, message=str(limit or exc))
            raise SpawnError(label, reason) from exc
        seed.undo.callback(actor.estate.close, lambda _: None)
        return actor


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
