"""Messages that every process has died of, as a program looks at them and decides what becomes of them."""

from __future__ import annotations

from typing import Any

import attrs

from actors.exits import ExitReason
from actors.options import refused
from actors.pending import Pending
from actors.runtime.client import Client
from actors.wire import reasons


@attrs.frozen
class PoisonMessage:
    """A message that was handed over as often as ``Redeliver`` allows, and that the process has died of each time.

    Attributes:
        id: Unique in its system.
        actor: The name of the actor.
        method: The message, as ``Class.method``.
        is_question: Whether it was an ask; its asker has got ``ActorCrashedError``.
        size: In bytes, with what lies outside of the mailbox.
        deaths: The reason of each death.
        time: Wall-clock time of the last one in seconds, for people to read.
    """

    id: int
    actor: str
    method: str
    is_question: bool
    size: int
    deaths: tuple[ExitReason, ...]
    time: float


class Quarantine:
    """The poison messages of a system.

    At most 1000 are kept, of 64 MiB together: the oldest go first, with a line in the log. All are lost when the system ends.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def messages(self) -> Pending[list[PoisonMessage]]:
        """Return what there is, the oldest first.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._client.request(
            "poison", {}, convert=lambda facts: [*map(_read, facts["messages"])]
        )

    def inspect(
        self, message: PoisonMessage
    ) -> Pending[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Return the arguments of *message*, positional and by keyword; it stays where it is.

        Raises (when awaited):
            ActorError: It is not there any more, or its arguments lie outside of the mailbox, because they are large.
            DecodeError: Something in them cannot be made here.

        Raises (at the call):
            OptionError: *message* is none.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("poison_inspect", message)

    def replay(self, message: PoisonMessage) -> Pending[None]:
        """Send *message* to its actor once more, as a tell, behind what is queued; it counts from the beginning, and is here no more.

        Raises (when awaited):
            ActorError: It is not there any more, its actor has ended, or there is no room for it.

        Raises (at the call):
            OptionError: *message* is none.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("poison_replay", message)

    def drop(self, message: PoisonMessage) -> Pending[None]:
        """Throw *message* away.

        Raises (when awaited):
            ActorError: It is not there any more.

        Raises (at the call):
            OptionError: *message* is none.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("poison_drop", message)

    def _request(self, operation: str, message: object) -> Pending[Any]:
        if not isinstance(message, PoisonMessage):
            raise refused("message", message, "one that messages() has returned")
        about = f"message {message.id} in quarantine"
        is_reply = operation == "poison_inspect"
        return self._client.request(
            operation,
            {"id": message.id},
            convert=None if is_reply else lambda _: None,
            about=about,
        )


def _read(facts: dict[str, Any]) -> PoisonMessage:
    deaths = tuple(map(reasons.from_json, facts["deaths"]))
    return PoisonMessage(**{**facts, "deaths": deaths})
