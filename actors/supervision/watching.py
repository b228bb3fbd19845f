"""The requests of those that want to hear of others, or to die with them."""

from __future__ import annotations

from typing import Any

from actors.supervision.child import Asker, Handle
from actors.supervision.lifecycle import Lifecycle
from actors.supervision.links import Tie
from actors.supervision.watches import Watcher


class Watching:
    """Carries out the requests to watch and to link."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        """Let actors watch, and link themselves with, the children of *lifecycle*."""
        self._lifecycle = lifecycle
        self.requests: dict[str, Handle] = {
            "watch": self._on_watch,
            "unwatch": self._on_unwatch,
            "link": self._on_link,
            "unlink": self._on_unlink,
        }

    def _on_watch(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        lifecycle, number = self._lifecycle, facts["number"]
        watcher = Watcher(sender, facts["watch"], facts["method"], facts["is_close"])
        if lifecycle.census.living(number) is not None:
            lifecycle.kin.watches.add(watcher, number)
            return
        child = lifecycle.census.children.get(number)
        incarnation = 0 if child is None else child.incarnation
        reason = lifecycle.census.reason_of(number)
        lifecycle.kin.watches.tell_end(
            watcher, reason.incarnation or incarnation, reason
        )

    def _on_unwatch(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.kin.watches.remove(sender, facts["watch"])

    def _on_link(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        lifecycle, number = self._lifecycle, facts["number"]
        tie = Tie(sender, facts["watch"], facts["method"])
        child = lifecycle.census.living(number)
        if child is not None:
            lifecycle.kin.link(tie, child)
            return
        reason = lifecycle.census.reason_of(number)
        lifecycle.kin.refuse(tie, facts["name"], reason.incarnation or 0, reason)

    def _on_unlink(
        self, _asker: Asker, sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self._lifecycle.kin.links.remove(sender, facts["watch"])
