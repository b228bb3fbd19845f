"""The watches and links of this actor: what its supervisor tells because of them."""

from __future__ import annotations

import json
from typing import Any

from actors.errors import ActorError
from actors.options import refused
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.watches import Down, Exit, Link, Notice, Terminated, Up, Watch
from actors.wire import reasons


class Watches:
    """The watches and links of one incarnation."""

    def __init__(self, client: Client) -> None:
        """Ask the root supervisor through *client*."""
        self._client = client
        self._open: dict[int, ActorRef[Any]] = {}

    def add(self, ref: ActorRef[Any], method: str, *, is_close: bool) -> Watch:
        """Have *method* called when *ref* has ended; if it *is_close*, at each death and each start as well.

        Raises:
            TypeError: *ref* is no ref.
            OptionError: It is this actor's own.
            ActorError: It is of another system.
            MailboxFullError: There is no room for the request.
        """
        watch = self._ask("watch", ref, {"method": method, "is_close": is_close})
        return Watch(watch, ref, lambda watch: self._cancel("unwatch", watch))

    def link(self, ref: ActorRef[Any], method: str | None) -> Link:
        """End together with *ref*; have *method* called instead, if there is one.

        Raises:
            As ``add``.
        """
        _check_ref(ref)
        link = self._ask("link", ref, {"method": method, "name": ref.name})
        return Link(link, ref, lambda link: self._cancel("unlink", link))

    def _ask(self, what: str, ref: ActorRef[Any], facts: dict[str, Any]) -> int:
        number = number_of(self._client, ref)
        watch = self._client.questions.new_id()
        # Before it is asked for: the answer may be here first.
        self._open[watch] = ref
        try:
            self._client.notify_root(what, {"number": number, "watch": watch, **facts})
        except BaseException:
            del self._open[watch]
            raise
        return watch

    def _cancel(self, how: str, watch: int) -> None:
        if self._open.pop(watch, None) is not None:
            self._client.notify_root(how, {"watch": watch})

    def read(self, watch: int, body: bytes) -> Notice | Exit | None:
        """Return what has been sent because of *watch*; None where nobody wants to hear it any more.

        That is so after ``cancel``, and of what was for an earlier incarnation.
        """
        ref = self._open.get(watch)
        if ref is None:
            return None
        heard = read(watch, ref, json.loads(body))
        if isinstance(heard, Exit | Terminated):
            del self._open[watch]
        return heard


def read(watch: int, ref: ActorRef[Any], facts: dict[str, Any]) -> Notice | Exit:
    """Return what *facts* say of *ref*, sent because of *watch*."""
    what, incarnation = facts["what"], facts["incarnation"]
    if what == "up":
        return Up(watch, ref, incarnation)
    reason = reasons.from_json(facts["reason"])
    if what == "down":
        following = facts["will_restart"], facts["delay"]
        return Down(watch, ref, incarnation, reason, *following)
    end = Exit if what == "exit" else Terminated
    return end(watch, ref, incarnation, reason)


def number_of(client: Client, ref: ActorRef[Any]) -> int:
    """Return the number of *ref*, of whom the process of *client* can hear.

    Raises:
        TypeError: It is none.
        OptionError: It is of this process itself.
        ActorError: It is of another system.
    """
    _check_ref(ref)
    number = ref._number  # noqa: SLF001 - the runtime's own door
    if ref._system != str(client.directory.path):  # noqa: SLF001 - likewise
        msg = f"{ref!r}: it is of another system, of which nothing is heard here"
        raise ActorError(msg)
    if number == client.number:
        raise refused("ref", ref, "another actor: nobody outlives itself")
    return number


def _check_ref(ref: object) -> None:
    if not isinstance(ref, ActorRef):
        msg = f"ref={ref!r}: pass the ref of the actor"
        raise TypeError(msg)
