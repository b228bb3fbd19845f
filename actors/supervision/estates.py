"""Making what actors have outside their processes, and the actors as the root knows them, in one system."""

from __future__ import annotations

from typing import Any

import attrs

from actors.runtime.directory import RuntimeDirectory
from actors.runtime.start import Arguments
from actors.supervision.child import ActorChild, Asker, Branch
from actors.supervision.estate import Estate
from actors.supervision.hangs import Limits
from actors.supervision.settings import ChildOptions
from actors.supervision.shared import SharedMailbox


class Estates:
    """Makes the estates of one system."""

    def __init__(
        self, directory: RuntimeDirectory, transport: str, max_message_bytes: int
    ) -> None:
        """Make them in *directory*, with mailboxes of *transport* where their options do not say otherwise."""
        self._directory = directory
        self._transport = transport
        self._max_message_bytes = max_message_bytes

    def settled(self, options: ChildOptions) -> ChildOptions:
        """Return *options* with the transport of the system where they have none."""
        transport = options.transport or self._transport
        return attrs.evolve(options, transport=transport)

    def create(
        self, number: int, options: ChildOptions, slots: int, names: tuple[str, str]
    ) -> Estate:
        """Make the estate of actor *number*, or a mailbox that is nobody's alone; see ``Estate.create``.

        Raises:
            TransportError: Shared memory is too small, or there is no such transport.
            OSError: Another limit of the system.
        """
        return Estate.create(
            self._directory,
            number,
            self.settled(options),
            slots,
            names,
            max_message_bytes=self._max_message_bytes,
        )

    def actor(  # noqa: PLR0913 - what makes one actor another than the next
        self,
        branch: Branch,
        number: int,
        label: str,
        options: ChildOptions,
        facts: dict[str, Any],
        arguments: Arguments,
        *,
        spawner: Asker | None = None,
        shared: SharedMailbox | None = None,
    ) -> ActorChild:
        """Make an actor, with its estate.

        Args:
            branch: Its supervisor, or the group that it is itself.
            number: Of it.
            label: Its name, or what it is called without one.
            options: Settled.
            facts: Of its class; see ``spawning.facts_of``.
            arguments: What its processes are made of.
            spawner: Who waits for it to be ready.
            shared: The mailbox that it takes from besides its own.

        Raises:
            As ``create``.
        """
        class_name = facts["class_name"]
        return ActorChild(
            number,
            label,
            options,
            branch,
            class_name,
            facts["classes"],
            spawner=spawner,
            arguments=arguments,
            estate=self.create(number, options, facts["slots"], (label, class_name)),
            limits=_limits_of(options, facts),
            resources=options.resources(),
            shared=shared,
        )


def _limits_of(options: ChildOptions, facts: dict[str, Any]) -> Limits:
    """Return how long what may take; what the options do not say, *facts* of the class do."""
    timeout = options.handler_timeout
    return Limits.of(
        facts["timeouts"],
        facts["handler_timeout"] if timeout is None else timeout,
        options.heartbeat,
    )
