"""The workers of a pool that another process has made: they can be sent messages, and nothing else is known of them."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from actors.actor import Actor
from actors.errors import ActorError
from actors.pool.worker import Worker
from actors.runtime import clients
from actors.runtime.client import Client

A = TypeVar("A", bound=Actor)


class Distant(Generic[A]):
    """What stands for a crew where a pool has been sent to; see ``Crew`` for what both have.

    Attributes:
        system: Where they live: the path of its directory.
        shared: The mailbox of all of them.
        name: Of the pool.
        size: How many there were when the pool was sent.
    """

    # The class stays where it is, as with refs: a sender need not be able to import it.
    cls: type[A] | None = None
    routing: Literal["shared"] = "shared"
    workers: tuple[Worker[A], ...] = ()
    handover = None

    def __init__(self, system: str, shared: int, name: str, size: int) -> None:
        self.system = system
        self.shared: int | None = shared
        self.name = name
        self.size = size
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The end of their system in this process.

        Raises:
            ActorError: This process is not part of it.
        """
        client = self._client
        if client is None:
            client = self._client = clients.by_system.get(self.system)
        if client is None:
            msg = f"the pool {self.name}: this process is not part of its system"
            raise ActorError(msg)
        return client

    def may_take_long(self, _method: str) -> bool:
        """Return False: what limits a message is not known here."""
        return False
