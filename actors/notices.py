"""What a program hears of an actor that it watches."""

from __future__ import annotations

import contextlib
from typing import Any, Self, TypeVar, cast

from actors.errors import MailboxFullError
from actors.feed import Feed
from actors.ref import ActorRef
from actors.runtime import watches
from actors.runtime.client import Client
from actors.watches import Notice, Terminated

N = TypeVar("N", bound=Notice)


class Notices(Feed[N]):
    """The notices of one watch, in order and each exactly once: iterate over it, or ask for the ``next``.

    An iteration ends after the ``Terminated``, which is the last, and when this or the system has been closed; it raises
    ``SystemFailedError`` when the system has ended by itself.
    An ``anext`` that is cancelled, as by ``asyncio.wait_for``, loses no notice.

    Attributes:
        id: Stands in each notice.
        ref: Who is watched.
    """

    def __init__(self, client: Client, ref: ActorRef[Any], *, is_close: bool) -> None:
        super().__init__(client, f"{ref!r}: this watch is over")
        client.check()
        number = watches.number_of(client, ref)
        self.ref = ref
        self.id = client.questions.new_id()
        self._told = client.subscription.watches
        # Before it is asked for: the answer may be here first.
        self._told[self.id] = self._on_notice
        facts = {"number": number, "watch": self.id, "is_close": is_close}
        try:
            client.notify_root("watch", {"method": None, **facts})
        except BaseException:
            del self._told[self.id]
            raise

    def _on_notice(self, record: dict[str, Any]) -> None:
        notice = watches.read(self.id, self.ref, record)
        self._add(cast("N", notice))
        if isinstance(notice, Terminated):
            self._told.pop(self.id, None)
            self._end()

    def close(self) -> None:
        """Call the watch off; what has come already can still be taken."""
        if self._told.pop(self.id, None) is not None:
            # Without room for that, what it tells us from now on is heard by nobody.
            with contextlib.suppress(MailboxFullError):
                self._client.notify_root("unwatch", {"watch": self.id})
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
